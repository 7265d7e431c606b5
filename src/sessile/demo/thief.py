"""The thief: sends a visitor's own cookies to the shop, as another client. For one page.

``routes.theft`` asks for it; nothing else should: it is here to be watched.
"""

import time
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from sessile.demo.policies import GRACE
from sessile.demo.shop_client import ShopClient, ShopResponse

_ELSEWHERE: Final = "127.66.0.66"  # Linux answers for all of 127/8; another subnet than 127.0.0.1
_CURL: Final = "curl/8.14.1"
_MARGIN: Final = 0.2


class Attack(Enum):
    """How the thief goes about it."""

    ELSEWHERE = "elsewhere"  # another address, another browser: what a binding notices
    AHEAD = "ahead"  # the same browser, and newer tickets than the visitor's: what rotation notices


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
        self._from_elsewhere = ShopClient(
            balancer, cookies, ticket=ticket, browser=_CURL, address=_ELSEWHERE
        )
        self._alike = ShopClient(balancer, cookies, ticket=ticket, browser=browser)

    def steal(self, attack: Attack) -> list[ShopResponse]:
        """Make the requests of that attack; it blocks.

        Raises:
            OSError: the shop cannot be reached.
            HTTPException: the answer is no HTTP.
        """
        if attack is Attack.ELSEWHERE:
            return [self._from_elsewhere.ask("GET", "/me")]
        return list(self._run_ahead())

    def _run_ahead(self) -> Iterator[ShopResponse]:
        yield self._alike.ask("POST", "/turn")
        yield self._alike.ask("GET", "/me")
        time.sleep(GRACE + _MARGIN)  # until the visitor's ticket is late by the shop's own rule
