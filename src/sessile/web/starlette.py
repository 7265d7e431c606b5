"""Starlette's requests and WebSockets with the type of their session. ``web.asgi`` does the work.

``request.session`` is the same object; Starlette calls it a dict.
"""

import functools
from collections.abc import Awaitable, Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias, overload

from sessile.core.flow import arun
from sessile.core.require import check_requirement
from sessile.core.session import Session
from sessile.core.value import Seconds
from sessile.errors import ConfigError, LoginNeeded, MissingExtra, StepUpNeeded, TokenNeeded
from sessile.service import require as service
from sessile.service.sessions import Sessions, context_of
from sessile.web.asgi import SessionMiddleware, load_session, session_in
from sessile.web.asgi_session import AsgiSession
from sessile.web.csrf import CSRF_FIELD, CSRF_HEADER, needs_csrf_token
from sessile.web.exchange import EXCHANGE, Exchange
from sessile.web.request import AsgiRequest
from sessile.web.scope import SESSIONS
from sessile.web.websocket import WebSocketSession

try:
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import RedirectResponse
    from starlette.websockets import WebSocket
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.starlette", "starlette") from error

__all__ = [
    "SessionMiddleware",
    "WebSocketSession",
    "check_csrf",
    "csrf_context",
    "csrf_token",
    "get_session",
    "load_session",
    "require",
]

Handler: TypeAlias = Callable[..., Any]

BARE: Final = (
    "Depends(require) asks nobody, without its parentheses: "
    "write Depends(require()), from sessile.web.fastapi"
)
"""What to write instead of a dependency that lets everybody in."""


@overload
def get_session(connection: WebSocket) -> WebSocketSession: ...
@overload
def get_session(connection: HTTPConnection) -> AsgiSession: ...
def get_session(connection: HTTPConnection) -> AsgiSession:
    """Return the session of a request or a WebSocket.

    Raises:
        ConfigError: there is no ``SessionMiddleware``.
        NotLoaded: it is lazy and was not loaded, or the path is excluded.
    """
    return session_in(connection.scope)


def csrf_token(request: HTTPConnection) -> str:
    """Return a CSRF token for a page, to be sent back by its forms as the field ``csrf_token``.

    Raises:
        ConfigError: there is no ``SessionMiddleware``.
        NotLoaded: the session is lazy and was not loaded, or the path is excluded.
        TooLate: the answer's headers have left, and there is no session.
    """
    session = session_in(request.scope)
    return _sessions(request).csrf_token(session)


def csrf_context(request: Request) -> dict[str, Any]:
    """Give templates ``{{ csrf_token() }}``: ``Jinja2Templates(context_processors=[...])``."""
    return {"csrf_token": functools.partial(csrf_token, request)}


async def _check_csrf(request: Request) -> None:
    exchange: Exchange | None = request.scope.get(EXCHANGE)
    try:
        if not needs_csrf_token(request.method):
            return
        session = await load_session(request)
        given = request.headers.get(CSRF_HEADER) or (await request.form()).get(CSRF_FIELD)
        try:
            _sessions(request).check_csrf(session, given if isinstance(given, str) else "")
        except TokenNeeded:
            await request.close()  # nobody else will close the files of a form that is refused
            raise
    finally:
        if exchange is not None:
            exchange.unawaited -= 1


class _CsrfCheck:
    """``check_csrf``: whoever forgets to await it has checked nothing, and gets no answer through.

    An ``async def`` would know nothing of a call that nobody awaits. FastAPI takes this for one: it
    asks an object for its ``__call__``, where Python asks the class.
    """

    def __init__(self) -> None:
        vars(self)["__call__"] = _check_csrf

    def __call__(self, request: Request) -> Coroutine[Any, Any, None]:
        """Make sure that a request that may change something brought a token of its session.

        As in ``await check_csrf(request)``. It is looked for in the header ``X-CSRF-Token``, then
        in the form field ``csrf_token``.

        Raises:
            TokenNeeded: there is none, or another session's; left alone, it becomes a 403.
            ConfigError: there is no ``SessionMiddleware``; or nobody awaited this, in place of the
                answer.
            NotLoaded: the path is excluded.
        """
        exchange: Exchange | None = request.scope.get(EXCHANGE)
        if exchange is not None:
            exchange.unawaited += 1
        elif needs_csrf_token(request.method):
            session_in(request.scope)
        return _check_csrf(request)


check_csrf: Final = _CsrfCheck()


async def authorize(
    connection: HTTPConnection, assurance: int, fresh: Seconds | None, purpose: str | None
) -> Session:
    """Return the session of somebody who may go on; ``require`` in ``web.fastapi`` asks as well.

    Raises:
        LoginNeeded: nobody is logged in.
        StepUpNeeded: somebody is, not well or recently enough, or without a grant.
    """
    session = await load_session(connection)
    context, request = context_of(_sessions(connection)), AsgiRequest(connection.scope)
    await arun(
        service.authorize(
            context, request, session, assurance=assurance, fresh=fresh, purpose=purpose
        )
    )
    return session


def require(
    *,
    assurance: int = 1,
    fresh: Seconds | None = None,
    purpose: str | None = None,
    otherwise: str | None = None,
    _filled: HTTPConnection = None,  # type: ignore[assignment]
) -> Callable[[Handler], Callable[..., Awaitable[Any]]]:
    """Let a handler, plain or async, or a WebSocket's, run for those alone who are logged in.

    Args:
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.
        purpose: spend a grant of ``session.step_up`` for it.
        otherwise: where to send the browser of anybody else, as in ``"/login"``; None raises
            ``LoginNeeded`` or ``StepUpNeeded``, which become a 401 and a 403 unless the application
            has a handler for them. A WebSocket is declined in either case.

    Raises:
        ConfigError: an option is no such value; or it is taken for a dependency of FastAPI's.
    """
    if _filled is not None:  # FastAPI fills what is of this very type
        raise ConfigError(BARE)
    check_requirement(assurance, fresh, purpose)

    def decorate(handler: Handler) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(handler)
        async def guard(*args: Any, **kwargs: Any) -> Any:
            connection = _connection(args, kwargs)
            try:
                await authorize(connection, assurance, fresh, purpose)
            except (LoginNeeded, StepUpNeeded):
                if otherwise is None or connection.scope["type"] != "http":
                    raise
                return RedirectResponse(otherwise, 303)
            if iscoroutinefunction(handler):
                return await handler(*args, **kwargs)
            return await run_in_threadpool(handler, *args, **kwargs)

        return guard

    return decorate


def _sessions(connection: HTTPConnection) -> Sessions:
    found: Sessions = connection.scope[SESSIONS]
    return found


def _connection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> HTTPConnection:
    for one in (*args, *kwargs.values()):
        if isinstance(one, HTTPConnection):
            return one
    raise ConfigError("require(...) needs the handler to take the request, or the WebSocket")
