"""Log out while a request is under way: the click, and the slow request. ``late`` sends both."""

import asyncio
from contextlib import suppress
from http.client import HTTPException as NoAnswer

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sessile.demo import cart
from sessile.demo.catalogue import ITEMS
from sessile.demo.copies import outlast_copies
from sessile.demo.frame import PagePath
from sessile.demo.late import PATIENCE, PAUSE, log_out_meanwhile
from sessile.demo.routes.door import client_of
from sessile.demo.routes.forms import back_to, has_ended
from sessile.demo.shop import shop_of
from sessile.web.starlette import get_session


async def run(request: Request) -> Response:
    """Log out during a slow request, and have the browser fetch the page that shows both."""
    shop, session = shop_of(request), get_session(request)
    client = await client_of(request)
    if has_ended(request):
        return back_to("late", page=PagePath.EXPERIMENTS, notice="ended")
    if session.user is None:
        return back_to("late", page=PagePath.EXPERIMENTS)
    shop.switch.check(shop.sessions.name)  # before anything is done that cannot be stored
    try:
        result = await asyncio.to_thread(log_out_meanwhile, client, session.id, shop.late)
    except (OSError, NoAnswer):
        raise HTTPException(502, "The requests did not get through to the shop.") from None
    await outlast_copies(shop.near)  # the next page is to meet what came of it
    return back_to("late", page=PagePath.EXPERIMENTS, result=shop.results.keep(result))


async def put_slowly(request: Request) -> Response:
    """Put a lamp into the cart, but not before the session has ended: the slow request.

    Its session was open when it began, and it is told of nothing: it does what it came for. What it
    changed is dropped when the answer starts.
    """
    shop, session = shop_of(request), get_session(request)
    if session.user is None:
        raise HTTPException(403, "Log in first.")
    await asyncio.to_thread(shop.late.begin, session.id)
    with suppress(TimeoutError):  # nobody logs out
        async with asyncio.timeout(PATIENCE):
            while await shop.sessions.show(session.id) is not None:  # noqa: ASYNC110  (another server ends it)
                await asyncio.sleep(PAUSE)
    cart.add(session, ITEMS["lamp"])
    pieces = cart.contents(session).total()
    return JSONResponse({"server": shop.name, "pieces": pieces})
