"""Show a user's activity: the trails of their sessions, and those that were stolen."""

from starlette.requests import Request
from starlette.responses import Response

from sessile import Session, SessionInfo
from sessile.demo.activity import StolenSession, entries
from sessile.demo.frame import PagePath
from sessile.demo.routes.answer import answer_to
from sessile.demo.routes.page import render_page
from sessile.demo.shop import Shop, shop_of
from sessile.web.starlette import get_session
from sessile.wire import system


async def show(request: Request) -> Response:
    """Show the page."""
    shop, session = shop_of(request), get_session(request)
    found = await answer_to(_sessions(shop, session))
    stolen = await answer_to(_load_stolen(shop, session))
    return await render_page(
        request,
        "activity.html",
        PagePath.ACTIVITY,
        is_known=found is not None,
        entries=entries(found or [], system.clock()),
        stolen=stolen or [],
    )


async def _sessions(shop: Shop, session: Session) -> list[SessionInfo]:
    if session.user is not None:
        return await shop.sessions.of(session.user, current=session.id)
    if session.new or session.lock is not None:
        return []
    here = await shop.sessions.show(session.id)
    return [] if here is None else [here]


async def _load_stolen(shop: Shop, session: Session) -> list[StolenSession]:
    if session.user is None:
        return []
    return [
        StolenSession.of(alarm, await shop.sessions.evidence(alarm.session), system.clock())
        for alarm in shop.alarms.of(session.user)
    ]
