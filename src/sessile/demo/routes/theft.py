"""Steal the visitor's session before their eyes, and choose what is done about it.

The browser keeps the ticket from every script (``HttpOnly``), so it is the server that copies it
out of the visitor's own request. No page ever shows it.
"""

import asyncio
from http.client import HTTPException as NoAnswer
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sessile import Session
from sessile.demo import cart, steps
from sessile.demo.copies import outlast_copies
from sessile.demo.frame import PagePath
from sessile.demo.policies import COOKIE, name_of, parse, reaction_of
from sessile.demo.routes.door import door_of
from sessile.demo.routes.forms import back_to, has_ended, text_field
from sessile.demo.routes.page import render_page
from sessile.demo.shop import Shop, shop_of
from sessile.demo.shop_client import ShopResponse
from sessile.demo.steps import Step
from sessile.demo.theft import OPTIONS, TheftResult, TheftView
from sessile.demo.thief import Attack, Thief
from sessile.web.starlette import get_session
from sessile.wire import system


async def show(request: Request) -> Response:
    """Show what can be stolen, and how; after a theft, what came of it.

    The result is another request's: this one is the visitor's next, which meets what came of it.
    """
    shop, reaction = shop_of(request), reaction_of(request.cookies)
    result = shop.results.find(request.query_params.get("result", ""))
    is_stopped = shop.switch.remaining() > 0  # then the store does not tell what came of it
    theft = result if isinstance(result, TheftResult) and not is_stopped else None
    return await render_page(
        request,
        "theft.html",
        PagePath.THEFT,
        options=OPTIONS.values(),
        option=OPTIONS[reaction],
        result=theft,
        policy=None if theft is None else OPTIONS[parse(theft.policy)],
        theft=None if theft is None else await _view(shop, theft),
        you=identity(get_session(request)),
    )


async def choose(request: Request) -> Response:
    """Keep the visitor's choice of a policy, in a cookie."""
    async with request.form() as form:
        text = text_field(form, "policy")
    try:
        reaction = parse(text)
    except ValueError:
        raise HTTPException(400, "There is no such policy.") from None
    answer = back_to("policy", page=PagePath.THEFT)
    answer.set_cookie(COOKIE, name_of(reaction), httponly=True, samesite="lax")
    return answer


async def steal(request: Request) -> Response:
    """Send the thief, and have the browser fetch the page that shows what it got."""
    shop, session = shop_of(request), get_session(request)
    async with request.form() as form:
        text = text_field(form, "way")
    try:
        attack = Attack(text)
    except ValueError:
        raise HTTPException(400, "A thief has no such way.") from None
    if has_ended(request):
        return back_to("theft", page=PagePath.THEFT, notice="ended")
    if session.user is None:
        return back_to("theft", page=PagePath.THEFT)
    steps.mark(session, Step.THEFT)
    result = TheftResult(
        attack=attack,
        policy=name_of(reaction_of(request.cookies)),
        session=session.id,
        at=system.clock(),
        responses=await _run_thief(request, shop, attack),
    )
    await outlast_copies(shop.near)  # the next page is to meet what came of it
    return back_to("outcome", page=PagePath.THEFT, result=shop.results.keep(result))


async def show_identity(request: Request) -> Response:
    """Tell whoever brings a ticket what it opens."""
    return JSONResponse(identity(get_session(request)))


def identity(session: Session) -> dict[str, Any]:
    """Return the little that a session tells of its visitor."""
    locked = {} if session.lock is None else {"locked": session.lock.value}
    return {
        "user": session.user,
        "cart": [item.name for item in cart.contents(session).elements()],
        **locked,
    }


async def _view(shop: Shop, result: TheftResult) -> TheftView:
    return TheftView.of(
        result,
        live=await shop.sessions.show(result.session),
        evidence=await shop.sessions.evidence(result.session),
        now=system.clock(),
    )


async def _run_thief(request: Request, shop: Shop, attack: Attack) -> list[ShopResponse]:
    """Run a thief who has this request's cookies."""
    browser, ticket = request.headers.get("user-agent", ""), shop.sessions.cookie.full_name
    thief = Thief(await door_of(shop), request.cookies, ticket, browser)
    try:
        return await asyncio.to_thread(thief.steal, attack)
    except (OSError, NoAnswer):
        raise HTTPException(502, "The thief did not get through to the shop.") from None
