"""The front page, and the little that its script asks for. ``page`` decides what is shown."""

from typing import Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sessile import Session, SessionInfo
from sessile.core.value import Value
from sessile.demo import steps
from sessile.demo.catalogue import Currency
from sessile.demo.fleet.message import GetView, Member, ServerPhase
from sessile.demo.frame import PagePath
from sessile.demo.guard import is_from_here
from sessile.demo.page import AFFINITIES, FrontPage
from sessile.demo.routes.answer import answer_to
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
    is_kept = not session.new and session.lock is None
    if (
        is_kept and not shop.switch.remaining() and view.can_store(shop.name)
    ):  # else nothing can be stored
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
        devices=await _devices(shop, session),
        wish=request.query_params.get("as", ""),
        may_control=is_from_here(request, shop.sessions.proxies),
        has_copies=shop.near is not None,
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
    """Say who is answering and how the servers are.

    It is asked often, and by a visitor with a session that is read each time, if only from a copy.
    """
    shop = shop_of(request)
    view = await shop.parent(GetView())
    members = {member.name: _facts(member) for member in view.members}
    return JSONResponse({"server": shop.name, "members": members})


async def health(_: Request) -> Response:
    """Tell the balancer that this server is well."""
    return Response(status_code=204)


def _facts(member: Member) -> dict[str, str | int | None]:
    """Return the facts of a server, for the page's script to fill its card with."""
    near = member.near
    return {
        "phase": member.phase.value,
        "pid": member.pid,
        "requests": member.requests,
        "active": member.active,
        "copies": None if near is None else near.copies,
        "heard": None if near is None else near.heard,
    }


async def _devices(shop: Shop, session: Session) -> list[SessionInfo] | None:
    """Return the user's sessions; None where the store does not tell."""
    if session.user is None:
        return []
    return await answer_to(shop.sessions.of(session.user, current=session.id))


def _count(session: Session, shop: Shop) -> None:
    """Note in the session that this server made a page; parallel pages all count."""
    session.increment("pages")
    served = cast("list[Value]", session.setdefault("served", []))
    served.append(shop.name)
    del served[:-_REMEMBERED]
