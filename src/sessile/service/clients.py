"""The client of a request: its address past trusted proxies, its browser by its User-Agent."""

from zlib import crc32

from sessile.codecs.agent import recognise
from sessile.core.client import Client
from sessile.core.request import Request
from sessile.service.context import Context


def client_of(context: Context, request: Request, known: Client) -> Client:
    """Return the client of a request that proved genuine, or that makes a session.

    Args:
        context: the collaborators.
        request: the request.
        known: the client its session is bound to. If the User-Agent is the same as then, it is not
            read again.
    """
    agent, address = request.agent, request.peer
    if address != known.address or context.proxies.trusted:  # what is known is canonical
        address = _address(context, request)
    mark = crc32(agent.encode("latin-1", "replace"))
    if mark == known.agent and known.browser:
        if address == known.address:
            return known
        return Client(address, known.browser, known.system, mark)
    seen = recognise(agent)
    return Client(address, seen.browser, seen.system, mark)


def peek_client(context: Context, request: Request) -> Client:
    """Return the client of a request that proved nothing: no hostile text is taken apart for it."""
    agent = request.agent.encode("latin-1", "replace")
    return Client(_address(context, request), agent=crc32(agent))


def _address(context: Context, request: Request) -> str:
    proxies = context.proxies
    forwarded = request.header(proxies.name) if proxies.trusted else ""
    return proxies.client(request.peer, forwarded)
