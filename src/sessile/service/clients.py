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
    address, agent = _address(parts, request), request.header("user-agent")
    mark = _mark(agent)
    if mark == known.agent and known.browser:
        browser, system = known.browser, known.system
        return known if address == known.address else Client(address, browser, system, mark)
    seen = recognise(agent)
    return Client(address, seen.browser, seen.system, mark)


def glimpsed(parts: Parts, request: Request) -> Client:
    """Return what can be told of a stranger for little: no hostile text is taken apart."""
    return Client(_address(parts, request), agent=_mark(request.header("user-agent")))


def _address(parts: Parts, request: Request) -> str:
    proxies = parts.proxies
    said = request.header(proxies.name) if proxies.trusted else ""
    return proxies.client(request.peer, said)


def _mark(agent: str) -> int:
    return crc32(agent.encode("latin-1", "replace")) if agent else 0
