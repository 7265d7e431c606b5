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
from sessile.core.value import Instant
from sessile.errors import TooLate, UnsupportedValue
from sessile.service.commit import accept_visit, save_visit, still_lives
from sessile.service.opening import open_visit
from sessile.service.parts import Parts
from sessile.service.save import drop
from sessile.service.visit import Visit
from sessile.web.exchange import REFUSED, Refusal, refusal
from sessile.web.gate import shut_to_socket
from sessile.web.requests import AsgiRequest
from sessile.web.scope import PARTS, App, Message, Receive, Scope, Send, answer, spell

_TRY_AGAIN_LATER: Final = 1013  # IANA's registry of WebSocket close codes, for RFC 6455
_AGAINST_POLICY: Final = 1008
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

    @property
    def opened_at(self) -> Instant:
        """The present time: a socket stays open for longer than a grant or a login is fresh."""
        return self._parts.clock()

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

    async def alive(self) -> bool:
        """Ask the store whether the session still lives. It asks each time, and changes nothing.

        An open WebSocket outlives its session, unless the application asks now and then, and closes
        it once this is False.

        Raises:
            StoreUnavailable: the store did not answer, so nobody can tell.
        """
        return await arun(still_lives(self._parts, self._visit))


async def talk(
    app: App, parts: Parts, scope: Scope, receive: Receive, send: Send, *, passive: bool = False
) -> None:
    """Serve one WebSocket. One that another site opened is declined before the application runs.

    Raises:
        TooLate: the application returned and left changes unsaved. If it failed or was cancelled
            instead, its own error goes on. The event ``Dropped`` tells of them in either case.
    """
    request = AsgiRequest(scope)
    refused = shut_to_socket(parts, request)
    if refused is None:
        try:
            visit = await arun(open_visit(parts, request, passive=passive))
        except REFUSED as error:
            refused = refusal(error)
    if refused is not None:
        await receive()  # the client's request to connect comes first
        await _decline(scope, send, refused)
        return
    scope[PARTS] = parts
    scope["session"] = visit.session = WebSocketSession(parts, visit)
    handshake = Handshake(parts, visit, send)
    try:
        await app(scope, receive, handshake.send)
    except REFUSED as error:
        _leave(parts, visit)
        if handshake.answered:
            raise
        await _decline(scope, send, refusal(error))
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
                message = {**message, "headers": [*message.get("headers", ()), spell(cookie)]}
        self.answered = True
        await self._send(message)


async def _decline(scope: Scope, send: Send, refused: Refusal) -> None:
    """Answer so where the server can; else close, which every server turns into a 403."""
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await answer(send, refused, "websocket.http.response")
    elif refused.status == 503:
        await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": "try again"})
    else:
        await send({"type": "websocket.close", "code": _AGAINST_POLICY, "reason": refused.reason})


def _leave(parts: Parts, visit: Visit) -> bool:
    """Refuse further changes; tell whether anything is left unsaved, and tell the hooks."""
    visit.session.close(_UNSAVED)
    undone = visit.session.intent is not Intent.KEEP
    return drop(parts, visit, parts.clock()) or undone
