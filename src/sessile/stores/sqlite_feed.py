"""What the feed of an SQLite file looks at. ``wire.feed.polling`` compares; ``sqlite`` opens it.

A connection sees in ``data_version`` that another one has committed, of this process or of any, and
by its own count of rows what it has written itself. So each connection of the pool will do. Who
ends everybody changes the schema.
"""

from collections.abc import Collection
from functools import cache
from sqlite3 import Cursor
from typing import Final
from weakref import WeakKeyDictionary

from sessile.core.flow import run
from sessile.stores.contract import Key
from sessile.stores.sqlite_acts import fetch_all
from sessile.wire.feed.polling import Glance
from sessile.wire.sqlite.file import SQLiteFile

_FEED: Final = "sqlite feed"
_BY_OTHERS: Final = "PRAGMA data_version"
_SCHEMA: Final = "PRAGMA schema_version"

# Versions alone would not do: what is left where a session was has the same one each time.
# All come as one text, because each row that is fetched lets the other threads go first.
_VERSIONS: Final = """SELECT
    group_concat(key || ' ' || version || ' ' || CAST(due * 1000 AS INTEGER))
    FROM sessile_session WHERE key IN ({})"""


class SQLiteVersions:
    """The versions of the rows of a file.

    Args:
        file: the store's.
    """

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file
        self._marks: WeakKeyDictionary[Cursor, tuple[int, int]] = WeakKeyDictionary()

    def glance(self) -> Glance:
        """Look at the counters of one connection."""
        cursor, era, mark = run(self._file.ask(_FEED, self._read_counters))
        is_written = self._marks.get(cursor) != mark
        self._marks[cursor] = mark
        return Glance(era, is_written)

    def _read_counters(self, db: Cursor) -> tuple[Cursor, tuple[int, int], tuple[int, int]]:
        ((by_others,),) = fetch_all(db, _BY_OTHERS)
        ((schema,),) = fetch_all(db, _SCHEMA)
        return db, (self._file.number_of(db), schema), (by_others, db.connection.total_changes)

    def find_versions(self, keys: Collection[Key]) -> dict[Key, str]:
        """Return the versions, and dues, of some rows."""
        text = run(self._file.ask(_FEED, lambda db: _find(db, keys)))
        rows = (entry.partition(" ") for entry in text.split(",") if entry)
        return {Key(key): version for key, _, version in rows}


def _find(db: Cursor, keys: Collection[Key]) -> str:
    number = 1 << (len(keys) - 1).bit_length()  # so there are few statements to prepare
    padding = [""] * (number - len(keys))
    ((text,),) = fetch_all(db, _statement(number), *keys, *padding)
    return text or ""


@cache
def _statement(number: int) -> str:
    return _VERSIONS.format(", ".join("?" * number))
