"""Add twenty things at once: the click, and what its twenty requests meet, in either store.

Both lists are served by the same steps, with the same work between reading and writing.
"""

import asyncio
from http.client import HTTPException as NoAnswer
from secrets import token_urlsafe
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sessile.demo.frame import PagePath
from sessile.demo.naive import COOKIE
from sessile.demo.routes.door import client_of
from sessile.demo.routes.forms import back_to, has_ended, text_field
from sessile.demo.shop import shop_of
from sessile.demo.twenty import MANY, TwentyResult, add_twenty
from sessile.web.starlette import get_session

WORK: Final = 0.02
"""Seconds between reading and writing, as a handler takes that asks a database."""

_NUMBERS: Final = {str(number): number for number in range(1, MANY + 1)}


async def run(request: Request) -> Response:
    """Send the twenty to each store, and have the browser fetch the page that shows the count."""
    shop, client = shop_of(request), await client_of(request)
    if has_ended(request):
        return back_to("twenty", page=PagePath.EXPERIMENTS, notice="ended")
    session = get_session(request)
    if session.new or session.lock is not None:
        return back_to("twenty", page=PagePath.EXPERIMENTS)
    shop.switch.check(shop.sessions.name)  # before anything is done that cannot be stored
    try:
        ours = await asyncio.to_thread(add_twenty, client, "/twenty/sessile")
        naive = await asyncio.to_thread(add_twenty, client, "/twenty/naive")
    except (OSError, NoAnswer):
        raise HTTPException(502, "The requests did not get through to the shop.") from None
    token = shop.results.keep(TwentyResult(ours, naive))
    return back_to("twenty", page=PagePath.EXPERIMENTS, result=token)


async def serve_sessile(request: Request) -> Response:
    """Empty, extend or show the list in the visitor's session."""
    session = get_session(request)
    if session.new:
        raise HTTPException(409, "There is no session to keep a list in.")
    if request.method == "DELETE":
        session["twenty"] = []
    numbers = cast("list[int]", session.setdefault("twenty", []))
    if request.method == "POST":
        number = await _number(request)
        await asyncio.sleep(WORK)
        numbers.append(number)
    return _answer(request, numbers)


async def serve_naive(request: Request) -> Response:
    """Empty, extend or show the list in a naive session."""
    key = request.cookies.get(COOKIE) or token_urlsafe(12)
    async with shop_of(request).naive.open(key) as values:
        if request.method == "DELETE":
            values["twenty"] = []
        numbers = values.setdefault("twenty", [])
        if request.method == "POST":
            number = await _number(request)
            await asyncio.sleep(WORK)
            numbers.append(number)
    answer = _answer(request, numbers)
    answer.set_cookie(COOKIE, key, httponly=True, samesite="lax")
    return answer


async def _number(request: Request) -> int:
    async with request.form() as form:
        text = text_field(form, "number")
    if text not in _NUMBERS:
        raise HTTPException(400, f"Write a number from 1 to {MANY}.")
    return _NUMBERS[text]


def _answer(request: Request, numbers: list[int]) -> Response:
    return JSONResponse({"server": shop_of(request).name, "numbers": numbers})
