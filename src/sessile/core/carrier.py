"""Carriers: where a ticket travels. The cookie is one; ``Carriers`` looks in all that are allowed.

A ticket goes back the way it came. An answer to a request that brought none goes the first way.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sessile.core.cookie import Cookie, Presented
from sessile.core.request import Request

Header: TypeAlias = tuple[str, str]
"""A header of the answer: its name in lower case, and its value."""


class Carrier(Protocol):
    """One way for tickets to travel."""

    @property
    def varies(self) -> str:
        """The request header that an answer depends on, for ``Vary``; empty for none."""
        ...

    def presented(self, request: Request) -> str | Presented:
        """Return what the request carries here, or why there is no single ticket."""
        ...

    def hand_over(self, ticket: str, max_age: int | None) -> Header:
        """Return the header that gives the client a ticket; ``max_age`` is in seconds."""
        ...

    def take_back(self) -> Header:
        """Return the header that tells the client to forget its ticket."""
        ...


@dataclass(frozen=True, slots=True)
class CookieCarrier:
    """The ticket in a cookie.

    Args:
        cookie: its name and attributes.
    """

    cookie: Cookie

    @property
    def varies(self) -> str:
        """The Cookie header."""
        return "Cookie"

    def presented(self, request: Request) -> str | Presented:
        """Return the cookie's value, or why there is none."""
        header = request.header("cookie")
        return self.cookie.find(header) if header else Presented.NOTHING

    def hand_over(self, ticket: str, max_age: int | None) -> Header:
        """Return the Set-Cookie header with the ticket."""
        return "set-cookie", self.cookie.issue(ticket, max_age)

    def take_back(self) -> Header:
        """Return the Set-Cookie header that deletes it."""
        return "set-cookie", self.cookie.erase()


class Carriers:
    """All places where a request may carry a ticket.

    Args:
        first: where an answer puts a ticket if the request brought none.
        others: where else a request may bring one.
    """

    __slots__ = ("all", "first")

    def __init__(self, first: Carrier, *others: Carrier) -> None:
        self.first = first
        self.all = (first, *others)

    def find(self, request: Request) -> tuple[Carrier, str | Presented]:
        """Return what the request presents, and the carrier that the answer goes back by."""
        return self.first, self.first.presented(request)
