"""WebSockets: a session is loaded at the handshake and saved when the application says so.

``web.asgi`` hands them over. The answer to the handshake is like any other: what was done before
``accept`` is stored first, and its headers may carry a cookie. No headers come after it, so from
then on the application calls ``await session.save()``.
"""

import asyncio
from contextlib import suppress
from typing import Final

from sessile.core.flow import arun
from sessile.core.intent import Intent
from sessile.core.session import Session
from sessile.errors import TooLate, UnsupportedValue
from sessile.service.commit import accept_visit, save_visit
from sessile.service.opening import open_visit
from sessile.service.parts import Parts
from sessile.service.save import drop
from sessile.service.visit import Visit
from sessile.web.exchange import REFUSED, refusal
from sessile.web.requests import AsgiRequest
from sessile.web.scope import App, Message, Receive, Scope, Send, answer

_TRY_AGAIN_LATER: Final = 1013  # IANA's registry of WebSocket close codes, for RFC 6455
_UNSAVED: Final = (
    "the WebSocket has ended, and what was changed since it was accepted or last saved is lost; "
    "write await session.save() after each change that is to stay"
)


class WebSocketSession(Session):
    """The session of a WebSocket: after ``accept`` its changes are stored by ``save``."""

    __slots__ = ("_parts", "_saving", "_visit")

    def __init__(self, parts: Parts, visit: Visit) -> None:
        super().__init__(
            visit.record,
            visit.values,
            codec=parts.codec,
            mint=parts.mint,
            now=visit.now,
            lock=visit.lock,
        )
        self._parts = parts
        self._visit = visit
        self._saving = asyncio.Lock()

    async def save(self) -> bool:
        """Store what has been done so far, merged with what other requests did meanwhile.

        Return False when the session has ended: the changes were dropped, and it is nobody's now.

        Raises:
            ConfigError: a login, a rotation or a first value, which would take a cookie.
            LostRace: others changed the session under every one of many attempts.
            StoreUnavailable: the store did not answer. Nothing is forgotten; but where only the
                answer was lost, what is saved again is added again.
        """
        async with self._saving:
            return await arun(save_visit(self._parts, self._visit))


async def talk(app: App, parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket.

    Raises:
        TooLate: the application returned and left changes unsaved. If it failed or was cancelled
            instead, its own error goes on. The event ``Dropped`` tells of them in either case.
    """
    try:
        visit = await arun(open_visit(parts, AsgiRequest(scope)))
    except REFUSED as error:
        await receive()  # the client's request to connect comes first
        await _decline(scope, send, error)
        return
    scope["session"] = visit.session = WebSocketSession(parts, visit)
    handshake = Handshake(parts, visit, send)
    try:
        await app(scope, receive, handshake.send)
    except REFUSED as error:
        _leave(parts, visit)
        if handshake.answered:
            raise
        await _decline(scope, send, error)
        return
    except BaseException:
        with suppress(UnsupportedValue):  # the application's own error goes first
            _leave(parts, visit)
        raise
    if _leave(parts, visit):
        raise TooLate(_UNSAVED)


class Handshake:
    """The answer to a WebSocket's request: commits the visit before the headers leave.

    Attributes:
        answered: whether the application has accepted or declined.
    """

    __slots__ = ("_parts", "_send", "_visit", "answered")

    def __init__(self, parts: Parts, visit: Visit, send: Send) -> None:
        self._parts = parts
        self._visit = visit
        self._send = send
        self.answered = False

    async def send(self, message: Message) -> None:
        """Pass a message on; before an ``accept``, commit, and let its headers carry the cookie."""
        if not self.answered and message["type"] == "websocket.accept":
            cookie = await arun(accept_visit(self._parts, self._visit))
            if cookie is not None:
                given = message.get("headers", ())
                headers = [*given, (cookie[0].encode(), cookie[1].encode("latin-1"))]
                message = {**message, "headers": headers}
        self.answered = True
        await self._send(message)


async def _decline(scope: Scope, send: Send, error: Exception) -> None:
    """Answer 503 where the server can; else close, which every server turns into a 403."""
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await answer(send, refusal(error), "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": "try again"})


def _leave(parts: Parts, visit: Visit) -> bool:
    """Refuse further changes; tell whether anything is left unsaved, and tell the hooks."""
    visit.session.close(_UNSAVED)
    undone = visit.session.intent is not Intent.KEEP
    return drop(parts, visit, parts.clock()) or undone
