"""Pages for what went wrong, with the head of every page. ``application`` says for what."""

from math import ceil
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sessile import Session
from sessile.core.origin import SAFE
from sessile.demo.fleet.message import GetView
from sessile.demo.guard import is_from_here
from sessile.demo.routes.page import bare_frame, frame_of
from sessile.demo.shop import shop_of
from sessile.demo.template import render

_PLAIN: Final = {  # what the framework says by itself, as people say it
    "Not Found": "There is no such page.",
    "Method Not Allowed": "A link does not do that: it takes a form.",
}


async def show_http_error(request: Request, error: Exception) -> Response:
    """Show what was wrong with a request."""
    assert isinstance(error, HTTPException)
    if isinstance(request.scope.get("session"), Session):
        frame = frame_of(request, None, await shop_of(request).parent(GetView()))
    else:  # a path without sessions
        frame = await bare_frame(request)
    return render(
        "error.html",
        status=error.status_code,
        headers=error.headers,
        frame=frame,
        sentence=_PLAIN.get(error.detail, error.detail),
    )


async def show_foreign(request: Request) -> Response:
    """Show that another site's page sent this."""
    return render(
        "error.html",
        status=403,
        frame=await bare_frame(request),
        sentence="This form was sent by a page of another site.",
    )


async def show_failure(request: Request, _: Exception) -> Response:
    """Show that a handler has failed."""
    return render(
        "error.html",
        status=500,
        frame=await bare_frame(request),
        sentence="Something went wrong in the shop.",
    )


async def show_outage(request: Request, _: Exception) -> Response:
    """Show that the store does not answer: 503, and when to come back.

    It is asked for no session, and the answer sets no cookie: nobody becomes a stranger by it.
    """
    shop = shop_of(request)
    wait = ceil(shop.switch.remaining())
    return render(
        "outage.html",
        status=503,
        headers={"retry-after": str(wait or 1)},
        frame=await bare_frame(request),
        wait=wait,
        server=shop.name,
        is_read=request.method in SAFE,
        may_control=is_from_here(request, shop.sessions.proxies),
    )
