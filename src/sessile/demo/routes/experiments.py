"""The page of the experiments: what it shows of the last one's result. Each has its own routes."""

from starlette.requests import Request
from starlette.responses import Response

from sessile.balance import Affinity
from sessile.demo.fleet.message import FleetView, GetView, ServerPhase
from sessile.demo.frame import PagePath
from sessile.demo.guard import is_from_here
from sessile.demo.late import LateResult
from sessile.demo.page import kind_of
from sessile.demo.routes.page import render_page
from sessile.demo.routes.twenty import WORK
from sessile.demo.shop import shop_of
from sessile.demo.switch import STOP
from sessile.demo.twenty import MANY, NUMBERS, TwentyResult
from sessile.web.starlette import get_session


async def show(request: Request) -> Response:
    """Show the page."""
    shop, session = shop_of(request), get_session(request)
    view = await shop.parent(GetView())
    result = shop.results.find(request.query_params.get("result", ""))
    is_stopped = shop.switch.remaining() > 0  # then the store does not tell what came of it
    late = result if isinstance(result, LateResult) and not is_stopped else None
    return await render_page(
        request,
        "experiments.html",
        PagePath.EXPERIMENTS,
        view=view,
        may_control=is_from_here(request, shop.sessions.proxies),
        is_kept=not session.new and session.lock is None,
        ways=NUMBERS[_servers_at_once(view)],
        has_copies=shop.near is not None,
        many=MANY,
        work=round(WORK * 1000),
        stop_after=round(STOP),
        kind=kind_of(shop.sessions.name),
        naive_kind=shop.naive.kind or kind_of(shop.sessions.name),
        twenty=result if isinstance(result, TwentyResult) else None,
        late=late,
        lives=late is not None and await shop.sessions.show(late.session) is not None,
        dropped="" if late is None else shop.late.drop_of(late.session),
    )


def _servers_at_once(view: FleetView) -> int:
    """Return how many servers the requests of one client go through."""
    if view.affinity is not Affinity.NONE:
        return 1
    return max(sum(member.phase is ServerPhase.UP for member in view.members), 1)
