"""A logout while a request is under way: the slow request writes after the session has ended.

Each server notes in one table, beside the users, when the slow request began, and what was dropped:
the last by a hook, since the event is told where the slow request is served.
"""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from sessile.demo.shop_client import ShopClient, ShopResponse
from sessile.service.events import Dropped, Event

PATIENCE: Final = 5.0
"""Seconds that the slow request waits for the logout, and the logout for the slow request."""
PAUSE: Final = 0.02


class LateResult(msgspec.Struct, frozen=True, tag=True):
    """What was answered.

    Attributes:
        session: the id of the session that was logged out.
        slow: the answer to the slow request.
        logout: the answer to the logout, which came first.
    """

    session: str
    slow: ShopResponse
    logout: ShopResponse


class LateRequests:
    """Slow requests, and what was dropped of them, in one SQLite file.

    Args:
        path: where ``create`` put the table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def create(cls, path: Path) -> None:
        """Make the table."""
        with closing(sqlite3.connect(path)) as table, table:
            table.execute("CREATE TABLE late (session TEXT PRIMARY KEY, dropped TEXT) STRICT")

    def begin(self, session: str) -> None:
        """Note that a slow request of this session is under way."""
        with closing(sqlite3.connect(self._path)) as table, table:
            table.execute("INSERT OR REPLACE INTO late VALUES (?, NULL)", (session,))

    def note_dropped(self, event: Event) -> None:
        """Store what a slow request's commit dropped: the hook. It blocks for milliseconds."""
        if isinstance(event, Dropped) and event.session is not None:
            row = (", ".join(event.keys), event.session)
            with closing(sqlite3.connect(self._path)) as table, table:
                table.execute("UPDATE late SET dropped = ? WHERE session = ?", row)

    def is_under_way(self, session: str) -> bool:
        """Tell whether a slow request of this session has begun."""
        return self._row(session) is not None

    def drop_of(self, session: str) -> str:
        """Return the keys whose changes were dropped; empty when no event has told of any."""
        row = self._row(session)
        return "" if row is None or row[0] is None else str(row[0])

    def _row(self, session: str) -> tuple[object] | None:
        with closing(sqlite3.connect(self._path)) as table:
            query = "SELECT dropped FROM late WHERE session = ?"
            row: tuple[object] | None = table.execute(query, (session,)).fetchone()
        return row


def log_out_meanwhile(client: ShopClient, session: str, late: LateRequests) -> LateResult:
    """Begin the slow request, log out once it is under way, and wait for its answer; it blocks.

    Raises:
        OSError: the shop cannot be reached, or the slow request did not begin.
        HTTPException: the answer is no HTTP.
    """
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.ask, "POST", "/slow")
        end = time.monotonic() + PATIENCE
        while not late.is_under_way(session):
            if slow.done() or time.monotonic() > end:
                raise TimeoutError("the slow request did not begin")
            time.sleep(PAUSE)
        logout = client.ask("POST", "/logout")
        return LateResult(session, slow.result(), logout)
