"""A WebSocket beside each page that has a session: it tells the page when that ends.

``SessionMiddleware`` closes it then, whoever ended the session and on whatever server.
"""

from typing import Final

from starlette.websockets import WebSocket

from sessile.web.starlette import get_session
from sessile.web.websocket import ENDED

_LOCKED: Final = 1008  # RFC 6455, 7.4.1: against our policy


async def keep_open(socket: WebSocket) -> None:
    """Keep it open for as long as page and session are there; what the page says is not heard."""
    session = get_session(socket)
    await socket.accept()  # a browser tells a page nothing of why it was declined
    if session.lock is not None:
        await socket.close(_LOCKED)
    elif session.new:
        await socket.close(ENDED)
    else:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
