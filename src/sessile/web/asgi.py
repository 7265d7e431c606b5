"""``SessionMiddleware`` for any ASGI application: each request is opened, used, and committed.

``web.exchange`` has one request and ``web.websocket`` serves WebSockets. A lifespan passes
through: whoever made ``Sessions`` closes it, with ``await sessions.close()`` at shutdown, and the
next startup opens it again.
"""

from collections.abc import Awaitable, Iterable
from enum import Enum
from typing import Any, Literal

from sessile.codecs.agent import get_ready
from sessile.core.options import suggest_options
from sessile.core.origin import SAFE
from sessile.core.prefix import is_below
from sessile.errors import ConfigError
from sessile.service.sessions import Sessions, context_of
from sessile.web.answers import Answers, check_answers
from sessile.web.asgi_session import AsgiSession
from sessile.web.cross_site import refuse_cross_site
from sessile.web.exchange import EXCHANGE, MET, Exchange
from sessile.web.excluded import NoSession, UnloadedSession, no_session, prefixes, stand_in
from sessile.web.foreign import advise, check_outside, check_twice
from sessile.web.late import late_change
from sessile.web.readiness import readiness_page
from sessile.web.request import AsgiRequest, peek_form
from sessile.web.scope import SESSIONS, App, Receive, Scope, Send, path, respond
from sessile.web.websocket import ENDED, check_ended_code, serve
from sessile.wire.event_loop import require_asyncio


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
        ended_code: with what a WebSocket is closed once its session has ended, by whomever, on
            whatever server. A stream of ``text/event-stream`` ends then as well. None leaves either
            open; ``session.watch()`` is for an application that ends them by itself.
        readiness: a path that is answered here, as in ``"/ready"``: 200 while this server takes
            clients, and 404 while it drains, which a balancer's health check looks at. It asks no
            store. None is no such page.
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
        ended_code: int | None = ENDED,
        readiness: str | None = None,
        answers: Answers[App] | None = None,
    ) -> None:
        self._app = app
        self._ended_code = check_ended_code(ended_code)
        self._answers = check_answers(answers)
        self._sessions = sessions
        self._context = context_of(sessions)
        self._worker = self._context.worker
        self._readiness = readiness_page(sessions, readiness)
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
        kind, page = scope["type"], self._readiness
        if kind == "lifespan":
            self._context.begin()
        if kind not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif page is not None and kind == "http" and path(scope) == page.path:
            await respond(send, page.answer(scope["method"]))
        elif self._worker is None:
            await self._handle(scope, receive, send)
        else:
            under_way = self._worker.under_way(is_socket=kind == "websocket")
            await self._count(under_way, scope, receive, send)

    async def _count(self, under_way: set[int], scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what counts as under way, unless another middleware, outside, counts it."""
        number = id(scope)
        if number in under_way:
            await self._handle(scope, receive, send)
            return
        under_way.add(number)
        try:
            await self._handle(scope, receive, send)
        finally:
            under_way.discard(number)

    def _handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request or a WebSocket. This is no coroutine, which each of them would pay."""
        if "session" in scope:
            check_outside(scope)
            if check_twice(scope, self._sessions):
                return self._pass_on(scope, receive, send)
        if self._exclude and is_below(path(scope), self._exclude):
            scope["session"] = self._no_session
            return self._app(scope, receive, send)
        if scope["type"] == "http":
            return self._serve(scope, receive, send)
        return serve(
            self._app, self._sessions, scope, receive, send, passive=self._is_passive(scope),
            unrotated=self._is_unrotated(scope), ended_code=self._ended_code,
        )  # fmt: skip

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
        if self._ended_code is not None:
            exchange.ends, receive = True, exchange.receive
        scope[SESSIONS], scope[EXCHANGE] = self._sessions, exchange
        try:
            if self._lazy:
                scope["session"] = self._unloaded
            else:
                scope["session"] = await exchange.load()
            await self._app(scope, receive, exchange.send)
        except MET as error:
            await exchange.give_up(error)
        except TypeError as error:
            advise(error)
            raise
        finally:
            exchange.close()
            if exchange.stream is not None:
                await exchange.stream.settle()
        if exchange.saved and (late := exchange.saved.values.changes_since_delta()):
            raise late_change(late)


async def load_session(connection: Any) -> AsgiSession:
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


def session_in(scope: Scope) -> AsgiSession:
    """Return the session in an ASGI scope, which has been loaded.

    Raises:
        ConfigError: there is no ``SessionMiddleware``.
        NotLoaded: it was not loaded, or the path is excluded.
    """
    found = scope.get("session")
    if isinstance(found, AsgiSession):
        return found
    if isinstance(found, NoSession):
        found.refuse()
    raise ConfigError(
        "this request has no session of sessile: write app.add_middleware(SessionMiddleware, "
        "sessions=sessions); if it is there, add it after the middleware that uses the session: "
        "the one added last comes first"
    )


def _parse_load(given: Load | str) -> Load:
    try:
        return Load(given)
    except ValueError:
        raise ConfigError(f'load={given!r}: write load="eager" or load="lazy"') from None
