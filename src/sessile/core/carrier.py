"""Carriers: the ways a ticket travels, one by one, and ``Carriers``: those that are switched on.

A ticket goes back the way it came. An answer to a request that brought none goes the first way.
What stands in a place that is not listed is not looked at.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from sessile.core.cookie import Cookie, SameSite
from sessile.core.flag import check_flag
from sessile.core.options import suggest_options
from sessile.core.request import Request
from sessile.core.ticket import NoTicket
from sessile.errors import ConfigError

Header: TypeAlias = tuple[str, str]
"""A header of the answer: its name in lower case, and its value."""

SessionHeaders: TypeAlias = tuple[Header, ...]

TICKET: Final = "session-ticket"
"""The header of an answer that hands a ticket to a program; empty, it says to forget it."""

_BEARER: Final = re.compile(r"bearer +", re.IGNORECASE)  # RFC 9110, 11.1: schemes know no case
_MEMBERS: Final = ("attached", "expire", "find", "in_body", "issue", "varies")  # of a Carrier
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_NAVIGATING: Final = ("GET", "HEAD")  # with these alone a Lax cookie comes from another site


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

    def find(self, request: Request) -> str | NoTicket:
        """Return the ticket's text that the request carries here, or why there is no single one."""
        ...

    def issue(self, ticket: str, max_age: int | None) -> Header:
        """Return the header that gives the client a ticket; ``max_age`` is in seconds."""
        ...

    def expire(self) -> Header:
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

    def find(self, request: Request) -> str | NoTicket:
        """Return the cookie's value, or why there is none."""
        header = request.cookie
        return self.cookie.find(header) if header else NoTicket.ABSENT

    def issue(self, ticket: str, max_age: int | None) -> Header:
        """Return the Set-Cookie header with the ticket."""
        return "set-cookie", self.cookie.issue(ticket, max_age)

    def expire(self) -> Header:
        """Return the Set-Cookie header that deletes it."""
        return "set-cookie", self.cookie.expire()

    def expire_former(self) -> SessionHeaders:
        """Return the headers that delete the cookies whose place it took."""
        return tuple(("set-cookie", one.expire()) for one in self.cookie.former)

    def is_withheld(self, request: Request) -> bool:
        """Tell whether a browser that has the cookie would not send it with this request.

        So its absence says nothing, and another one must not be put over it.
        """
        if not self.cookie.reaches(request.path):
            return True
        if request.header("sec-fetch-site") != "cross-site":
            return False
        same_site = self.cookie.same_site
        return same_site is SameSite.STRICT or (
            same_site is SameSite.LAX and request.method not in _NAVIGATING
        )


class _AnswerHeader:
    """The way back for tickets that no browser keeps: a header of the answer."""

    __slots__ = ()

    def issue(self, ticket: str, max_age: int | None) -> Header:  # noqa: ARG002  (a program knows when it is refused)
        """Return the header with the ticket."""
        return TICKET, ticket

    def expire(self) -> Header:
        """Return the header that says to forget it: an empty one."""
        return TICKET, ""


@suggest_options
@dataclass(frozen=True, slots=True)
class Bearer(_AnswerHeader):
    """The ticket in ``Authorization: Bearer``, for programs and apps (RFC 6750, 2.1).

    They find it in the header ``session-ticket`` of an answer, and replace theirs whenever an
    answer has a new one. A browser adds no such header by itself, so these requests need no
    cross-site check. Give the ticket to no script of a page: what reads it there can send it away.

    Args:
        unrotated: for a player or a downloader that keeps what it has: its requests turn no ticket
            and are handed none, and one that has turned elsewhere serves it for a day.
    """

    unrotated: bool = False
    varies = "Authorization"
    attached = False
    in_body = False

    def __post_init__(self) -> None:
        check_flag("unrotated", self.unrotated)

    def find(self, request: Request) -> str | NoTicket:
        """Return the token after ``Bearer``. Another scheme is none of ours."""
        header = request.header("authorization")
        if not header:
            return NoTicket.ABSENT
        found = [match for part in header.split(",") if (match := _BEARER.match(part.lstrip()))]
        if not found:
            return NoTicket.ABSENT
        if "," in header:
            return NoTicket.AMBIGUOUS
        return found[0].string[found[0].end() :].rstrip()


@suggest_options
@dataclass(frozen=True, slots=True)
class LeakyQuery(_AnswerHeader):
    """The ticket in the query string: ``?sid=...``. It leaks.

    Servers and proxies write addresses to their logs, browsers keep them in the history, pages hand
    them on in ``Referer``, and people copy them into mails; whoever follows such a link is logged
    in as its sender. OWASP ASVS forbids it. It is for clients that can send neither a cookie nor a
    header, as an EventSource or a WebSocket to another site. Answers carry the header
    ``session-ticket``, and never a link.

    Args:
        name: the parameter's.
        unrotated: as that of ``Bearer``.

    Raises:
        ConfigError: the name would have to be escaped.
    """

    name: str
    unrotated: bool = False
    varies = ""  # a cache's key holds the whole address
    attached = True
    in_body = False
    _values: Callable[[str], list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_flag("unrotated", self.unrotated)
        object.__setattr__(self, "_values", _finder("LeakyQuery", self.name))

    def find(self, request: Request) -> str | NoTicket:
        """Return the parameter's value."""
        return _single(self._values(request.query))


@suggest_options
@dataclass(frozen=True, slots=True)
class ForgeableBody(_AnswerHeader):
    """The ticket in a field of a posted form. It can be forged.

    A form on any site can hold a ticket of the attacker's own, and put your visitor in the
    attacker's session; the cross-site check is all that stands against it. The form must be
    ``application/x-www-form-urlencoded``, and none beyond 64 KB is looked at. Answers carry the
    header ``session-ticket``.

    Args:
        name: the field's.
        unrotated: as that of ``Bearer``.

    Raises:
        ConfigError: the name would have to be escaped.
    """

    name: str
    unrotated: bool = False
    varies = ""  # answers to POST are not reused
    attached = True
    in_body = True
    _values: Callable[[str], list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_flag("unrotated", self.unrotated)
        object.__setattr__(self, "_values", _finder("ForgeableBody", self.name))

    def find(self, request: Request) -> str | NoTicket:
        """Return the field's value."""
        return _single(self._values(request.body.decode("latin-1")))


def _finder(kind: str, name: object) -> Callable[[str], list[str]]:
    """Return a finder of the values of one field; its name as it is, no other spelling of it."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ConfigError(f"{kind}({name!r}): write up to 64 letters, digits, '-', '_' or '.'")
    return re.compile(rf"(?:^|&){re.escape(name)}=([^&]*)").findall


def _single(values: list[str]) -> str | NoTicket:
    if len(values) == 1:
        return values[0]
    return NoTicket.AMBIGUOUS if values else NoTicket.ABSENT


class Carriers:
    """All places where a request may carry a ticket.

    Args:
        first: where an answer puts a ticket if the request brought none.
        others: where else a request may bring one.

    Attributes:
        cookies: the names of the cookies among them, for people.
        varies: the request headers that an answer depends on.
        in_body: whether one of them looks at bodies.
        unrotated: those whose requests turn no ticket and are handed none of their session.
    """

    __slots__ = (
        "_alone", "_detached", "all", "cookies", "first", "in_body", "unrotated", "varies",
    )  # fmt: skip

    def __init__(self, first: Carrier, *others: Carrier) -> None:
        self.first = first
        self.all = (first, *others)
        self._alone = not others
        names = [one.cookie.full_name for one in self.all if isinstance(one, CookieCarrier)]
        self.cookies = " or ".join(names)
        self.varies = tuple(dict.fromkeys(one.varies for one in self.all if one.varies))
        self.in_body = any(one.in_body for one in self.all)
        self.unrotated = tuple(one for one in self.all if getattr(one, "unrotated", False))
        self._detached = not all(one.attached for one in self.all)

    @classmethod
    def of(cls, cookie: Cookie | None, given: Sequence[Cookie | Carrier] | None) -> "Carriers":
        """Return the carriers that an application asked for; a cookie alone if it asked for none.

        Raises:
            ConfigError: none at all, one twice, or a cookie in both places.
        """
        if given is None:
            return cls(CookieCarrier(cookie or Cookie()))
        if cookie is not None:
            raise ConfigError(
                "cookie= and carriers= say it twice: write carriers=[cookie, ...] alone"
            )
        found = [_to_carrier(one) for one in given]
        if not found:
            raise ConfigError("carriers=[] leaves no way for a ticket; write carriers=[Cookie()]")
        names = [one.cookie.full_name for one in found if isinstance(one, CookieCarrier)]
        if len(set(names)) != len(names):
            raise ConfigError("two cookies of one name in carriers; remove one, or rename it")
        if any(one in found[:place] for place, one in enumerate(found)):
            raise ConfigError("one carrier stands twice in carriers; remove the copy")
        return cls(*found)

    def find(self, request: Request) -> tuple[Carrier, str | NoTicket]:
        """Return the carrier that the answer goes back by, and the text that the request brought.

        Tickets in two places are ambiguous even if they are equal: the answer goes back one way,
        and after the next rotation the copy left in the other would look like a stolen one.
        """
        if self._alone:
            return self.first, self.first.find(request)
        brought = [
            (one, found) for one in self.all if (found := one.find(request)) is not NoTicket.ABSENT
        ]
        if len(brought) == 1:
            return brought[0]
        return self.first, NoTicket.AMBIGUOUS if brought else NoTicket.ABSENT

    def expire_former(self, carrier: Carrier) -> SessionHeaders:
        """Return the headers that delete what the carrier's cookie took the place of."""
        return carrier.expire_former() if isinstance(carrier, CookieCarrier) else ()

    def is_withheld(self, carrier: Carrier, request: Request) -> bool:
        """Tell whether the carrier may have a ticket that this request could not bring."""
        return isinstance(carrier, CookieCarrier) and carrier.is_withheld(request)

    def exempt(self, request: Request) -> bool:
        """Tell whether no other site can have made a browser send this request with its authority.

        That is so of a request whose only credential is a ticket that a program put there. A cookie
        of any name ends it: a browser attached that one, and somebody may go by it.
        """
        if not self._detached or request.header("cookie"):
            return False
        carrier, found = self.find(request)
        return not carrier.attached and not isinstance(found, NoTicket)


def _to_carrier(given: Cookie | Carrier) -> Carrier:
    if isinstance(given, Cookie):
        return CookieCarrier(given)
    if all(hasattr(given, name) for name in _MEMBERS) and not isinstance(given, type):
        return given
    raise ConfigError(
        f'carriers: {given!r} is none; write Cookie(), Bearer(), LeakyQuery("sid") or '
        'ForgeableBody("sid")'
    )
