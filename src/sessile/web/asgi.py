"""``SessionMiddleware`` for any ASGI application: each request is opened, used, and committed.

``web.exchange`` decides the headers and ``web.websocket`` serves WebSockets. A lifespan passes
through: whoever made ``Sessions`` closes it, with ``await sessions.close()`` at shutdown.
"""

from collections.abc import Awaitable, Iterable
from enum import Enum
from typing import Any, Final, Literal

from sessile.codecs.agent import get_ready
from sessile.core.flow import Driven
from sessile.core.origin import SAFE
from sessile.core.session import Session
from sessile.errors import ConfigError, LostRace, StoreUnavailable, TooLate
from sessile.service.commit import commit_visit
from sessile.service.opening import open_visit
from sessile.service.parts import Parts
from sessile.service.sessions import Sessions
from sessile.service.visit import Visit
from sessile.web.exchange import (
    BYTES,
    FAILED,
    REFUSED,
    TOO_LATE,
    UNSEEN,
    check_saved,
    marked,
    prefixes,
    refusal,
)
from sessile.web.form import read_ahead
from sessile.web.gate import shut
from sessile.web.requests import AsgiRequest
from sessile.web.scope import PARTS, App, Message, Receive, Scope, Send, answer, path, spell
from sessile.web.unloaded import Unloaded, excluded
from sessile.web.websocket import talk

_EXCHANGE: Final = "sessile.exchange"
_PENDING: Final = Unloaded(
    'this session is not loaded yet, because of load="lazy": write '
    "session = await load_session(request) first (from sessile.web.asgi), or take the dependency "
    "SessionDep (from sessile.web.fastapi)"
)


class Load(Enum):
    """When the session of a request is read from the store."""

    EAGER = "eager"  # before the handler, if the request carries the cookie
    LAZY = "lazy"  # when the handler asks: ``await load_session(request)``


class SessionMiddleware:
    """Give every request its session, and store what was done before the answer's headers leave.

    A handler that raises is answered by the server with a 500, and nothing of its session is saved;
    an ``HTTPException`` that the framework turns into an answer is an answer like any other. When
    the store fails the answer is 503: never an anonymous visitor, never a cookie.

    Args:
        app: the application.
        sessions: made once, when the application starts.
        load: when a session is read; WebSockets read it at the handshake in either case.
        exclude: path prefixes without sessions, as in ``("/static/", "/health")``. The cross-site
            check is not made there either.
        passive: path prefixes whose requests use the session and are no sign of life, as the polls
            of a page that nobody looks at: ``("/poll",)``. They do not move the idle clock.

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
    ) -> None:
        self._app = app
        self._parts = sessions.parts
        get_ready()
        self._lazy = _load(load) is Load.LAZY
        self._passive = prefixes("passive", passive) or None
        self._varies = [name.encode() for name in sessions.parts.carriers.varies]
        self._exclude = prefixes("exclude", exclude)
        self._excluded = excluded(self._exclude)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one WebSocket, or the lifespan."""
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif self._exclude and path(scope).startswith(self._exclude):
            scope["session"] = self._excluded
            await self._app(scope, receive, send)
        elif kind == "websocket":
            passive = self._passive is not None and path(scope).startswith(self._passive)
            await talk(self._app, self._parts, scope, receive, send, passive=passive)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts, request = self._parts, AsgiRequest(scope)
        if parts.carriers.in_body:
            receive = await read_ahead(request, receive)
        refused = None if request.method in SAFE else shut(parts, request)
        if refused is not None:
            await answer(send, refused)
            return
        passive = self._passive is not None and path(scope).startswith(self._passive)
        exchange = Exchange(parts, request, send, self._varies, passive=passive)
        scope[PARTS] = parts
        try:
            if self._lazy:
                scope["session"], scope[_EXCHANGE] = _PENDING, exchange
            else:
                scope["session"] = await exchange.load()
            await self._app(scope, receive, exchange.send)
        except REFUSED as error:
            await exchange.give_up(error)
        finally:
            exchange.close()
        exchange.check()


class Phase(Enum):
    """How far the answer to a request is."""

    AWAITED = "awaited"
    LEAVING = "its headers have left, or are about to"
    REPLACED = "the session could not be saved, and we answered instead"


class Exchange:
    """One request's session and the way its answer takes.

    Args:
        parts: the collaborators.
        request: what the request says.
        send: to the server.
        varies: the request headers that the answer depends on.
        passive: whether the request is no sign of life.
    """

    __slots__ = (
        "_outage", "_parts", "_passive", "_phase", "_request", "_saved", "_send", "_varies",
        "_visit",
    )  # fmt: skip

    def __init__(
        self,
        parts: Parts,
        request: AsgiRequest,
        send: Send,
        varies: list[bytes],
        *,
        passive: bool = False,
    ) -> None:
        self._parts = parts
        self._passive = passive
        self._request = request
        self._send = send
        self._varies = varies
        self._phase = Phase.AWAITED
        self._visit: Visit | None = None
        self._outage: Exception | None = None
        self._saved: Session | None = None

    async def load(self) -> Session:
        """Return the request's session, read from the store once."""
        if self._visit is None:
            try:
                visit = await Driven(open_visit(self._parts, self._request, passive=self._passive))
            except (StoreUnavailable, LostRace) as error:
                self._outage = error
                raise
            if self._phase is not Phase.AWAITED:
                raise TooLate(UNSEEN)
            if self._visit is None:  # of two that asked at once, the first one's visit counts
                self._visit = visit
        return self._visit.session

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on; before the headers leave, commit what was loaded."""
        if self._phase is Phase.REPLACED:
            return _swallow()
        if self._phase is Phase.LEAVING or message["type"] != "http.response.start":
            return self._send(message)
        self._phase = Phase.LEAVING
        visit, self._visit = self._visit, None
        if visit is not None:
            return self._start(visit, message)
        if self._outage is not None and message["status"] == 500:  # what a framework made of it
            return self._replace(self._outage)
        return self._send(message)

    async def _start(self, visit: Visit, message: Message) -> None:
        session = visit.session
        session.close(TOO_LATE)
        try:
            ticket = await Driven(commit_visit(self._parts, visit))
        except REFUSED as error:
            await self._replace(error)
            return
        self._saved = session
        if ticket is not None or session.accessed:
            spelled = None if ticket is None else spell(ticket)
            headers = marked(message.get("headers", ()), spelled, self._varies, BYTES)
            message = {**message, "headers": headers}
        await self._send(message)

    async def give_up(self, error: Exception) -> None:
        """Answer in place of an application that met one of ``REFUSED``, if nothing has left."""
        if self._phase is Phase.AWAITED:
            await self._replace(error)
        elif error is not self._outage:
            raise error

    async def _replace(self, error: Exception) -> None:
        self._phase = Phase.REPLACED
        await answer(self._send, refusal(error))

    def close(self) -> None:
        """Refuse the changes of whoever still holds a session that was not saved."""
        if self._visit is not None:
            self._visit.session.close(FAILED)

    def check(self) -> None:
        """Raise ``TooLate`` when a value was changed in place after the session was saved."""
        if self._saved is not None:
            check_saved(self._saved)


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
    if scope.get("session") is _PENDING:
        exchange: Exchange = scope[_EXCHANGE]
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
    if isinstance(found, Unloaded):
        found.refuse()
    raise ConfigError(
        "this request has no session of sessile: "
        "write app.add_middleware(SessionMiddleware, sessions=sessions)"
    )


async def _swallow() -> None:
    """Drop what the application still says after its answer was replaced."""


def _load(given: Load | str) -> Load:
    try:
        return Load(given)
    except ValueError:
        raise ConfigError(f'load={given!r}: write load="eager" or load="lazy"') from None
