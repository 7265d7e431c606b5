"""Time a flow for those who want to know, and tell when the store fails it."""

from typing import TypeVar

from sessile.core.flow import Flow
from sessile.core.request import Request
from sessile.core.value import Instant
from sessile.errors import LostRace, StoreUnavailable
from sessile.service.clients import peek_client
from sessile.service.context import Context
from sessile.service.events import StoreFailing, Timed, Work

R = TypeVar("R")


async def instrument(context: Context, work: Work, request: Request, flow: Flow[R]) -> R:
    """Carry out a flow, and emit how it went."""
    at, begin, failed = context.clock(), context.timer(), True
    try:
        result = await flow
        failed = False
    except (StoreUnavailable, LostRace) as error:
        emit_failure(context, at, request, error)
        raise
    finally:
        if context.is_timed:
            took = context.timer() - begin
            context.emit_timing(Timed(at, None, work, took, failed))
    return result


def emit_failure(
    context: Context, at: Instant, request: Request, error: StoreUnavailable | LostRace
) -> None:
    """Tell the hooks that the store failed somebody's request."""
    if context.has_hooks:
        client = peek_client(context, request)
        context.emit(StoreFailing(at, None, context.store.name, _why(error), client=client))


def _why(error: StoreUnavailable | LostRace) -> str:
    return error.why if isinstance(error, StoreUnavailable) else f"{error.attempts} lost races"
