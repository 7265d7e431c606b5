"""What the SQLite store does to its rows, each as one transaction. ``stores.sqlite`` asks for it.

``claim`` numbers the logins of an owner in their order.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from sqlite3 import Cursor
from typing import Any, Final

from sessile.errors import KeyTaken
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    HEAD_BYTES,
    Change,
    Committed,
    Conflict,
    Corrupt,
    Deleted,
    Full,
    Gone,
    Key,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    head_of,
    pack,
    unpack,
)
from sessile.stores.excess import MOST_DEAD, Crowded, choose
from sessile.stores.paging import cut

READ: Final = "SELECT blob, version, owner FROM sessile_session WHERE key = ?"
_CREATE: Final = """INSERT INTO sessile_session (key, version, due, blob) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO NOTHING"""
_CLAIM: Final = """INSERT INTO sessile_session (key, version, due, blob, owner, claim)
    VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(claim), 0) + 1 FROM sessile_session
                            WHERE owner = ?))
    ON CONFLICT (key) DO NOTHING"""
_COMMIT: Final = """UPDATE sessile_session SET version = ?, blob = ?
    WHERE key = ? AND version = ? AND substr(blob, 1, ?) = ? AND due <= ?"""
_COMMIT_EARLIER: Final = """UPDATE sessile_session SET version = ?, blob = ?, due = ?
    WHERE key = ? AND version = ? AND substr(blob, 1, ?) = ?"""
_DELETE: Final = "DELETE FROM sessile_session WHERE key = ? RETURNING blob"
_REMOVE: Final = "DELETE FROM sessile_session WHERE key = ?"
_LENGTH: Final = "SELECT key, length(blob) FROM sessile_session WHERE key = ?"
_LEAVE: Final = """UPDATE sessile_session SET version = ?, due = ?, owner = NULL, claim = NULL,
    blob = ? WHERE key = ?"""
_SIZE: Final = "SELECT count(*) FROM (SELECT 1 FROM sessile_session WHERE owner = ? LIMIT ?)"
# length() reads no blob, and substr() all of one, which is much where it does not fit its page
_NEWEST: Final = """SELECT key, rowid, CASE WHEN length(blob) <= 4096 THEN substr(blob, 1, ?) END
    FROM sessile_session WHERE owner = ? ORDER BY claim DESC"""
_OLDEST: Final = """SELECT key, length(blob) FROM sessile_session
    WHERE owner = ? ORDER BY claim LIMIT ?"""
_BEFORE: Final = """SELECT key, length(blob) FROM sessile_session WHERE owner = ?1 AND claim <
    (SELECT claim FROM sessile_session WHERE key = ?3 AND owner = ?1) ORDER BY claim LIMIT ?2"""


def load_row(key: Key, blob: bytes, version: int, owner: str | None) -> Record | Corrupt:
    """Return the record of a row; ``Corrupt`` where the columns say something else than it does.

    By the columns it is found, listed and replaced: whoever changes one hides it from nothing.
    """
    record = unpack(blob, key)
    if isinstance(record, Corrupt):
        return record
    sound = record.version == version and record.index_owner == owner
    return record if sound else Corrupt(key)


def fetch_all(db: Cursor, statement: str, *values: str | float | None) -> list[Any]:
    """Return every row that a statement gives."""
    return db.execute(statement, values).fetchall()


def fetch_page(db: Cursor, statement: str, *values: str | float) -> tuple[list[Any], bool]:
    """Return a page of rows of key and blob, and whether there may be more."""
    *_, batch = values
    with closing(db.connection.execute(statement, values)) as rows:  # what is left stays unread
        return cut(rows, lambda row: len(row[1]), int(batch))


@contextmanager
def transaction(db: Cursor) -> Iterator[None]:
    """Hold the write lock from the start, so that what is read stays true until the commit."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.connection.in_transaction:  # a full disk has ended it already
            db.execute("ROLLBACK")
        raise


def read(db: Cursor, key: Key) -> Record | Corrupt | None:
    """Return a record."""
    row = db.execute(READ, (key,)).fetchone()
    return None if row is None else load_row(key, *row)


def create(db: Cursor, record: Record) -> bool:
    """Store a record; tell whether its key was free."""
    row = (record.key, record.version, record.expires, pack(record))
    return bool(db.execute(_CREATE, row).rowcount)


def replace(db: Cursor, replacement: Replacement) -> ReplaceResult | None:
    """Replace; None where some of the dead had to go first, and it is to be tried again."""
    new, old = replacement.new, replacement.old
    with transaction(db):
        if old is not None and (changed := _conflict(db, old.key, old.version)) is not None:
            return changed
        excess = _excess(db, replacement)
        if isinstance(excess, Crowded):
            _remove_some(db, excess.dead)
            return None
        if isinstance(excess, Full):
            return excess
        row = (new.key, new.version, new.expires, pack(new), new.owner, new.owner)
        if not db.execute(
            _CLAIM if new.owner is not None else _CREATE, row[:4] if new.owner is None else row
        ).rowcount:
            raise KeyTaken(new.key)
        if old is not None:
            _leave(db, old.key, replacement.tombstone)
        db.executemany(_REMOVE, [(key,) for key in excess.ended])
    return excess


def _leave(db: Cursor, key: str, tombstone: Record | None) -> None:
    """Put a tombstone where a session was, out of its owner's index; or nothing."""
    if tombstone is None:
        db.execute(_REMOVE, (key,))
    else:
        row = (tombstone.version, tombstone.expires, pack(tombstone), key)
        db.execute(_LEAVE, row)


def _excess(db: Cursor, replacement: Replacement) -> Replaced | Full | Crowded:
    """Return which of the owner's sessions have to go."""
    owner, limit, now = replacement.new.owner, replacement.limit, replacement.now
    if limit is None or owner is None:
        return Replaced()
    ((size,),) = fetch_all(db, _SIZE, owner, limit.number + MOST_DEAD + 1)
    if size < limit.number:
        return Replaced()
    old = None if replacement.old is None else replacement.old.key
    with closing(db.connection.execute(_NEWEST, (HEAD_BYTES, owner))) as rows:
        entries = (
            (Key(key), head_of(_read_head(db, rowid) if head is None else head, key))
            for key, rowid, head in rows
        )
        return choose(limit, entries, size, now, new=replacement.new.key, old=old)


def _read_head(db: Cursor, rowid: int) -> bytes:
    """Return the beginning of a long record, and leave the rest unread."""
    with db.connection.blobopen("sessile_session", "blob", rowid, readonly=True) as blob:
        return blob.read(HEAD_BYTES)


def delete_owned(
    db: Cursor, owner: str, keep: Collection[str], before: Key | None, batch: int
) -> Deleted:
    """Remove some of an owner's sessions, oldest login first."""
    limit = batch + len(keep)
    with transaction(db):
        if before is None:
            rows = fetch_all(db, _OLDEST, owner, limit)
        else:
            rows = fetch_all(db, _BEFORE, owner, limit, before)
        others = (row for row in rows if row[0] not in keep)
        page, more = cut(others, lambda row: int(row[1]), batch)
        db.executemany(_REMOVE, [(key,) for key, _ in page])
    return Deleted(tuple(Key(key) for key, _ in page), more)


def _remove_some(db: Cursor, keys: Iterable[str]) -> None:
    """Delete rows, and stop when that is enough for one act."""
    sized = (row for key in keys for row in fetch_all(db, _LENGTH, key))
    page, _ = cut(sized, lambda row: int(row[1]), MOST_DEAD)
    db.executemany(_REMOVE, [(key,) for key, _ in page])


def _conflict(db: Cursor, key: str, expected: int) -> Conflict | Gone | Corrupt | None:
    """Return why a row is not the version that is expected; None where it is."""
    current = read(db, Key(key)) or GONE
    if not isinstance(current, Record):
        return current
    return None if current.version == expected else Conflict(current)


def commit(db: Cursor, change: Change) -> Committed | Conflict | Gone | Corrupt:
    """Put a record in the place of the version that it was made from."""
    record = change.record
    blob, due = pack(record), record.expires
    length = blob.index(record.key.encode()) + len(record.key)
    key, version, expected = record.key, record.version, change.expected
    head = blob[:length]  # format and key: what begins otherwise is no record, and stays as it is
    found = (key, expected, length, head)
    if db.execute(_COMMIT, (version, blob, *found, due)).rowcount:
        return COMMITTED
    if db.execute(_COMMIT_EARLIER, (version, blob, due, *found)).rowcount:
        return COMMITTED
    current = read(db, Key(key)) or GONE
    return Conflict(current) if isinstance(current, Record) else current


def delete(db: Cursor, key: Key, leaving: Record | None) -> list[tuple[bytes]]:
    """Remove a row and return it; if there was one, leave something in its place."""
    if leaving is None:
        return db.execute(_DELETE, (key,)).fetchall()
    with transaction(db):
        last: list[tuple[bytes]] = db.execute(_DELETE, (key,)).fetchall()
        if last:
            create(db, leaving)
    return last
