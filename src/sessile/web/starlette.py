"""Starlette's requests and WebSockets with the type of their session. ``web.asgi`` does the work.

``request.session`` is the same object; Starlette calls it a dict.
"""

from typing import overload

from sessile.core.session import Session
from sessile.errors import MissingExtra
from sessile.web.asgi import SessionMiddleware, load_session, session_in
from sessile.web.websocket import WebSocketSession

try:
    from starlette.requests import HTTPConnection
    from starlette.websockets import WebSocket
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.starlette", "starlette") from error

__all__ = ["SessionMiddleware", "WebSocketSession", "get_session", "load_session"]


@overload
def get_session(connection: WebSocket) -> WebSocketSession: ...
@overload
def get_session(connection: HTTPConnection) -> Session: ...
def get_session(connection: HTTPConnection) -> Session:
    """Return the session of a request or a WebSocket.

    Raises:
        ConfigError: there is no ``SessionMiddleware``.
        NotLoaded: it is lazy and was not loaded, or the path is excluded.
    """
    return session_in(connection.scope)
