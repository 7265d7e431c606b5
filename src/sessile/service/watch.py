"""Watch a flow for those who listen: how long it took, and whether the store failed it."""

from typing import TypeVar

from sessile.core.flow import Flow
from sessile.core.request import Request
from sessile.errors import LostRace, StoreUnavailable
from sessile.service.clients import glimpsed
from sessile.service.events import StoreFailing, Timed, Work
from sessile.service.parts import Parts

R = TypeVar("R")


async def watched(parts: Parts, work: Work, request: Request, flow: Flow[R]) -> R:
    """Carry out a flow, and tell how it went."""
    at, begun, failed = parts.clock(), parts.timer(), True
    try:
        result = await flow
        failed = False
    except (StoreUnavailable, LostRace) as error:
        client = glimpsed(parts, request)
        parts.tell(StoreFailing(at, None, parts.store.name, _why(error), client=client))
        raise
    finally:
        if parts.timed:
            parts.tell_timers(Timed(at, None, work, parts.timer() - begun, failed))
    return result


def _why(error: StoreUnavailable | LostRace) -> str:
    return error.why if isinstance(error, StoreUnavailable) else f"{error.attempts} lost races"
