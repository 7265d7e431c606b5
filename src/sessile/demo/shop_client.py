"""A client of the shop with a visitor's cookies: what a page does while its visitor watches.

What it sends are real requests, through the balancer, so that what follows is what would follow.
``thief``, ``twenty`` and ``late`` send them. It blocks, and is used on threads.
"""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlencode

_PATIENCE: Final = 15.0
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class ShopResponse:
    """A response of the shop.

    Attributes:
        request: method and path.
        status: of the response.
        new_ticket: whether the response carried a newer ticket.
        body: the JSON in it; empty where there is none.
    """

    request: str
    status: int
    new_ticket: bool = False
    body: dict[str, Any] = field(default_factory=dict)


class ShopClient:
    """Somebody with a copy of a visitor's cookies.

    Args:
        balancer: its host and port.
        cookies: the copy.
        ticket: the name of the cookie that holds the ticket.
        browser: the User-Agent.
        address: where the requests come from; empty is wherever the system chooses.
    """

    def __init__(
        self,
        balancer: tuple[str, int],
        cookies: Mapping[str, str],
        *,
        ticket: str,
        browser: str,
        address: str = "",
    ) -> None:
        self._balancer = balancer
        self._cookies = dict(cookies)
        self._ticket = ticket
        self._browser = browser
        self._address = address

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> ShopResponse:
        """Make a request on a connection of its own.

        Raises:
            OSError: the shop cannot be reached.
            HTTPException: the answer is no HTTP.
        """
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "User-Agent": self._browser,
            "Content-Type": _FORM,
        }
        with closing(self._connect()) as connection:
            connection.request(method, path, urlencode(form or {}), headers)
            answer = connection.getresponse()
            content = answer.read()
        is_json = answer.getheader("content-type") == "application/json"
        new = self._take(answer.headers.get_all("set-cookie", []))
        body = json.loads(content) if is_json else {}
        return ShopResponse(f"{method} {path}", answer.status, new, body)

    def _connect(self) -> HTTPConnection:
        """Return a connection from our address; from any where the system has no such address."""
        for source in [(self._address, 0), None] if self._address else [None]:
            connection = HTTPConnection(*self._balancer, timeout=_PATIENCE, source_address=source)
            try:
                connection.connect()
            except OSError:
                if source is None:
                    raise
            else:
                return connection
        raise AssertionError

    def _take(self, cookies: list[str]) -> bool:
        """Take the cookies of an answer, and tell whether a ticket is among them."""
        new = dict(_pair(text) for text in cookies)
        self._cookies = {**self._cookies, **new}  # a new dict: other threads may be reading this
        return self._ticket in new


def _pair(text: str) -> tuple[str, str]:
    name, _, rest = text.partition("=")
    return name, rest.partition(";")[0]
