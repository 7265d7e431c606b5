"""Kill and restart servers and route clients, for visitors at this machine. The parent does it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sessile.balance import Affinity
from sessile.core.flow import arun
from sessile.demo.fleet.message import Drain, FleetCommand, Kill, Restart, SetAffinity, Undrain
from sessile.demo.routes.door import check_here
from sessile.demo.routes.forms import back_to, text_field
from sessile.demo.shop import shop_of
from sessile.service.server_row import drain_server
from sessile.service.sessions import context_of
from sessile.web.starlette import get_session
from sessile.wire import system


async def kill(request: Request) -> Response:
    """Have a server's process killed."""
    name = request.path_params["name"]
    return await _send(request, Kill(name), f"Server {name} was killed, with SIGKILL.")


async def restart(request: Request) -> Response:
    """Have a killed server started anew."""
    name = request.path_params["name"]
    return await _send(request, Restart(name), f"Server {name} is starting.")


async def drain(request: Request) -> Response:
    """Have a server send its clients to the others."""
    name = request.path_params["name"]
    done = f"Server {name} is draining: nobody new comes, and each client leaves with a page."
    return await _send(request, Drain(name), done, is_drained=True)


async def undrain(request: Request) -> Response:
    """Have a server take clients again."""
    name = request.path_params["name"]
    return await _send(request, Undrain(name), f"Server {name} takes clients.", is_drained=False)


async def route(request: Request) -> Response:
    """Choose what ties a client to a server."""
    async with request.form() as form:
        chosen = text_field(form, "affinity")
    try:
        affinity = Affinity(chosen)
    except ValueError:
        raise HTTPException(400, "There is no such way to route.") from None
    return await _send(request, SetAffinity(affinity), "")


async def _send(
    request: Request, command: FleetCommand, done: str, *, is_drained: bool | None = None
) -> Response:
    """Have the parent carry out a command; tell the server's own workers whether they drain."""
    check_here(request)
    shop = shop_of(request)
    view = await shop.parent(command)
    if is_drained is not None and not view.error:
        name, context = request.path_params["name"], context_of(shop.sessions)
        await arun(drain_server(context, name, system.clock(), is_drained=is_drained))
    error, is_away = view.error, not view.can_store(shop.name)
    if (error or done) and not shop.switch.remaining() and not is_away:  # else it is not stored
        get_session(request).flash(error or done, "bad" if error else "good")
    return back_to("servers")
