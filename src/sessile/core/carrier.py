"""Carriers: the ways a ticket travels. ``core.carriers`` looks in those that are switched on."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from sessile.core.cookie import Cookie, Presented
from sessile.core.request import Request
from sessile.errors import ConfigError

Header: TypeAlias = tuple[str, str]
"""A header of the answer: its name in lower case, and its value."""

TICKET: Final = "session-ticket"
"""The header of an answer that hands a ticket to a program; empty, it says to forget it."""

_BEARER: Final = re.compile(r"bearer +", re.IGNORECASE)  # RFC 9110, 11.1: schemes know no case
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class Carrier(Protocol):
    """One way for tickets to travel."""

    @property
    def varies(self) -> str:
        """The request header that an answer depends on, for ``Vary``; empty for none."""
        ...

    @property
    def attached(self) -> bool:
        """Whether a page of another site can have a browser send it: the cross-site check stays."""
        ...

    @property
    def in_body(self) -> bool:
        """Whether it looks at the body of a request, which then has to be read first."""
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
    varies = "Cookie"  # no ClassVar: type checkers match none with a property of the protocol
    attached = True
    in_body = False

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


class _ForPrograms:
    """The way back for tickets that no browser keeps: a header of the answer."""

    __slots__ = ()

    def hand_over(self, ticket: str, max_age: int | None) -> Header:  # noqa: ARG002  (a program knows when it is refused)
        """Return the header with the ticket."""
        return TICKET, ticket

    def take_back(self) -> Header:
        """Return the header that says to forget it: an empty one."""
        return TICKET, ""


@dataclass(frozen=True, slots=True)
class Bearer(_ForPrograms):
    """The ticket in ``Authorization: Bearer``, for programs and apps (RFC 6750, 2.1).

    They find it in the header ``session-ticket`` of an answer, and replace theirs whenever an
    answer has a new one. A browser adds no such header by itself, so these requests need no
    cross-site check. Give the ticket to no script of a page: what reads it there can send it away.
    """

    varies = "Authorization"
    attached = False
    in_body = False

    def presented(self, request: Request) -> str | Presented:
        """Return what stands after ``Bearer``. Another scheme is none of ours."""
        header = request.header("authorization")
        if not header:
            return Presented.NOTHING
        found = [match for part in header.split(",") if (match := _BEARER.match(part.lstrip()))]
        if not found:
            return Presented.NOTHING
        if "," in header:
            return Presented.AMBIGUOUS
        return found[0].string[found[0].end() :].rstrip()


@dataclass(frozen=True, slots=True)
class LeakyQuery(_ForPrograms):
    """The ticket in the query string: ``?sid=...``. It leaks.

    Servers and proxies write addresses to their logs, browsers keep them in the history, pages hand
    them on in ``Referer``, and people copy them into mails; whoever follows such a link is logged
    in as its sender. OWASP ASVS forbids it. It is for clients that can send neither a cookie nor a
    header, as an EventSource or a WebSocket to another site. Answers carry the header
    ``session-ticket``, and never a link.

    Args:
        name: the parameter's.

    Raises:
        ConfigError: the name would have to be escaped.
    """

    name: str
    varies = ""  # a cache's key holds the whole address
    attached = True
    in_body = False
    _values: Callable[[str], list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_values", _field("LeakyQuery", self.name))

    def presented(self, request: Request) -> str | Presented:
        """Return the parameter's value."""
        return _only(self._values(request.query))


@dataclass(frozen=True, slots=True)
class ForgeableBody(_ForPrograms):
    """The ticket in a field of a posted form. It can be forged.

    A form on any site can hold a ticket of the attacker's own, and put your visitor in the
    attacker's session; the cross-site check is all that stands against it. The form must be
    ``application/x-www-form-urlencoded``, and none beyond 64 KB is looked at. Answers carry the
    header ``session-ticket``.

    Args:
        name: the field's.

    Raises:
        ConfigError: the name would have to be escaped.
    """

    name: str
    varies = ""  # answers to POST are not reused
    attached = True
    in_body = True
    _values: Callable[[str], list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_values", _field("ForgeableBody", self.name))

    def presented(self, request: Request) -> str | Presented:
        """Return the field's value."""
        return _only(self._values(request.body.decode("latin-1")))


def _field(kind: str, name: object) -> Callable[[str], list[str]]:
    """Return what finds the values of one field; its name as it is, no other spelling of it."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ConfigError(f"{kind}({name!r}): write up to 64 letters, digits, '-', '_' or '.'")
    return re.compile(rf"(?:^|&){re.escape(name)}=([^&]*)").findall


def _only(values: list[str]) -> str | Presented:
    if len(values) == 1:
        return values[0]
    return Presented.AMBIGUOUS if values else Presented.NOTHING
