"""Stop and start the store. Neither takes a session: while it is stopped none can be read."""

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sessile import Outage
from sessile.demo.copies import copy_everywhere, take_copy
from sessile.demo.fleet.message import GetView, ServerPhase
from sessile.demo.frame import PagePath
from sessile.demo.routes.door import check_here, client_of
from sessile.demo.routes.forms import back_to
from sessile.demo.shop import shop_of
from sessile.web.starlette import get_session

_READERS: Final = {"": Outage.FAIL, "refused": Outage.FAIL, "copies": Outage.READ}
"""What readers get meanwhile, as the form names it."""


async def stop(request: Request) -> Response:
    """Have the store refuse every command of every server."""
    check_here(request)
    shop = shop_of(request)
    async with request.form() as form:
        outage = _READERS.get(str(form.get("readers", "")))
    if outage is None or (outage is Outage.READ and shop.near is None):
        raise HTTPException(400, "Readers cannot be given that.")
    if outage is Outage.READ:
        view = await shop.parent(GetView())
        servers = [member.name for member in view.members if member.phase is ServerPhase.UP]
        await asyncio.to_thread(copy_everywhere, await client_of(request), servers)
    shop.switch.stop(outage)
    return back_to("store", page=PagePath.EXPERIMENTS)


async def start(request: Request) -> Response:
    """Have it answer again."""
    check_here(request)
    shop_of(request).switch.start()
    return back_to("store", page=PagePath.EXPERIMENTS, notice="back")


async def copy(request: Request) -> Response:
    """Take a copy of the visitor's session: before a stop each server is asked for that."""
    shop, session = shop_of(request), get_session(request)
    version = 0
    if shop.near is not None and not session.new:
        version = await take_copy(shop.near, session.id)
    return JSONResponse({"server": shop.name, "version": version})
