"""Twenty requests at once, each adding to one list: to the session's, and to a naive one's.

``routes.twenty`` serves them, for both stores with the same handler's work; what they kept is
counted afterwards, by asking.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from threading import Barrier, BrokenBarrierError
from typing import Final

import msgspec

from sessile.demo.shop_client import ShopClient, ShopResponse

MANY: Final = 20
_PATIENCE: Final = 5.0

NUMBERS: Final = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
)


class Tally(msgspec.Struct, frozen=True):
    """What became of the twenty in one store.

    Attributes:
        done: the numbers whose request was answered with success.
        kept: those of them that are in the list afterwards.
        servers: how many of them each server answered.
    """

    done: tuple[int, ...]
    kept: tuple[int, ...]
    servers: dict[str, int]

    @property
    def lost(self) -> int:
        """How many are not in the list, though their requests were answered."""
        return len(self.done) - len(self.kept)

    @property
    def words(self) -> str:
        """What was kept, of how many."""
        return f"{len(self.kept)} of {len(self.done)}"


class TwentyResult(msgspec.Struct, frozen=True, tag=True):
    """What both stores kept."""

    sessile: Tally
    naive: Tally

    @property
    def sentence(self) -> str:
        """The result in a sentence, whatever it is."""
        return f"sessile kept {self.sessile.words}, the naive one {self.naive.words}."

    @property
    def comment(self) -> str:
        """What there is to say of the naive one."""
        if self.naive.lost:
            return (
                "Its requests were answered with success too. What is missing was overwritten by a "
                "request that had read the session before, and wrote it back after."
            )
        return (
            "The naive one lost nothing this time: no request read the session before another had "
            "written it back. That was luck. Try again."
        )


def add_twenty(client: ShopClient, path: str) -> Tally:
    """Empty the list at that path, add to it twenty times at once, and count what it holds.

    Raises:
        OSError: the shop cannot be reached.
        HTTPException: the answer is no HTTP.
    """
    client.ask("DELETE", path)  # the naive one hands out its cookie here
    together = Barrier(MANY)

    def add(number: int) -> ShopResponse | None:
        try:
            together.wait(_PATIENCE)
            return client.ask("POST", path, {"number": str(number)})
        except (OSError, HTTPException, BrokenBarrierError):  # its server may have been killed
            return None

    with ThreadPoolExecutor(MANY) as pool:
        answers = dict(enumerate(pool.map(add, range(1, MANY + 1)), 1))
    done = {n: one for n, one in answers.items() if one is not None and one.status == 200}
    kept = set(client.ask("GET", path).body.get("numbers", []))
    servers = Counter(str(one.body["server"]) for one in done.values())
    return Tally(tuple(done), tuple(n for n in done if n in kept), dict(sorted(servers.items())))
