"""WebSockets: a session is loaded at the handshake and saved when the application says so.

``web.asgi`` hands them over. The answer to the handshake is like any other: what was done before
``accept`` is stored first, and its headers may carry a cookie. No headers come after it, so from
then on the application calls ``await session.save()``. It ends with its session, unless the
application has asked to be left alone.
"""

import asyncio
from contextlib import suppress
from typing import Final

from sessile.core.carrier import SessionHeaders
from sessile.core.flow import arun
from sessile.core.identity import Intent
from sessile.core.life import open_life
from sessile.core.state import SessionState
from sessile.errors import ConfigError, TooLate, UnsupportedValue
from sessile.service.commit import accept, save_midway
from sessile.service.open import open_transaction
from sessile.service.save import discard_changes
from sessile.service.sessions import Sessions, context_of
from sessile.service.transaction import Transaction
from sessile.web.asgi_session import AsgiSession
from sessile.web.cross_site import refuse_cross_site_handshake
from sessile.web.interruptible import Interruptible
from sessile.web.open_connection import OpenConnection, Parting, SessionGone
from sessile.web.refusal import REFUSED, Refusal, refusal
from sessile.web.request import AsgiRequest
from sessile.web.scope import SESSIONS, App, Message, Receive, Scope, Send, encode, respond

ENDED: Final = 4401
"""The close code of a WebSocket whose session has ended. RFC 6455 leaves 4000 to 4999 to us."""

_ENDED_REASON: Final = "session ended"
_DRAIN_REASON: Final = "server drains"
_SERVICE_RESTART: Final = 1012  # as the next one: the client may come back, to another server
_TRY_AGAIN_LATER: Final = 1013  # IANA's registry of WebSocket close codes, for RFC 6455
_AGAINST_POLICY: Final = 1008
_CODES: Final = frozenset((1000, 1001, _AGAINST_POLICY))
_UNSAVED: Final = (
    "the WebSocket has ended, and what was changed since it was accepted or last saved is lost; "
    "write await session.save() after each change that is to stay"
)


class WebSocketSession(AsgiSession):
    """The session of a WebSocket: after ``accept`` its changes are stored by ``save``."""

    __slots__ = ("_saving", "_transaction")

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction.state, transaction.context)
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


async def serve(
    app: App,
    sessions: Sessions,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    passive: bool = False,
    unrotated: bool = False,
    ended_code: int | None = None,
) -> None:
    """Serve one WebSocket. One that another site opened is declined before the application runs.

    Raises:
        TooLate: the application returned and left changes unsaved, though the session lives. If it
            failed or was cancelled instead, its own error goes on. The event ``Dropped`` tells of
            them in any case.
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
    await _talk(app, scope, Handshake(transaction, receive, send, ended_code))


async def _talk(app: App, scope: Scope, handshake: "Handshake") -> None:
    """Let the application run, to its end or that of the session."""
    transaction = handshake.transaction
    try:
        await app(scope, handshake.receive, handshake.send)
    except SessionGone:  # the application had nothing else to do than to send
        pass
    except REFUSED as error:
        _close(transaction)
        if handshake.answered:
            raise
        await _decline(scope, handshake.send, refusal(error))
        return
    except BaseException:
        with suppress(UnsupportedValue):  # the application's own error goes first
            _close(transaction)
        raise
    finally:
        socket = handshake.socket
        if socket is not None:
            # the client hears our last word, whatever the application makes of it
            socket.release()
            await socket.settle()
    if _close(transaction) and not (socket is not None and socket.has_ended):
        raise TooLate(_UNSAVED)


def check_ended_code(given: object) -> int | None:
    """Return a code to close WebSockets with, as it was given; None for none.

    Raises:
        ConfigError: no endpoint may close with it.
    """
    if given is None or (type(given) is int and (given in _CODES or 3000 <= given < 5000)):
        return given
    raise ConfigError(
        f"ended_code={given!r}: write a number that an application may close a WebSocket with, as "
        "4401, or 1008; or None, and no WebSocket and no stream ends with its session"
    )


class Handshake:
    """The answer to a WebSocket's request: commits the transaction before the headers leave.

    Args:
        transaction: of the request.
        receive: the server's.
        send: the server's.
        ended_code: to close it with, once its session has ended; None leaves it open.

    Attributes:
        transaction: of the request.
        receive: for the application.
        socket: once it was accepted, if it has a session that can end it.
        answered: whether the application has accepted or declined.
    """

    __slots__ = (
        "_ended_code", "_headers", "_incoming", "_send", "answered", "receive", "socket",
        "transaction",
    )  # fmt: skip

    def __init__(
        self, transaction: Transaction, receive: Receive, send: Send, ended_code: int | None
    ) -> None:
        self.transaction = transaction
        self._send = send
        self._ended_code = ended_code
        self._incoming = Interruptible(receive)
        self.receive = receive if ended_code is None else self._incoming.call
        self.socket: OpenConnection | None = None
        self._headers: SessionHeaders = ()
        self.answered = False

    async def send(self, message: Message) -> None:
        """Pass a message on; before an ``accept``, commit, and let its headers carry the cookie."""
        is_accepted = not self.answered and message["type"] == "websocket.accept"
        if is_accepted:
            self._headers = await arun(accept(self.transaction))
        self.answered = True
        # the ticket stands in no local while the server sends it: tracebacks show locals
        await self._send(self._with_headers(message) if self._headers else message)
        if is_accepted and self._ended_code is not None:
            self._watch(self._ended_code)

    def _watch(self, code: int) -> None:
        """Let the socket end with its session. That of nobody ends with its client."""
        context = self.transaction.context
        life = open_life(context.policy, self.transaction.state)
        if life is None:
            return
        self.socket = OpenConnection(
            self._incoming,
            self._send,
            end=_parting(code, _ENDED_REASON),
            leave=_parting(_SERVICE_RESTART, _DRAIN_REASON),
            is_last=lambda message: message["type"] == "websocket.close",
            raises=True,
        )
        self._send = self.socket.send
        self.socket.watch(context, life)

    def _with_headers(self, message: Message) -> Message:
        """Return an ``accept`` with the headers that hold the ticket, which is let go of."""
        headers, self._headers = self._headers, ()
        ours = map(encode, headers)
        return {**message, "headers": [*message.get("headers", ()), *ours]}


def _parting(code: int, reason: str) -> Parting:
    said = {"code": code, "reason": reason}
    return Parting({"type": "websocket.close", **said}, {"type": "websocket.disconnect", **said})


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
