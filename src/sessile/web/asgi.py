"""``SessionMiddleware`` for any ASGI application: each request is opened, used, and committed.

``web.headers`` decides the headers and ``web.websocket`` serves WebSockets. A lifespan passes
through: whoever made ``Sessions`` closes it, with ``await sessions.close()`` at shutdown, and the
next startup opens it again.
"""

from collections.abc import Awaitable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, Literal, NoReturn

from sessile.codecs.agent import get_ready
from sessile.core.carrier import SessionHeaders
from sessile.core.flow import arun
from sessile.core.options import suggest_options
from sessile.core.origin import SAFE
from sessile.core.prefix import is_below
from sessile.core.session import Session
from sessile.core.state import SessionState
from sessile.errors import ConfigError, LostRace, SessileError, StoreUnavailable, TooLate
from sessile.service.commit import commit
from sessile.service.context import Context
from sessile.service.open import open_transaction
from sessile.service.sessions import Sessions, context_of
from sessile.service.transaction import Transaction
from sessile.web.answers import ERROR, Answers, check_answers, find_asgi_answer
from sessile.web.cross_site import refuse_cross_site
from sessile.web.excluded import UNKNOWN, NoSession, UnloadedSession, no_session, prefixes, stand_in
from sessile.web.foreign import advise, check_inside, check_outside, check_twice
from sessile.web.headers import BYTES, with_session_headers
from sessile.web.late import FAILED, TOO_LATE, UNSEEN, late_change
from sessile.web.refusal import REFUSED, refusal
from sessile.web.request import AsgiRequest, peek_form
from sessile.web.scope import SESSIONS, App, Message, Receive, Scope, Send, encode, path, respond
from sessile.web.websocket import serve
from sessile.wire.event_loop import require_asyncio

EXCHANGE: Final = "sessile.exchange"
"""Where a scope holds the request's ``Exchange``."""

_UNAWAITED: Final = (
    "check_csrf was called and not awaited, so nothing was checked, and this answer was withheld: "
    "write await check_csrf(request)"
)


class Load(Enum):
    """When the session of a request is read from the store."""

    EAGER = "eager"  # before the handler, if the request carries the cookie
    LAZY = "lazy"  # when the handler asks: ``await load_session(request)``


@suggest_options
class SessionMiddleware:
    """Give every request its session, and store what was done before the answer's headers leave.

    A handler that raises is answered with a 500, by the server or by a framework inside, and with
    that status nothing of its session is saved. Any other answer, as to an ``HTTPException``, is
    one like any other. When the store fails it is 503: never an anonymous visitor, never a cookie.

    Args:
        app: the application.
        sessions: made once, when the application starts.
        load: when a session is read; WebSockets read it at the handshake in either case.
        exclude: path prefixes without sessions, as in ``("/static/", "/health")``. The cross-site
            check is not made there either.
        passive: path prefixes whose requests use the session and are no sign of life, as the polls
            of a page that nobody looks at: ``("/poll",)``. They do not move the idle clock.
        unrotated: path prefixes whose requests turn no ticket, and are handed none of the session
            that they come with, as those of a video player beside its page: ``("/media/",)``. It
            keeps its copy of the cookie, and an old one from the session's own client opens these.
        answers: applications that answer errors which no handler meets, those of the save above
            all: ``{TooManySessions: page}``. ``scope["sessile.error"]`` is the error, and the
            session is a fresh one, without what was not saved. In Starlette and FastAPI the
            application's exception handlers do the same.

    Raises:
        ConfigError: an option is wrong; the message says what to write instead.
    """

    def __init__(
        self,
        app: App,
        sessions: Sessions,
        *,
        load: Load | Literal["eager", "lazy"] = Load.EAGER,
        exclude: Iterable[str] = (),
        passive: Iterable[str] = (),
        unrotated: Iterable[str] = (),
        answers: Answers[App] | None = None,
    ) -> None:
        self._app = app
        self._answers = check_answers(answers)
        self._sessions = sessions
        self._context = context_of(sessions)
        get_ready()
        self._is_on_asyncio = False
        self._unloaded = stand_in(app)
        self._lazy = _parse_load(load) is Load.LAZY
        self._passive = prefixes("passive", passive) or None
        self._unrotated = prefixes("unrotated", unrotated) or None
        self._varies = [name.encode() for name in self._context.carriers.varies]
        self._exclude = prefixes("exclude", exclude)
        self._no_session = no_session(self._exclude)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one WebSocket, or the lifespan."""
        if not self._is_on_asyncio:  # looked at once
            require_asyncio()
            self._is_on_asyncio = True
            self._unloaded = stand_in(scope.get("app", self._app))
        kind = scope["type"]
        if kind == "lifespan":
            self._context.reopen()
        if kind not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if "session" in scope:
            check_outside(scope)
            if check_twice(scope, self._sessions):
                await self._pass_on(scope, receive, send)
                return
        if self._exclude and is_below(path(scope), self._exclude):
            scope["session"] = self._no_session
            await self._app(scope, receive, send)
        elif kind == "websocket":
            passive, unrotated = self._is_passive(scope), self._is_unrotated(scope)
            await serve(
                self._app, self._sessions, scope, receive, send,
                passive=passive, unrotated=unrotated,
            )  # fmt: skip
        else:
            await self._serve(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve below another ``SessionMiddleware`` with the same sessions, whose work it is."""
        if not self._lazy:
            await load_session(scope)
        await self._app(scope, receive, send)

    def _is_passive(self, scope: Scope) -> bool:
        return self._passive is not None and is_below(path(scope), self._passive)

    def _is_unrotated(self, scope: Scope) -> bool:
        return self._unrotated is not None and is_below(path(scope), self._unrotated)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        context, request = self._context, AsgiRequest(scope)
        if context.carriers.in_body:
            receive = await peek_form(request, receive)
        refused = None
        if request.method not in SAFE:
            refused = refuse_cross_site(self._sessions, request)
        if refused is not None:
            await respond(send, refused)
            return
        exchange = Exchange(
            context, request, (scope, receive, send), self._varies, self._answers,
            passive=self._passive is not None and self._is_passive(scope),
            unrotated=self._unrotated is not None and self._is_unrotated(scope),
        )  # fmt: skip
        scope[SESSIONS], scope[EXCHANGE] = self._sessions, exchange
        try:
            if self._lazy:
                scope["session"] = self._unloaded
            else:
                scope["session"] = await exchange.load()
            await self._app(scope, receive, exchange.send)
        except REFUSED as error:
            await exchange.give_up(error)
        except TypeError as error:
            advise(error)
            raise
        finally:
            exchange.close()
        if exchange.saved and (late := exchange.saved.values.changes_since_delta()):
            raise late_change(late)


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
        saved: the session's state, once it was committed.
        unawaited: how many checks were called and have not come to their end.
    """

    __slots__ = (
        "_answers", "_app", "_context", "_has_left", "_headers", "_is_replaced", "_outage",
        "_passive", "_receive", "_request", "_scope", "_send", "_session", "_transaction",
        "_unrotated", "_varies", "saved", "unawaited",
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
        self._session: Session | None = None
        self._transaction: Transaction | None = None
        self._outage: Exception | None = None
        self.saved: SessionState | None = None
        self.unawaited = 0

    async def load(self) -> Session:
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
                self._session = Session(transaction.state)
        return self._session

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

    async def _start(self, transaction: Transaction, message: Message) -> None:
        state = transaction.state
        state.close(TOO_LATE)
        try:
            self._headers = await arun(commit(transaction))
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
        """Answer in place of an application that met one of ``REFUSED``, if nothing has left."""
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
        if self._transaction is not None:
            self._transaction.state.close(FAILED)


async def load_session(connection: Any) -> Session:
    """Return the session of a request, reading it from the store if that was not done yet.

    Args:
        connection: a Starlette or FastAPI ``Request``, or the ASGI scope itself.

    Raises:
        ConfigError: there is no ``SessionMiddleware``.
        NotLoaded: the path is excluded.
        StoreUnavailable: the store did not answer; left alone, it becomes a 503.
        TooLate: the headers of the answer have left.
    """
    scope: Scope = getattr(connection, "scope", connection)
    if type(scope.get("session")) is UnloadedSession:
        exchange: Exchange = scope[EXCHANGE]
        scope["session"] = await exchange.load()
    return session_in(scope)


def session_in(scope: Scope) -> Session:
    """Return the session in an ASGI scope, which has been loaded.

    Raises:
        ConfigError: there is no ``SessionMiddleware``.
        NotLoaded: it was not loaded, or the path is excluded.
    """
    found = scope.get("session")
    if isinstance(found, Session):
        return found
    if isinstance(found, NoSession):
        found.refuse()
    raise ConfigError(
        "this request has no session of sessile: write app.add_middleware(SessionMiddleware, "
        "sessions=sessions); if it is there, add it after the middleware that uses the session: "
        "the one added last comes first"
    )


async def _swallow() -> None:
    """Drop what the application still says after its answer was replaced."""


def _parse_load(given: Load | str) -> Load:
    try:
        return Load(given)
    except ValueError:
        raise ConfigError(f'load={given!r}: write load="eager" or load="lazy"') from None
