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
from sessile.demo.fleet.message import FleetView, GetView
from sessile.demo.frame import PagePath
from sessile.demo.policies import COOKIE, name_of, parse, reaction_of
from sessile.demo.routes.forms import text_field
from sessile.demo.routes.page import render_page
from sessile.demo.shop import Shop, shop_of
from sessile.demo.theft import OPTIONS, TheftResult
from sessile.demo.thief import Attack, Thief, ThiefResponse
from sessile.web.starlette import get_session
from sessile.wire import system


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
    answer.set_cookie(COOKIE, name_of(reaction), httponly=True, samesite="lax")
    return answer


async def steal(request: Request) -> Response:
    """Send the thief, and show what it got and what became of the session.

    It is shown at once and not after a redirect: there may be no session any more to keep it in.
    """
    shop, session = shop_of(request), get_session(request)
    async with request.form() as form:
        text = text_field(form, "way")
    try:
        attack = Attack(text)
    except ValueError:
        raise HTTPException(400, "A thief has no such way.") from None
    if session.user is None:
        return RedirectResponse("/theft", status_code=303)
    view = await shop.parent(GetView())
    responses = await _run_thief(request, shop, view, attack)
    return await _page(request, view, await _result(shop, session, attack, responses))


async def show_identity(request: Request) -> Response:
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


async def _run_thief(
    request: Request, shop: Shop, view: FleetView, attack: Attack
) -> list[ThiefResponse]:
    """Run a thief who has this request's cookies."""
    if view.address is None:
        raise HTTPException(503, "The shop's door is not open yet.")
    browser = request.headers.get("user-agent", "")
    thief = Thief(view.address, request.cookies, shop.sessions.cookie.full_name, browser)
    try:
        return await asyncio.to_thread(thief.steal, attack)
    except (OSError, NoAnswer):
        raise HTTPException(502, "The thief did not get through to the shop.") from None


async def _result(
    shop: Shop, session: Session, attack: Attack, responses: list[ThiefResponse]
) -> TheftResult:
    assert session.info is not None
    return TheftResult.of(
        attack,
        responses,
        before=session.info.trail,
        live=await shop.sessions.show(session.id),
        evidence=await shop.sessions.evidence(session.id),
        now=system.clock(),
    )


async def _page(
    request: Request, view: FleetView | None = None, result: TheftResult | None = None
) -> Response:
    reaction = reaction_of(request.cookies)
    return await render_page(
        request,
        "theft.html",
        PagePath.THEFT,
        view=view,
        options=OPTIONS.values(),
        option=OPTIONS[reaction],
        result=result,
    )
