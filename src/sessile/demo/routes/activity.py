"""Show a user's activity: the trails of their sessions, and those that were stolen."""

from starlette.requests import Request
from starlette.responses import Response

from sessile import Session, SessionInfo
from sessile.demo.activity import Stolen, entries
from sessile.demo.frame import Place
from sessile.demo.routes.framed import framed
from sessile.demo.shop import Shop, shop_of
from sessile.web.starlette import get_session


async def show(request: Request) -> Response:
    """Show the page."""
    shop, session = shop_of(request), get_session(request)
    now = session.opened_at
    return await framed(
        request,
        "activity.html",
        Place.ACTIVITY,
        entries=entries(await _sessions(shop, session), now),
        stolen=await _stolen(shop, session),
    )


async def _sessions(shop: Shop, session: Session) -> list[SessionInfo]:
    if session.user is not None:
        return await shop.sessions.of(session.user, current=session.id)
    if session.new or session.lock is not None:
        return []
    here = await shop.sessions.show(session.id)
    return [] if here is None else [here]


async def _stolen(shop: Shop, session: Session) -> list[Stolen]:
    if session.user is None:
        return []
    return [
        Stolen.of(alarm, await shop.sessions.evidence(alarm.session), session.opened_at)
        for alarm in shop.alarms.of(session.user)
    ]
