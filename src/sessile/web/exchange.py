"""One request of an ASGI application: its session, and the way of its answer.

``web.asgi`` makes one for each; ``web.headers`` decides the headers.
"""

from collections.abc import Awaitable, Mapping
from typing import Final, NoReturn

from sessile.core.carrier import SessionHeaders
from sessile.core.flow import Flow, arun
from sessile.core.life import open_life
from sessile.core.state import SessionState
from sessile.errors import ConfigError, LostRace, SessileError, StoreUnavailable, TooLate
from sessile.service.commit import begin_commit
from sessile.service.context import Context
from sessile.service.open import open_transaction
from sessile.service.transaction import Transaction
from sessile.web.answers import ERROR, find_asgi_answer
from sessile.web.asgi_session import AsgiSession
from sessile.web.excluded import UNKNOWN, UnloadedSession
from sessile.web.foreign import check_inside
from sessile.web.headers import BYTES, with_session_headers
from sessile.web.interruptible import Interruptible
from sessile.web.late import FAILED, TOO_LATE, UNSEEN
from sessile.web.open_connection import OpenConnection, Parting, SessionGone
from sessile.web.refusal import REFUSED, refusal
from sessile.web.request import AsgiRequest
from sessile.web.scope import App, Message, Receive, Scope, Send, encode, respond

EXCHANGE: Final = "sessile.exchange"
"""Where a scope holds the request's ``Exchange``."""

_UNAWAITED: Final = (
    "check_csrf was called and not awaited, so nothing was checked, and this answer was withheld: "
    "write await check_csrf(request)"
)

MET: Final = (*REFUSED, SessionGone)
"""Errors that are dealt with here."""

_CONTENT_TYPE: Final = b"content-type"
_EVENTS: Final = b"text/event-stream"
_TELLS: Final = (2, 4)
"""The version of ASGI from which on ``send`` says by an ``OSError`` that the client has left."""


class Exchange:
    """One request's session and the way its answer takes.

    Args:
        context: the collaborators.
        request: what the request says.
        call: what the server called the middleware with.
        varies: the request headers that the answer depends on.
        answers: the application's own, to errors that no handler meets.
        passive: whether the request is no sign of life.
        unrotated: whether it turns no ticket.

    Attributes:
        ends: whether a stream of events ends with the session.
        stream: the answer, where it is such a stream.
        saved: the session's state, once it was committed.
        unawaited: how many checks were called and have not come to their end.
    """

    __slots__ = (
        "_answers", "_app", "_context", "_has_left", "_headers", "_incoming", "_is_replaced",
        "_outage", "_passive", "_receive", "_request", "_scope", "_send", "_session",
        "_transaction", "_unrotated", "_varies", "ends", "saved", "stream", "unawaited",
    )  # fmt: skip

    def __init__(
        self,
        context: Context,
        request: AsgiRequest,
        call: tuple[Scope, Receive, Send],
        varies: list[bytes],
        answers: Mapping[type, App],
        *,
        passive: bool = False,
        unrotated: bool = False,
    ) -> None:
        self._answers = answers
        self._app = call[0].get("app")  # one that is mounted in it puts itself there
        self._context = context
        self._passive = passive
        self._unrotated = unrotated
        self._request = request
        self._scope, self._receive, self._send = call
        self._varies = varies
        self._has_left = False  # the headers of the answer, or they are about to
        self._is_replaced = False  # the application's answer, by ours
        self._headers: SessionHeaders = ()  # the ticket's among them
        self._incoming: Interruptible[Message] | None = None
        self._session: AsgiSession | None = None
        self._transaction: Transaction | None = None
        self._outage: Exception | None = None
        self.ends = False
        self.stream: OpenConnection | None = None
        self.saved: SessionState | None = None
        self.unawaited = 0

    async def load(self) -> AsgiSession:
        """Return the request's session, read from the store once."""
        if self._session is None:
            flow = open_transaction(
                self._context, self._request, passive=self._passive, unrotated=self._unrotated
            )
            try:
                transaction = await arun(flow)
            except (StoreUnavailable, LostRace) as error:
                self._outage = error
                raise
            if self._has_left:
                raise TooLate(UNSEEN)
            if self._session is None:  # of two that asked at once, the first one's counts
                self._transaction = transaction
                self._session = AsgiSession(transaction.state, self._context)
        return self._session

    def receive(self) -> Awaitable[Message]:
        """Wait for the client; once a stream was ended, say that it has left."""
        return self._interruptible().call()

    def _interruptible(self) -> Interruptible[Message]:
        if self._incoming is None:
            self._incoming = Interruptible(self._receive)
        return self._incoming

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on; before the headers leave, commit what was loaded."""
        if self._is_replaced:
            return _swallow()
        if self._has_left or message["type"] != "http.response.start":
            return self._send(message)
        held = self._scope.get("session")
        if held is not self._session and type(held) is not UnloadedSession:
            check_inside(held)
        self._has_left = True
        transaction, self._transaction = self._transaction, None
        if self.unawaited and message["status"] != 500:
            self._refuse_unawaited(transaction)
        if transaction is not None:
            if message["status"] == 500:  # what a framework makes of a handler that raised
                transaction.state.close(FAILED)
                return self._send(self._with_headers(message))
            return self._start(transaction, message)
        if self._outage is not None and message["status"] == 500:  # and of our error
            return self._replace(self._outage)
        return self._send(message)

    def _refuse_unawaited(self, transaction: Transaction | None) -> NoReturn:
        """Save nothing and let nothing leave; what is made of the error may."""
        self.unawaited = 0
        self._has_left = False
        if transaction is not None:
            transaction.state.close(FAILED)
        raise ConfigError(_UNAWAITED)

    def _start(self, transaction: Transaction, message: Message) -> Awaitable[None]:
        state, headers = transaction.state, message.get("headers", ())
        if type(headers) is not list:  # it may be gone once it was looked at
            headers = list(headers)
            message = {**message, "headers": headers}
        state.close(TOO_LATE)
        try:
            flow = begin_commit(transaction)
        except SessileError as error:
            return self._replace(error)
        if flow is not None:
            answer: Awaitable[None] = self._save(flow, state, message)
        else:
            self.saved = state
            answer = self._send(self._with_headers(message) if state.accessed else message)
        if self.ends:
            for name, value in headers:
                if value[: len(_EVENTS)].lower() == _EVENTS and name.lower() == _CONTENT_TYPE:
                    return self._begin_stream(answer, state)
        return answer

    async def _begin_stream(self, answer: Awaitable[None], state: SessionState) -> None:
        """Send the start of a stream of events, which ends with its session."""
        await answer
        life = open_life(self._context.policy, state)
        if life is None or self.saved is not state:  # it is nobody's, or another answer has left
            return
        version = self._scope.get("asgi", {}).get("spec_version", "2.0")
        last = {"type": "http.response.body", "body": b"", "more_body": False}
        way = Parting(last, {"type": "http.disconnect"})  # a browser asks for it again by itself
        self.stream = stream = OpenConnection(
            self._interruptible(),
            self._send,
            end=way,
            leave=way,
            is_last=lambda message: not message.get("more_body", False),
            raises=tuple(map(int, version.split("."))) >= _TELLS,
        )
        self._send = stream.send
        stream.watch(self._context, life)

    async def _save(
        self, flow: Flow[SessionHeaders], state: SessionState, message: Message
    ) -> None:
        try:
            self._headers = await arun(flow)
        except SessileError as error:
            await self._replace(error)
            return
        self.saved = state
        if not (self._headers or state.accessed):
            await self._send(message)
        else:
            # the ticket stands in no local while the server sends it: tracebacks show locals
            await self._send(self._with_headers(message))

    def _with_headers(self, message: Message) -> Message:
        """Return the start of an answer with the headers of the session."""
        tickets = [*map(encode, self._headers)]
        headers = with_session_headers(message.get("headers", ()), tickets, self._varies, BYTES)
        return {**message, "headers": headers}

    async def give_up(self, error: Exception) -> None:
        """Answer in place of an application that met one of ``MET``, if nothing has left."""
        if isinstance(error, SessionGone):
            return  # the application had nothing else to do than to send
        if not self._has_left:
            await self._replace(error)
        elif error is not self._outage:
            raise error

    async def _replace(self, error: Exception) -> None:
        """Answer as the application says, else as we do; what is not ours to answer is raised."""
        scope = self._scope
        page = None
        if ERROR not in scope:  # a page that meets an error is not asked again
            page = find_asgi_answer(self._answers, (scope.get("app"), self._app), error)
        self._has_left = True
        if page is None and not isinstance(error, REFUSED):
            raise error
        self._is_replaced = True
        if page is None:
            await respond(self._send, refusal(error))
        else:
            await self._show(page, error)

    async def _show(self, page: App, error: Exception) -> None:
        """Let a page of the application answer, with a session of its own that is saved as any."""
        scope = self._scope
        again = Exchange(
            self._context, self._request, (scope, self._receive, self._send), self._varies, {},
            passive=self._passive, unrotated=self._unrotated,
        )  # fmt: skip
        scope[ERROR], scope["session"], scope[EXCHANGE] = error, UNKNOWN, again
        try:
            if not isinstance(error, StoreUnavailable | LostRace):
                scope["session"] = await again.load()
            await page(scope, self._receive, again.send)
        except REFUSED as second:
            await again.give_up(second)
        finally:
            again.close()

    def close(self) -> None:
        """Refuse the changes of whoever still holds a session that was not saved."""
        self._scope = {}  # which may hold this
        if self.stream is not None:
            self.stream.release()
        if self._transaction is not None:
            self._transaction.state.close(FAILED)


async def _swallow() -> None:
    """Drop what the application still says after its answer was replaced."""
