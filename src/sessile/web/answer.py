"""A WSGI answer whose headers wait until its session is saved. ``web.wsgi`` puts it in the way.

PEP 3333: the headers leave with the first byte of the body and no sooner, so an application may
still use its session after ``start_response``.
"""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import ParamSpec, TypeAlias, TypeVar
from wsgiref.types import StartResponse, WSGIEnvironment

from sessile.web.deferred import Deferred
from sessile.web.exchange import FAILED, REFUSED, TEXT, check_saved, marked, refusal

P = ParamSpec("P")
R = TypeVar("R")

Trouble: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)


class Answer:
    """The answer to one request.

    Args:
        session: saved when the headers leave.
        environ: the request.
        start_response: the server's.

    Attributes:
        left: whether the headers have left.
        instead: what to send in place of the application's body, when its answer was refused.
    """

    __slots__ = (
        "_environ", "_headers", "_send", "_session", "_start_response", "_status", "instead",
        "left",
    )  # fmt: skip

    def __init__(
        self, session: Deferred, environ: WSGIEnvironment, start_response: StartResponse
    ) -> None:
        self._session = session
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
        """Be the application's ``start_response``; with ``exc_info`` its handler has failed."""
        if exc_info is not None and exc_info[1] is not None:
            self._replace(exc_info[1])
        elif self._status is not None:
            raise AssertionError("start_response was called twice; a second call takes exc_info")
        self._status, self._headers = status, headers
        return self.write

    def _replace(self, error: BaseException) -> None:
        if self.left:
            raise error
        self._session.restart()

    def attempt(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Let the application work; None when it raised what is answered with 503 or 403."""
        try:
            return work(*args, **kwargs)
        except REFUSED as error:
            self.refuse(error)
            return None
        except BaseException:
            self._session.close(FAILED)
            raise

    def leave(self) -> None:
        """Save the session and let the headers go. No later call does anything."""
        if self.left or self._status is None:
            return
        session = self._session
        if session.outage is not None and self._status.startswith("500"):
            self.refuse(session.outage)  # the framework took our error for one of its own
            return
        try:
            ticket = session.commit()
        except REFUSED as error:
            self.refuse(error)
            return
        headers = self._headers
        if session.touched:
            headers = marked(headers, ticket, session.parts.carriers.varies, TEXT)
        self._go(self._status, headers)

    def refuse(self, error: Exception) -> None:
        """Answer 503 or 403 in place of the application; raise the error when it is too late."""
        if self.left:
            raise error
        refused = refusal(error)
        self.instead = b"" if self._environ["REQUEST_METHOD"] == "HEAD" else refused.body
        self._session.close(FAILED)
        self._go(f"{refused.status} {refused.reason}", list(refused.headers))

    @property
    def troubled(self) -> bool:
        """Whether anything is to be said after, or in place of, the application's body."""
        return self.instead is not None or bool(self._session.changes_since_delta())

    def check(self) -> None:
        """Raise ``TooLate`` when a value was changed in place after the session was saved."""
        check_saved(self._session)

    def _go(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.left = True
        self._send = self._start_response(status, headers)

    def write(self, data: bytes) -> None:
        """Be the callable that ``start_response`` returns, for applications of the old kind."""
        if not data:
            return
        self.leave()
        if self.instead is not None:
            data, self.instead = self.instead, b""
        self._send(data)


class Body:
    """The application's body, and before its first byte the headers.

    Args:
        answer: whose body it is.
        chunks: what the application returned.
    """

    __slots__ = ("_answer", "_chunks")

    def __init__(self, answer: Answer, chunks: Iterable[bytes]) -> None:
        self._answer = answer
        self._chunks = chunks

    def settled(self) -> Iterable[bytes]:
        """Let the headers go now, and return the application's body as it is, if all is well.

        The server may know its length, or have the kernel send it as a file.
        """
        try:
            self._answer.leave()
        except BaseException:
            self.close()
            raise
        return self if self._answer.troubled else self._chunks

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._chunks)
        first = self._answer.attempt(_first, chunks)
        self._answer.leave()
        if self._answer.instead is not None:
            yield self._answer.instead
            return
        if first:
            yield first
        for chunk in chunks:  # noqa: UP028  ("yield from" would close them, a second time to ``close``)
            yield chunk
        self._answer.check()

    def close(self) -> None:
        """Close the application's body: the server is done, or the client is gone."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def _first(chunks: Iterator[bytes]) -> bytes:
    """Return the first chunk with a byte in it; the empty ones before it send no headers."""
    return next(filter(None, chunks), b"")
