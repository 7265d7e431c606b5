"""Steal the visitor's session before their eyes, and choose what is done about it.

The browser keeps the ticket from every script (``HttpOnly``), so it is the server that copies it
out of the visitor's own request. No page ever shows it.
"""

import asyncio
from http.client import HTTPException as NoAnswer

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sessile import Session
from sessile.demo import cart
from sessile.demo.choice import COOKIE, chosen, parse, word
from sessile.demo.fleet.message import Look, View
from sessile.demo.frame import Place
from sessile.demo.routes.answer import text_field
from sessile.demo.routes.framed import framed
from sessile.demo.shop import Shop, shop_of
from sessile.demo.theft import OPTIONS, Outcome
from sessile.demo.thief import Loot, Thief, Way
from sessile.web.starlette import get_session


async def show(request: Request) -> Response:
    """Show what can be stolen, and how."""
    return await _page(request)


async def choose(request: Request) -> Response:
    """Keep the visitor's choice of a policy, in a cookie."""
    async with request.form() as form:
        text = text_field(form, "policy")
    try:
        reaction = parse(text)
    except ValueError:
        raise HTTPException(400, "There is no such policy.") from None
    answer = RedirectResponse("/theft#policy", status_code=303)
    answer.set_cookie(COOKIE, word(reaction), httponly=True, samesite="lax")
    return answer


async def steal(request: Request) -> Response:
    """Send the thief, and show what it got and what became of the session.

    It is shown at once and not after a redirect: there may be no session any more to keep it in.
    """
    shop, session = shop_of(request), get_session(request)
    async with request.form() as form:
        text = text_field(form, "way")
    try:
        way = Way(text)
    except ValueError:
        raise HTTPException(400, "A thief has no such way.") from None
    if session.user is None:
        return RedirectResponse("/theft", status_code=303)
    view = await shop.parent(Look())
    loot = await _sent(request, shop, view, way)
    return await _page(request, view, await _outcome(shop, session, way, loot))


async def tell(request: Request) -> Response:
    """Tell whoever brings a ticket what it opens."""
    session = get_session(request)
    locked = {} if session.lock is None else {"locked": session.lock.value}
    return JSONResponse(
        {
            "user": session.user,
            "cart": [item.name for item in cart.contents(session).elements()],
            **locked,
        }
    )


async def _sent(request: Request, shop: Shop, view: View, way: Way) -> list[Loot]:
    """Return what a thief brings who has this request's cookies."""
    if view.door is None:
        raise HTTPException(503, "The shop's door is not open yet.")
    browser = request.headers.get("user-agent", "")
    thief = Thief(view.door, request.cookies, shop.sessions.cookie.full_name, browser)
    try:
        return await asyncio.to_thread(thief.steal, way)
    except (OSError, NoAnswer):
        raise HTTPException(502, "The thief did not get through to the shop.") from None


async def _outcome(shop: Shop, session: Session, way: Way, loot: list[Loot]) -> Outcome:
    assert session.record is not None
    return Outcome.of(
        way,
        loot,
        before=session.record.trail,
        live=await shop.sessions.show(session.id),
        evidence=await shop.sessions.evidence(session.id),
        now=shop.sessions.parts.clock(),
    )


async def _page(
    request: Request, view: View | None = None, outcome: Outcome | None = None
) -> Response:
    reaction = chosen(request.cookies)
    return await framed(
        request,
        "theft.html",
        Place.THEFT,
        view=view,
        options=OPTIONS.values(),
        option=OPTIONS[reaction],
        outcome=outcome,
    )
