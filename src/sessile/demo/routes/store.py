"""Stop and start the store, without a session: while it is stopped none can be read. ``switch``."""

from starlette.requests import Request
from starlette.responses import Response

from sessile.demo.frame import PagePath
from sessile.demo.routes.door import check_here
from sessile.demo.routes.forms import back_to
from sessile.demo.shop import shop_of


async def stop(request: Request) -> Response:
    """Have the store refuse every command of every server."""
    check_here(request)
    shop_of(request).switch.stop()
    return back_to("store", page=PagePath.EXPERIMENTS)


async def start(request: Request) -> Response:
    """Have it answer again."""
    check_here(request)
    shop_of(request).switch.start()
    return back_to("store", page=PagePath.EXPERIMENTS, notice="back")
