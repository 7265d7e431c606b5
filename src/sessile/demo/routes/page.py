"""Answer with a page in its frame. What stands in the frame is decided by ``demo.frame``."""

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


def frame_of(request: Request, path: PagePath, view: FleetView) -> Frame:
    """Return the frame of a page. Waiting messages of the visitor's session are taken."""
    return Frame.of(
        get_session(request),
        path=path,
        servers=len(view.members),
        query=request.query_params,
        presented=shop_of(request).sessions.cookie.full_name in request.cookies,
    )
