"""WSGI: a lazy session in ``environ["sessile.session"]``, saved before the headers leave.

PEP 3333: the headers leave with the first byte of the body and no sooner, so an application may
still use its session after ``start_response``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import ClassVar, Final, ParamSpec, TypeAlias, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sessile.core.options import suggest_options
from sessile.core.prefix import is_below
from sessile.errors import ConfigError, SessileError
from sessile.service.sessions import Sessions
from sessile.web.excluded import no_session, prefixes
from sessile.web.integration import (
    ERROR,
    REFUSED,
    LazySession,
    Refusal,
    RequestSession,
    advise,
    check_answers,
    check_sessions,
    environ_request,
    find_answer,
    get_ready,
    life_of,
    readiness_page,
    refusal,
    refuse_cross_site,
    requests_under_way,
)
from sessile.wire.log import log_second_middleware

P = ParamSpec("P")
R = TypeVar("R")

Trouble: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)

KEY: Final = "sessile.session"
"""Where the session stands in the environ."""


@suggest_options
class SessionMiddleware:
    """Give every request a session, and save it before the headers of the answer leave.

    Nothing is asked of the store until the application touches the session.

    Args:
        app: the application.
        sessions: where sessions live.
        exclude: path prefixes without sessions, as in ``("/static/",)``. The cross-site check is
            not made there either.
        passive: path prefixes whose requests use the session and are no sign of life, as the polls
            of a page that nobody looks at: ``("/poll",)``. They do not move the idle clock.
        unrotated: path prefixes whose requests turn no ticket, and are handed none of the session
            that they come with, as those of a video player beside its page: ``("/media/",)``. It
            keeps its copy of the cookie, and an old one from the session's own client opens these.
        readiness: a path that is answered here, as in ``"/ready"``: 200 while this server takes
            clients, and 404 while it drains, which a balancer's health check looks at. It asks no
            store. None is no such page.
        answers: applications that answer errors which no handler meets, those of the save above
            all: ``{TooManySessions: page}``. ``environ["sessile.error"]`` is the error, and the
            session is a fresh one, without what was not saved.

    Raises:
        ConfigError: a prefix is no path, or another option is something else.
    """

    session_type: ClassVar[type[LazySession]] = LazySession

    def __init__(
        self,
        app: WSGIApplication,
        sessions: Sessions,
        *,
        exclude: Iterable[str] = (),
        passive: Iterable[str] = (),
        unrotated: Iterable[str] = (),
        readiness: str | None = None,
        answers: Mapping[type[Exception], WSGIApplication] | None = None,
    ) -> None:
        check_sessions(sessions)
        self._answers = check_answers(answers)
        self._app = app
        self._sessions = sessions
        self._readiness = readiness_page(sessions, readiness)
        (self._readiness_path,) = _environ_paths((readiness or "",))
        get_ready()
        named = prefixes("exclude", exclude)
        self._exclude = _environ_paths(named)
        self._passive = _environ_paths(prefixes("passive", passive))
        self._unrotated = _environ_paths(prefixes("unrotated", unrotated))
        self._no_session = no_session(named)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        page = self._readiness
        if page is not None and environ.get("PATH_INFO") == self._readiness_path:
            page.await_look()
            return _respond(start_response, page.answer(environ["REQUEST_METHOD"]))
        under_way, number = requests_under_way(self._sessions), id(environ)
        if under_way is None or number in under_way:  # or another one, outside, counts it
            return self._handle(environ, start_response)
        under_way.add(number)
        try:
            chunks = self._handle(environ, start_response)
        except BaseException:
            under_way.discard(number)
            raise
        if _is_inert(chunks, environ):
            under_way.discard(number)
            return chunks
        return UnderWay(chunks, environ, under_way)

    def _handle(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._is_again(environ.get(KEY)):
            return self._app(environ, start_response)
        if self._exclude and _begins(environ, self._exclude):
            environ[KEY] = self._no_session
            return self._app(environ, start_response)
        request = environ_request(self._sessions, environ)
        refused = refuse_cross_site(self._sessions, request)
        if refused is not None:
            return _respond(start_response, refused)
        life = RequestSession(
            self._sessions, request,
            passive=bool(self._passive) and _begins(environ, self._passive),
            unrotated=bool(self._unrotated) and _begins(environ, self._unrotated),
        )  # fmt: skip
        environ[KEY] = self.session_type(life)
        return self._serve(life, environ, start_response)

    def _is_again(self, found: object) -> bool:
        """Tell whether a request comes through a middleware of the same sessions a second time.

        Raises:
            ConfigError: it does, through one whose session is of another class.
        """
        if not isinstance(found, LazySession) or life_of(found).sessions is not self._sessions:
            return False
        if type(found) is not self.session_type:
            raise ConfigError(
                "a SessionMiddleware stands around an application of Flask, where Sessile(app) "
                "does its work: take the SessionMiddleware out"
            )
        log_second_middleware()
        return True

    def _serve(
        self, life: RequestSession, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        response = Response(life, environ, start_response, self._answers)
        chunks = response.attempt(self._app, environ, response.start)
        body = Body(response, () if chunks is None else chunks)
        over = life.closed or _is_inert(chunks, environ)
        return body.settle() if over else body


def _respond(start_response: StartResponse, refused: Refusal) -> list[bytes]:
    start_response(f"{refused.status} {refused.reason}", list(refused.headers))
    return [refused.body]


def _environ_paths(named: tuple[str, ...]) -> tuple[str, ...]:
    """Return paths as an environ tells them: bytes, told as Latin-1 (PEP 3333)."""
    return tuple(prefix.encode().decode("latin-1") for prefix in named)


def _begins(environ: WSGIEnvironment, prefixes: tuple[str, ...]) -> bool:
    return is_below(str(environ.get("PATH_INFO", "")), prefixes)


def _is_inert(chunks: object, environ: WSGIEnvironment) -> bool:
    """Tell whether none of the application's code runs while the server sends this body."""
    if type(chunks) is list or type(chunks) is tuple:
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(chunks, wrapper)


class Response:
    """The answer to one request.

    Args:
        life: the life of the request's session, which is saved when the headers leave.
        environ: the request.
        start_response: the server's.
        answers: the application's own, to errors that no handler meets.

    Attributes:
        left: whether the headers have left.
        instead: what to send in place of the application's body, when its answer was refused.
    """

    __slots__ = (
        "_answers", "_environ", "_headers", "_life", "_send", "_start_response", "_status",
        "instead", "left",
    )  # fmt: skip

    def __init__(
        self,
        life: RequestSession,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        answers: Mapping[type, WSGIApplication],
    ) -> None:
        self._answers = answers
        self._life = life
        self._environ = environ
        self._start_response = start_response
        self._status: str | None = None
        self._headers: list[tuple[str, str]] = []
        self._send: Callable[[bytes], object]
        self.left = False
        self.instead: bytes | None = None

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Trouble | None = None, /
    ) -> Callable[[bytes], object]:
        """Take status and headers; with ``exc_info`` the handler has failed. PEP 3333 names it."""
        if exc_info is not None and exc_info[1] is not None:
            self._replace(exc_info[1])
        elif self._status is not None:
            raise AssertionError("start_response was called twice; a second call takes exc_info")
        self._status, self._headers = status, headers
        return self.write

    def _replace(self, error: BaseException) -> None:
        if self.left:
            raise error
        self._life.restart()

    def attempt(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Let the application work; None when it raised what is answered in its place."""
        try:
            return work(*args, **kwargs)
        except REFUSED as error:
            self.refuse(error)
            return None
        except BaseException as error:
            advise(error)
            self.end()
            raise

    def leave(self) -> None:
        """Save the session and let the headers go. No later call does anything."""
        if self.left or self._status is None:
            return
        life = self._life
        if self._status.startswith("500"):  # what a framework makes of a handler that raised
            if life.outage is not None:
                self.refuse(life.outage)  # and of our error
                return
            life.restart()
        try:
            life.commit()
        except SessileError as error:
            self.refuse(error)
            return
        self._let_go()

    def _let_go(self) -> None:
        assert self._status is not None
        self.left = True
        # the ticket stands in no local while the server has it: tracebacks show locals
        self._send = self._start_response(self._status, self._life.add_headers(self._headers))

    def refuse(self, error: Exception) -> None:
        """Answer in place of the application, as it says or as we do; raise when it is too late.

        What is not ours to answer is raised as well.
        """
        if self.left:
            raise error
        page = None
        if ERROR not in self._environ:  # a page that meets an error is not asked again
            page = find_answer(self._answers, error)
        if page is not None:
            self._show(page, error)
            return
        if not isinstance(error, REFUSED):
            raise error
        refused = refusal(error)
        self._life.close()
        self.left = True
        self._put(refused.body)
        status = f"{refused.status} {refused.reason}"
        self._send = self._start_response(status, list(refused.headers))

    def _show(self, page: WSGIApplication, error: Exception) -> None:
        """Let a page of the application answer, with a session of its own that is saved as any."""
        self._environ[ERROR] = error
        self._life.restart()
        self._status = None
        try:
            chunks = page(self._environ, self.start)
            try:
                body = b"".join(chunks)
            finally:
                getattr(chunks, "close", lambda: None)()
            self._life.commit()
        except REFUSED as second:
            self.refuse(second)
        else:
            self._put(body)
            self._let_go()

    def _put(self, body: bytes) -> None:
        self.instead = b"" if self._environ["REQUEST_METHOD"] == "HEAD" else body

    def end(self) -> None:
        """Note that nothing more of the answer can depend on the session."""
        self._life.close()
        self._life.over = True

    @property
    def troubled(self) -> bool:
        """Whether anything is to be said after, or in place of, the application's body."""
        return self.instead is not None or bool(self._life.late_keys())

    def check(self) -> None:
        """Raise ``TooLate`` when a value was changed in place after the session was saved."""
        self._life.check()

    def write(self, data: bytes) -> None:
        """Send a part of the body; ``start_response`` returns this, for applications of old."""
        if not data:
            return
        self.leave()
        if self.instead is not None:
            data, self.instead = self.instead, b""
        self._send(data)


class Body:
    """The application's body, and before its first byte the headers.

    Args:
        response: whose body it is.
        chunks: what the application returned.
    """

    __slots__ = ("_chunks", "_response")

    def __init__(self, response: Response, chunks: Iterable[bytes]) -> None:
        self._response = response
        self._chunks = chunks

    def settle(self) -> Iterable[bytes]:
        """Let the headers go now, and return the application's body as it is, if all is well.

        The server may know its length, or have the kernel send it as a file.
        """
        try:
            self._response.leave()
        except BaseException:
            self.close()
            raise
        return self if self._response.troubled else self._chunks

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._chunks)
        first = self._response.attempt(_first, chunks)
        self._response.leave()
        if self._response.instead is not None:
            yield self._response.instead
            return
        if first:
            yield first
        for chunk in chunks:  # noqa: UP028  ("yield from" would close them, a second time to ``close``)
            yield chunk
        self._response.check()
        self._response.end()

    def close(self) -> None:
        """Close the application's body: the server is done, or the client is gone."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
        self._response.end()


class UnderWay:
    """The body of a request that counts as under way until the server is done with it.

    One that closes no body, as some that serve WSGI by ASGI, is done when it has dropped it.

    Args:
        chunks: the body.
        environ: the request, which keeps its number while this is there.
        under_way: the numbers of all.
    """

    __slots__ = ("_chunks", "_environ", "_under_way")

    def __init__(
        self, chunks: Iterable[bytes], environ: WSGIEnvironment, under_way: set[int]
    ) -> None:
        self._chunks, self._environ, self._under_way = chunks, environ, under_way

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        """Close the body: the server is done, or the client is gone."""
        close = getattr(self._chunks, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._under_way.discard(id(self._environ))

    def __del__(self) -> None:
        self._under_way.discard(id(self._environ))


def _first(chunks: Iterator[bytes]) -> bytes:
    """Return the first chunk with a byte in it; the empty ones before it send no headers."""
    return next(filter(None, chunks), b"")
