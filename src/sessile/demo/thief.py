"""The thief: sends a visitor's own cookies to the shop, as another client. For one page.

What it does are real requests, through the balancer, so that what follows is what would follow.
``routes.theft`` asks for it; nothing else should: it is here to be watched.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final

from sessile.demo.policies import GRACE

_ELSEWHERE: Final = "127.66.0.66"  # Linux answers for all of 127/8; another subnet than 127.0.0.1
_CURL: Final = "curl/8.14.1"
_PATIENCE: Final = 5.0
_MARGIN: Final = 0.2


class Attack(Enum):
    """How the thief goes about it."""

    ELSEWHERE = "elsewhere"  # another address, another browser: what a binding notices
    AHEAD = "ahead"  # the same browser, and newer tickets than the visitor's: what rotation notices


@dataclass(frozen=True, slots=True)
class ThiefResponse:
    """The response to one request of the thief.

    Attributes:
        request: method and path.
        status: of the response.
        new_ticket: whether the response carried a newer ticket.
        body: the JSON in it; empty where there is none.
    """

    request: str
    status: int
    new_ticket: bool
    body: dict[str, Any] = field(default_factory=dict)


class Thief:
    """Somebody who has a copy of the visitor's cookies.

    Args:
        balancer: its host and port.
        cookies: the copy.
        ticket: the name of the cookie that holds the ticket.
        browser: the visitor's User-Agent.
    """

    def __init__(
        self, balancer: tuple[str, int], cookies: Mapping[str, str], ticket: str, browser: str
    ) -> None:
        self._balancer = balancer
        self._cookies = dict(cookies)
        self._ticket = ticket
        self._browser = browser

    def steal(self, attack: Attack) -> list[ThiefResponse]:
        """Make the requests of that attack; it blocks.

        Raises:
            OSError: the shop cannot be reached.
            HTTPException: the answer is no HTTP.
        """
        if attack is Attack.ELSEWHERE:
            return [self._ask("GET", "/me", _CURL, _ELSEWHERE)]
        return list(self._run_ahead())

    def _run_ahead(self) -> Iterator[ThiefResponse]:
        yield self._ask("POST", "/turn", self._browser)
        yield self._ask("GET", "/me", self._browser)
        time.sleep(GRACE + _MARGIN)  # until the visitor's ticket is late by the shop's own rule

    def _ask(self, method: str, path: str, agent: str, address: str = "") -> ThiefResponse:
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "User-Agent": agent,
        }
        with closing(self._connect(address)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        body = json.loads(content) if answer.getheader("content-type") == "application/json" else {}
        return ThiefResponse(f"{method} {path}", answer.status, self._take_ticket(answer), body)

    def _connect(self, address: str) -> HTTPConnection:
        """Return a connection from that address; from any where the system has no such address."""
        for source in [(address, 0), None] if address else [None]:
            connection = HTTPConnection(*self._balancer, timeout=_PATIENCE, source_address=source)
            try:
                connection.connect()
            except OSError:
                if source is None:
                    raise
            else:
                return connection
        raise AssertionError

    def _take_ticket(self, answer: HTTPResponse) -> bool:
        """Take the newer ticket of an answer, if there is one."""
        for text in answer.headers.get_all("set-cookie", []):
            name, _, rest = text.partition("=")
            if name == self._ticket:
                self._cookies[name] = rest.partition(";")[0]
                return True
        return False
