"""The page of the store's nodes. It takes no session: it is there when none can be read."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sessile.demo.fleet.message import FleetCommand, GetView, Heal, Kill, Part, Restart
from sessile.demo.frame import PagePath
from sessile.demo.guard import is_from_here
from sessile.demo.nodes.status import NodesStatus
from sessile.demo.routes.door import check_here
from sessile.demo.routes.forms import back_to
from sessile.demo.routes.page import bare_frame
from sessile.demo.shop import shop_of
from sessile.demo.template import render

_REFUSED: Final = "refused"


async def show(request: Request) -> Response:
    """Show the page."""
    shop = shop_of(request)
    view = await shop.parent(GetView())
    if view.nodes is None:
        raise HTTPException(404)
    return render(
        "nodes.html",
        frame=await bare_frame(request, PagePath.NODES, view=view),
        view=view,
        cluster=view.nodes,
        own=_own_stream(request, view.nodes),
        may_control=is_from_here(request, shop.sessions.proxies),
        is_refused=_REFUSED in request.query_params,
    )


async def show_status(request: Request) -> Response:
    """Show the part of the page that changes by itself."""
    view = await shop_of(request).parent(GetView())
    if view.nodes is None:
        raise HTTPException(404)
    own = _own_stream(request, view.nodes)
    return render("nodes_status.html", view=view, cluster=view.nodes, own=own)


def _own_stream(request: Request, nodes: NodesStatus) -> str:
    """Return the stream that the visitor's session is in, by his ticket alone."""
    return nodes.stream_of(request.cookies.get(shop_of(request).sessions.cookie.full_name))


async def kill(request: Request) -> Response:
    """Have a server killed, and its node with it."""
    return await _send(request, Kill(request.path_params["name"]))


async def restart(request: Request) -> Response:
    """Have both started anew."""
    return await _send(request, Restart(request.path_params["name"]))


async def part(request: Request) -> Response:
    """Have a server and its node cut off from the others."""
    return await _send(request, Part(request.path_params["name"]))


async def heal(request: Request) -> Response:
    """Have the network be whole again."""
    return await _send(request, Heal())


async def _send(request: Request, command: FleetCommand) -> Response:
    check_here(request)
    error = (await shop_of(request).parent(command)).error
    return back_to("nodes", page=PagePath.NODES, **({_REFUSED: "yes"} if error else {}))
