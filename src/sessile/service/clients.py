"""The client of a request: its address past trusted proxies, its browser by its User-Agent."""

from zlib import crc32

from sessile.codecs.agent import recognise
from sessile.core.client import Client
from sessile.core.request import Request
from sessile.service.parts import Parts


def came_from(parts: Parts, request: Request, known: Client) -> Client:
    """Return the client of a request that proved genuine, or that makes a session.

    Args:
        parts: the collaborators.
        request: the request.
        known: the client its session is bound to. If the User-Agent is the same as then, it is not
            read again.
    """
    agent, address = request.header("user-agent"), request.peer
    if address != known.address or parts.proxies.trusted:  # what is known is canonical
        address = _address(parts, request)
    mark = crc32(agent.encode("latin-1", "replace"))
    if mark == known.agent and known.browser:
        if address == known.address:
            return known
        return Client(address, known.browser, known.system, mark)
    seen = recognise(agent)
    return Client(address, seen.browser, seen.system, mark)


def glimpsed(parts: Parts, request: Request) -> Client:
    """Return what can be told of a stranger for little: no hostile text is taken apart."""
    agent = request.header("user-agent").encode("latin-1", "replace")
    return Client(_address(parts, request), agent=crc32(agent))


def _address(parts: Parts, request: Request) -> str:
    proxies = parts.proxies
    said = request.header(proxies.name) if proxies.trusted else ""
    return proxies.client(request.peer, said)
