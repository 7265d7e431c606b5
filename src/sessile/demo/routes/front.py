"""The front page, and the little that its script asks for. ``page`` decides what is shown."""

from typing import Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sessile import Session
from sessile.core.value import Value
from sessile.demo import steps
from sessile.demo.catalogue import Currency
from sessile.demo.fleet.message import GetView, ServerPhase
from sessile.demo.frame import PagePath
from sessile.demo.guard import is_from_here
from sessile.demo.page import AFFINITIES, FrontPage
from sessile.demo.routes.page import frame_of
from sessile.demo.settings import Theme
from sessile.demo.shop import Shop, shop_of
from sessile.demo.steps import Step
from sessile.demo.template import render
from sessile.demo.users import ACCOUNTS
from sessile.web.starlette import get_session
from sessile.wire import system

_REMEMBERED: Final = 12
"""Pages whose server is remembered."""


async def home(request: Request) -> Response:
    """Show the page."""
    shop, session = shop_of(request), get_session(request)
    view = await shop.parent(GetView())
    if not session.new and session.lock is None:
        _count(session, shop)  # a visitor for whom nothing is kept stays one, and gets no cookie
        if any(member.phase is ServerPhase.DOWN for member in view.members):
            steps.mark(session, Step.KILL)
    frame = frame_of(request, PagePath.SHOP, view)  # takes the messages before the data are shown
    shown = FrontPage.of(
        session,
        name=shop.name,
        view=view,
        sessions=shop.sessions,
        now=system.clock(),
        devices=await shop.sessions.of(session.user, current=session.id) if session.user else [],
        wish=request.query_params.get("as", ""),
        may_control=is_from_here(request, shop.sessions.proxies),
    )
    return render(
        "page.html",
        frame=frame,
        page=shown,
        affinities=AFFINITIES,
        themes=list(Theme),
        currencies=list(Currency),
        accounts=ACCOUNTS,
    )


async def now(request: Request) -> Response:
    """Say who is answering and how the servers are; without a session, as it is asked often."""
    shop = shop_of(request)
    view = await shop.parent(GetView())
    members = {
        member.name: {"phase": member.phase.value, "pid": member.pid, "requests": member.requests}
        for member in view.members
    }
    return JSONResponse({"server": shop.name, "members": members})


async def health(_: Request) -> Response:
    """Tell the balancer that this server is well."""
    return Response(status_code=204)


def _count(session: Session, shop: Shop) -> None:
    """Note in the session that this server made a page; parallel pages all count."""
    session.increment("pages")
    served = cast("list[Value]", session.setdefault("served", []))
    served.append(shop.name)
    del served[:-_REMEMBERED]
