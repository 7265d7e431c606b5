"""The freshness hint: further cookies, with the version of its session that a client saw last.

Where servers keep copies of records, the next request of a client may reach one whose copy is older
than what the client did last. The hint tells that server to ask the store. It is no secret and
proves nothing: who makes one up has the store asked, or sees for a moment what was true before.

The answers to requests that change a session at once may arrive in any order, and a browser keeps
the cookie that came last. So one version's has another name than the next ones', and the highest
that a request brings counts. Each says by the beginning of an id of which session it is: those of
an earlier one say nothing.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sessile.core.carrier import Carrier, Carriers, CookieCarrier, SessionHeaders
from sessile.core.cookie import LONGEST_NAME, Cookie
from sessile.core.request import Request
from sessile.core.ticket import Key
from sessile.errors import ConfigError

SLOTS: Final = 4
"""Names in turn. A version is forgotten only for one that is so much older and arrives later."""

SUFFIX: Final = "-version"

_OF_ID: Final = 8
_DIGITS: Final = 15


class VersionHints:
    """The cookies with the hints, beside each cookie that carries tickets.

    A ticket that travels otherwise has none.

    Args:
        carriers: the ways that tickets travel.

    Raises:
        ConfigError: a cookie has a name beside which there is no room for another.
    """

    __slots__ = ("_slots",)

    def __init__(self, carriers: Carriers) -> None:
        self._slots: dict[Carrier, _Slots] = {
            one: _Slots(one.cookie) for one in carriers.all if isinstance(one, CookieCarrier)
        }

    def find(self, carrier: Carrier, request: Request, key: Key) -> int | None:
        """Return the version of a session that a client has seen; None where it does not say."""
        slots = self._slots.get(carrier)
        return None if slots is None else slots.find(request.cookie, key)

    def issue(
        self, carrier: Carrier, key: Key, version: int, max_age: int | None
    ) -> SessionHeaders:
        """Return the header that has a client tell that version; ``max_age`` is in seconds."""
        slots = self._slots.get(carrier)
        if slots is None:
            return ()
        cookie = slots.cookies[version % SLOTS]
        return (("set-cookie", cookie.issue(f"{key[:_OF_ID]}.{version}", max_age)),)

    def expire(self, carrier: Carrier, request: Request) -> SessionHeaders:
        """Return the headers that have a client forget what it brought of them."""
        slots = self._slots.get(carrier)
        if slots is None:
            return ()
        came = (one for one in slots.cookies if f"{one.full_name}=" in request.cookie)
        return tuple(("set-cookie", one.expire()) for one in came)


class _Slots:
    """The cookies beside one cookie."""

    __slots__ = ("_is_behind_comma", "_values", "cookies")

    def __init__(self, cookie: Cookie) -> None:
        name = f"{cookie.full_name}{SUFFIX}"
        if len(name) >= LONGEST_NAME:
            raise ConfigError(
                f"near= has cookies beside {cookie.full_name!r}, named with {len(SUFFIX) + 1} "
                f"letters more, and a name may have {LONGEST_NAME}: shorten it, or leave near out"
            )
        self.cookies = tuple(
            replace(cookie, name=f"{name}{number}", former=()) for number in range(SLOTS)
        )
        told = rf"{re.escape(name)}[0-9]=([A-Za-z0-9_-]{{{_OF_ID}}})\.([0-9]{{1,{_DIGITS}}})"
        pattern = rf"(?:^|;)[ \t]*{told}(?=[ \t]*(?:;|$))"
        self._values: Callable[[str], list[tuple[str, str]]] = re.compile(pattern, re.ASCII).findall
        # WSGI servers join fields with a comma: see ``Cookie.find``
        self._is_behind_comma = re.compile(rf",[ \t]*{re.escape(name)}[0-9]=").search

    def find(self, header: str, key: Key) -> int | None:
        """Return the highest version of a session in a Cookie header; None where there is none."""
        start = key[:_OF_ID]
        found = [int(version) for of, version in self._values(header) if of == start]
        if not found or ("," in header and self._is_behind_comma(header)):
            return None
        return max(found)
