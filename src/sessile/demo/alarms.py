"""Alarms: sessions that were ended for theft, noted for their owners. A hook of ``Sessions``.

The browser whose session was ended is nobody's, so the session cannot tell. The shop's own
database can: it stands beside the user table, and every server reads it.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessile.core.value import Instant
from sessile.service.events import End, Ended, Event

_THEFT: Final = frozenset((End.REPLAY, End.MISMATCH, End.THEFT))
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Alarm:
    """One session that was ended for theft.

    Attributes:
        session: its id, under which ``sessions.evidence`` tells more.
        at: when.
        why: in words.
    """

    session: str
    at: Instant
    why: str


class Alarms:
    """The alarms in one SQLite file.

    Args:
        path: where ``create`` put the table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def create(cls, path: Path) -> None:
        """Make the table."""
        with closing(sqlite3.connect(path)) as table, table:
            table.execute(
                "CREATE TABLE alarms (owner TEXT NOT NULL, session TEXT NOT NULL, "
                "at REAL NOT NULL, why TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0) STRICT"
            )

    def note_theft(self, event: Event) -> None:
        """Store an alarm if the event is a theft: the hook.

        It blocks for a few milliseconds, once in a theft.
        """
        if isinstance(event, Ended) and event.reason in _THEFT and event.owner is not None:
            row = (event.owner, event.session, event.at, event.reason.value)
            with closing(sqlite3.connect(self._path)) as table, table:
                table.execute("INSERT INTO alarms VALUES (?, ?, ?, ?, 0)", row)

    def of(self, owner: str) -> list[Alarm]:
        """Return an owner's alarms, the newest few of them, newest first."""
        query = "SELECT session, at, why FROM alarms WHERE owner = ? ORDER BY at DESC LIMIT ?"
        with closing(sqlite3.connect(self._path)) as table:
            return [Alarm(*row) for row in table.execute(query, (owner, _SHOWN))]

    def take_unread(self, owner: str) -> int:
        """Mark an owner's alarms as read; return how many were unread."""
        with closing(sqlite3.connect(self._path)) as table, table:
            query = "UPDATE alarms SET told = 1 WHERE owner = ? AND told = 0"
            return table.execute(query, (owner,)).rowcount
