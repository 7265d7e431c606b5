"""Answer with a page in its frame. What stands in the frame is decided by ``demo.frame``."""

from math import ceil
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sessile.demo.fleet.message import FleetView, GetView
from sessile.demo.frame import Frame, PagePath
from sessile.demo.shop import shop_of
from sessile.demo.template import render
from sessile.web.starlette import get_session


async def render_page(
    request: Request, template: str, path: PagePath, *, view: FleetView | None = None, **values: Any
) -> Response:
    """Return the page that a template makes of those values.

    Args:
        request: the visitor's.
        template: fills the frame.
        path: which page it is.
        view: all servers, where they are known already.
        values: for the template.
    """
    view = view or await shop_of(request).parent(GetView())
    return render(template, frame=frame_of(request, path, view), **values)


def frame_of(request: Request, path: PagePath | None, view: FleetView) -> Frame:
    """Return the frame of a page. Waiting messages of the visitor's session are taken."""
    shop = shop_of(request)
    return Frame.of(
        get_session(request),
        path=path,
        servers=len(view.members),
        stopped=ceil(shop.switch.remaining()),
        reads_on=shop.switch.reads_on(),
        has_nodes=view.nodes is not None,
        is_away=not view.can_store(shop.name),
        query=request.query_params,
        presented=shop.sessions.cookie.full_name in request.cookies,
    )


async def bare_frame(
    request: Request, path: PagePath | None = None, *, view: FleetView | None = None
) -> Frame:
    """Return the frame of a page for whoever it is: no session is asked for.

    Args:
        request: the visitor's.
        path: which page it is; None for none of its own.
        view: all servers, where they are known already.
    """
    shop = shop_of(request)
    view = view or await shop.parent(GetView())
    return Frame(
        path,
        "/" if path is None else path.value,
        len(view.members),
        stopped=ceil(shop.switch.remaining()),
        reads_on=shop.switch.reads_on(),
        has_nodes=view.nodes is not None,
        is_away=not view.can_store(shop.name),
    )
