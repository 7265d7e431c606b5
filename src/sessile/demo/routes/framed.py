"""Answer with a page in its frame. What stands in the frame is decided by ``demo.frame``."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sessile.demo.fleet.message import Look, View
from sessile.demo.frame import Frame, Place
from sessile.demo.shop import shop_of
from sessile.demo.template import render
from sessile.web.starlette import get_session


async def framed(
    request: Request, template: str, place: Place, *, view: View | None = None, **values: Any
) -> Response:
    """Return the page that a template makes of those values.

    Args:
        request: the visitor's.
        template: fills the frame.
        place: which page it is.
        view: all servers, where they are known already.
        values: for the template.
    """
    view = view or await shop_of(request).parent(Look())
    return render(template, frame=frame_of(request, place, view), **values)


def frame_of(request: Request, place: Place, view: View) -> Frame:
    """Return the frame of a page. Waiting messages of the visitor's session are taken."""
    return Frame.of(
        get_session(request),
        place=place,
        servers=len(view.members),
        query=request.query_params,
        presented=shop_of(request).sessions.cookie.full_name in request.cookies,
    )
