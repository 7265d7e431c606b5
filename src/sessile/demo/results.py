"""Results of what a page did for its visitor, kept a while for the page that shows them.

A form is answered with a redirect, and what the browser then fetches is its own next request: what
that meets is shown beside the result. There may be no session any more to keep a result in.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from secrets import token_urlsafe
from typing import Final, TypeAlias

import msgspec

from sessile.core.value import Instant, Seconds
from sessile.demo.late import LateResult
from sessile.demo.theft import TheftResult
from sessile.demo.twenty import TwentyResult

Result: TypeAlias = TheftResult | TwentyResult | LateResult

_KEPT: Final[Seconds] = 600.0
_encoder: Final = msgspec.json.Encoder()
_RESULTS: Final = msgspec.json.Decoder(Result)


class Results:
    """The results in one SQLite file, each under a token that nobody guesses.

    Args:
        path: where ``create`` put the table.
        clock: seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], Instant]) -> None:
        self._path = path
        self._clock = clock

    @classmethod
    def create(cls, path: Path) -> None:
        """Make the table."""
        with closing(sqlite3.connect(path)) as table, table:
            table.execute("CREATE TABLE results (token TEXT PRIMARY KEY, at REAL, body BLOB)")

    def keep(self, result: Result) -> str:
        """Store a result, and return the token it is found by. Old ones go."""
        token, now = token_urlsafe(12), self._clock()
        with closing(sqlite3.connect(self._path)) as table, table:
            table.execute("DELETE FROM results WHERE at < ?", (now - _KEPT,))
            table.execute(
                "INSERT INTO results VALUES (?, ?, ?)", (token, now, _encoder.encode(result))
            )
        return token

    def find(self, token: str) -> Result | None:
        """Return the result of that token; None when there is none, or none any more."""
        query = "SELECT body FROM results WHERE token = ?"
        with closing(sqlite3.connect(self._path)) as table:
            row = table.execute(query, (token,)).fetchone()
        return None if row is None else _RESULTS.decode(row[0])
