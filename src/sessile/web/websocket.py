"""WebSockets: a session is loaded at the handshake and saved when the application says so.

``web.asgi`` hands them over. The answer to the handshake is like any other: what was done before
``accept`` is stored first, and its headers may carry a cookie. No headers come after it, so from
then on the application calls ``await session.save()``.
"""

import asyncio
from contextlib import suppress
from typing import Final

from sessile.core.carrier import SessionHeaders
from sessile.core.flow import arun
from sessile.core.identity import Intent
from sessile.core.session import Session
from sessile.core.state import SessionState
from sessile.errors import TooLate, UnsupportedValue
from sessile.service.commit import accept, is_alive, save_midway
from sessile.service.open import open_transaction
from sessile.service.save import discard_changes
from sessile.service.sessions import Sessions, context_of
from sessile.service.transaction import Transaction
from sessile.web.cross_site import refuse_cross_site_handshake
from sessile.web.refusal import REFUSED, Refusal, refusal
from sessile.web.request import AsgiRequest
from sessile.web.scope import SESSIONS, App, Message, Receive, Scope, Send, encode, respond

_TRY_AGAIN_LATER: Final = 1013  # IANA's registry of WebSocket close codes, for RFC 6455
_AGAINST_POLICY: Final = 1008
_UNSAVED: Final = (
    "the WebSocket has ended, and what was changed since it was accepted or last saved is lost; "
    "write await session.save() after each change that is to stay"
)


class WebSocketSession(Session):
    """The session of a WebSocket: after ``accept`` its changes are stored by ``save``."""

    __slots__ = ("_saving", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction.state)
        self._transaction = transaction
        self._saving = asyncio.Lock()

    @property
    def _state(self) -> SessionState:
        """The state, judged by the present time: a socket outlives a grant or a fresh login."""
        state = self._held
        state.accessed = True
        state.now = self._transaction.context.clock()
        return state

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
            return await arun(save_midway(self._transaction))

    async def alive(self) -> bool:
        """Ask the store whether the session still lives. It asks each time, and changes nothing.

        An open WebSocket outlives its session, unless the application asks now and then, and closes
        it once this is False.

        Raises:
            StoreUnavailable: the store did not answer, so nobody can tell.
        """
        return await arun(is_alive(self._transaction))


async def serve(
    app: App,
    sessions: Sessions,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    passive: bool = False,
    unrotated: bool = False,
) -> None:
    """Serve one WebSocket. One that another site opened is declined before the application runs.

    Raises:
        TooLate: the application returned and left changes unsaved. If it failed or was cancelled
            instead, its own error goes on. The event ``Dropped`` tells of them in either case.
    """
    request = AsgiRequest(scope)
    refused = refuse_cross_site_handshake(sessions, request)
    if refused is None:
        try:
            flow = open_transaction(
                context_of(sessions), request, passive=passive, unrotated=unrotated
            )
            transaction = await arun(flow)
        except REFUSED as error:
            refused = refusal(error)
    if refused is not None:
        await receive()  # the client's request to connect comes first
        await _decline(scope, send, refused)
        return
    scope[SESSIONS] = sessions
    scope["session"] = WebSocketSession(transaction)
    handshake = Handshake(transaction, send)
    try:
        await app(scope, receive, handshake.send)
    except REFUSED as error:
        _close(transaction)
        if handshake.answered:
            raise
        await _decline(scope, send, refusal(error))
        return
    except BaseException:
        with suppress(UnsupportedValue):  # the application's own error goes first
            _close(transaction)
        raise
    if _close(transaction):
        raise TooLate(_UNSAVED)


class Handshake:
    """The answer to a WebSocket's request: commits the transaction before the headers leave.

    Attributes:
        answered: whether the application has accepted or declined.
    """

    __slots__ = ("_headers", "_send", "_transaction", "answered")

    def __init__(self, transaction: Transaction, send: Send) -> None:
        self._transaction = transaction
        self._send = send
        self._headers: SessionHeaders = ()
        self.answered = False

    async def send(self, message: Message) -> None:
        """Pass a message on; before an ``accept``, commit, and let its headers carry the cookie."""
        if not self.answered and message["type"] == "websocket.accept":
            self._headers = await arun(accept(self._transaction))
        self.answered = True
        # the ticket stands in no local while the server sends it: tracebacks show locals
        await self._send(self._with_headers(message) if self._headers else message)

    def _with_headers(self, message: Message) -> Message:
        """Return an ``accept`` with the headers that hold the ticket, which is let go of."""
        headers, self._headers = self._headers, ()
        ours = map(encode, headers)
        return {**message, "headers": [*message.get("headers", ()), *ours]}


async def _decline(scope: Scope, send: Send, refused: Refusal) -> None:
    """Answer so where the server can; else close, which every server turns into a 403."""
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await respond(send, refused, "websocket.http.response")
    elif refused.status == 503:
        await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER, "reason": "try again"})
    else:
        await send({"type": "websocket.close", "code": _AGAINST_POLICY, "reason": refused.reason})


def _close(transaction: Transaction) -> bool:
    """Refuse further changes; tell whether anything is left unsaved, and tell the hooks."""
    state = transaction.state
    state.close(_UNSAVED)
    undone = state.intent is not Intent.KEEP
    return discard_changes(transaction, transaction.context.clock()) or undone
