"""A request, as far as sessions look at it. ``web`` makes one of what its server says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Request(Protocol):
    """What a request says, as text in which any byte may stand (Latin-1).

    Attributes:
        method: in capitals, as in ``"POST"``.
        path: the whole one, as the browser asked for it, but for what it escaped.
        scheme: by which the server was asked, as in ``"https"``; a proxy may be asked by another.
        peer: the address of the socket's other end; empty where it has none, as a Unix socket.
        agent: the User-Agent header; empty when it is absent.
        cookie: the Cookie header, several fields joined with ``"; "`` (RFC 9113, 8.2.3).
        query: the query string, without the question mark.
        body: the form it posts, where a carrier looks there; empty otherwise.
    """

    @property
    def method(self) -> str: ...  # noqa: D102

    @property
    def path(self) -> str: ...  # noqa: D102

    @property
    def scheme(self) -> str: ...  # noqa: D102

    @property
    def peer(self) -> str: ...  # noqa: D102

    @property
    def agent(self) -> str: ...  # noqa: D102

    @property
    def cookie(self) -> str: ...  # noqa: D102

    @property
    def query(self) -> str: ...  # noqa: D102

    @property
    def body(self) -> bytes: ...  # noqa: D102

    def header(self, name: str) -> str:
        """Return a header by its name in lower case; ``""`` when it is absent.

        Several fields are joined with ``", "`` (RFC 9110, 5.3).
        """
        ...


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request made of plain values, for tests and for interfaces of your own."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    peer: str = ""
    query: str = field(default="", repr=False)
    body: bytes = field(default=b"", repr=False)
    path: str = "/"
    scheme: str = "https"

    def header(self, name: str) -> str:
        """Return a header by its name in lower case; ``""`` when it is absent."""
        return self.headers.get(name, "")

    @property
    def agent(self) -> str:
        """The User-Agent header."""
        return self.header("user-agent")

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return self.header("cookie")
