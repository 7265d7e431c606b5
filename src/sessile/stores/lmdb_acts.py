"""What the LMDB store does to its rows, each within a transaction. ``stores.lmdb`` asks for it."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sessile.errors import KeyTaken
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    HEAD_BYTES,
    PAGE_BYTES,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Deleted,
    Full,
    Gone,
    Head,
    Instant,
    Key,
    Page,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    head_of,
    pack,
    unpack,
)
from sessile.stores.excess import MOST_DEAD, Crowded, choose
from sessile.stores.lmdb_rows import Row, Rows, digest_of, find, load_row, row_of, unpack_row
from sessile.stores.paging import cut


def read(transaction: Any, key: Key) -> Record | Corrupt | None:
    """Return a record."""
    value = find(transaction, key)
    return None if value is None else load_row(key, value)


def create(transaction: Any, record: Record) -> None:
    """Store a record whose key is free."""
    _add(Rows(transaction), record)


def _add(rows: Rows, record: Record, claim: int = 0, owner: bytes = digest_of(None)) -> None:
    if rows.get(record.key) is not None:
        raise KeyTaken(record.key)
    rows.put(record.key, row_of(record, claim, owner))


def commit(transaction: Any, change: Change) -> CommitResult:
    """Put a record in the place of the version that it was made from."""
    rows, record = Rows(transaction), change.record
    key = Key(record.key)
    value = rows.get(key)
    if value is None:
        return GONE
    last = unpack_row(value)
    if last is None:
        return Corrupt(key)
    blob = pack(record)
    length = blob.index(key.encode()) + len(key)
    # format and key: what begins otherwise is no record, and stays as it is
    if last.version != change.expected or last.blob[:length] != blob[:length]:
        current = load_row(key, value)
        return current if isinstance(current, Corrupt) else Conflict(current)
    due = min(last.due, record.expires)
    rows.put(key, Row(record.version, due, last.claim, last.owner, blob), last)
    return COMMITTED


def replace(transaction: Any, replacement: Replacement) -> ReplaceResult | None:
    """Replace; None where some of the dead had to go first, and it is to be tried again."""
    rows, new, old = Rows(transaction), replacement.new, replacement.old
    if old is not None and (changed := _conflict(rows, Key(old.key), old.version)) is not None:
        return changed
    excess = _excess(rows, replacement)
    if isinstance(excess, Crowded):
        _remove_some(rows, new.owner, excess.dead)
        return None
    if isinstance(excess, Full):
        return excess
    owner = digest_of(new.owner)
    _add(rows, new, 0 if new.owner is None else rows.next_claim(owner), owner)
    if old is not None:
        rows.remove(old.key)
        if replacement.tombstone is not None:
            _add(rows, replacement.tombstone)
    for key in excess.ended:
        rows.remove(key)
    return excess


def _conflict(rows: Rows, key: Key, expected: int) -> Conflict | Gone | Corrupt | None:
    """Return why a row is not the version that is expected; None where it is."""
    value = rows.get(key)
    current = GONE if value is None else load_row(key, value)
    if not isinstance(current, Record):
        return current
    return None if current.version == expected else Conflict(current)


def _excess(rows: Rows, replacement: Replacement) -> Replaced | Full | Crowded:
    """Return which of the owner's sessions have to go."""
    owner, limit, now = replacement.new.owner, replacement.limit, replacement.now
    if limit is None or owner is None:
        return Replaced()
    digest = digest_of(owner)
    most = limit.number + MOST_DEAD + 1
    size = sum(1 for _ in zip(range(most), rows.claims(digest), strict=False))
    if size < limit.number:
        return Replaced()
    old = None if replacement.old is None else replacement.old.key
    entries = (
        (key, _head(rows, digest, claim, key))
        for claim, key in rows.claims(digest, newest_first=True)
    )
    return choose(limit, entries, size, now, new=replacement.new.key, old=old)


def _head(rows: Rows, owner: bytes, claim: int, key: Key) -> Head | None:
    """Return how the record of an entry begins; None where it has none: it is as good as dead."""
    value = rows.get(key)
    row = None if value is None else unpack_row(value)
    if row is None or (row.owner, row.claim) != (owner, claim):
        return None
    return head_of(row.blob[:HEAD_BYTES], key)


def _is_of_claim(value: bytes | None, owner: bytes, claim: int) -> bool:
    """Tell whether there is a row of an entry of the index; one that is damaged is anybody's."""
    if value is None:
        return False
    row = unpack_row(value)
    return row is None or (row.owner, row.claim) == (owner, claim)


def _remove_some(rows: Rows, owner: str | None, keys: Iterable[Key]) -> None:
    """Remove the dead of an owner, and stop when that is enough for one act."""
    digest, dead = digest_of(owner), set(keys)
    found = ((claim, key) for claim, key in rows.claims(digest) if key in dead)
    _remove_page(rows, digest, found, MOST_DEAD)


def _remove_page(
    rows: Rows, owner: bytes, claims: Iterable[tuple[int, Key]], batch: int
) -> tuple[list[Key], bool]:
    """Remove a page of an owner's rows, and their entries; tell whether there may be more."""
    page, more = cut(claims, lambda entry: len(rows.get(entry[1]) or b""), batch)
    removed = []
    for claim, key in page:
        if _is_of_claim(rows.get(key), owner, claim):
            rows.remove(key)
            removed.append(key)
        rows.drop_claim(owner, claim)
    return removed, more


def delete(transaction: Any, key: Key, leaving: Record | None) -> Record | Corrupt | None:
    """Remove a row and return its record; if there was one, leave something in its place."""
    rows = Rows(transaction)
    value = rows.remove(key)
    if value is None:
        return None
    if leaving is not None:
        _add(rows, leaving)
    row = unpack_row(value)
    return Corrupt(key) if row is None else unpack(row.blob, key)


def delete_owned(
    transaction: Any, owner: str, keep: Collection[str], before: Key | None, batch: int
) -> Deleted:
    """Remove some of an owner's sessions, oldest login first."""
    rows, digest = Rows(transaction), digest_of(owner)
    end: float = float("inf")
    if before is not None:
        value = rows.get(before)
        row = None if value is None else unpack_row(value)
        end = row.claim if row is not None and row.owner == digest else 0
    others = _until(end, rows.claims(digest), keep)
    keys, more = _remove_page(rows, digest, others, batch)
    return Deleted(tuple(keys), more)


def _until(
    end: float, claims: Iterable[tuple[int, Key]], keep: Collection[str]
) -> Iterator[tuple[int, Key]]:
    """Yield the logins before one, but for the sessions that stay."""
    for claim, key in claims:
        if claim >= end:
            break
        if key not in keep:
            yield claim, key


def owned_by(transaction: Any, owner: str, after: int, batch: int) -> Page:
    """Return a page of an owner's records."""
    rows, digest = Rows(transaction), digest_of(owner)
    entries = (
        (claim, key, value)
        for claim, key in rows.claims(digest, after=after)
        if (value := rows.get(key)) is not None
    )
    page, more = cut(entries, lambda entry: len(entry[2]), batch)
    records = [load_row(key, value, owner) for _, key, value in page]
    return Page(records, str(page[-1][0]) if more else None)


def scan(transaction: Any, after: str, batch: int) -> Page:
    """Return a page of all records, in the order of their keys."""
    page, more = cut(Rows(transaction).sessions(after), lambda entry: len(entry[1]), batch)
    records = [load_row(key, value) for key, value in page]
    return Page(records, page[-1][0] if more else None)


def count(transaction: Any) -> int:
    """Return how many rows there are."""
    return Rows(transaction).count()


def sweep(transaction: Any, now: Instant, batch: int) -> tuple[int, bool]:
    """Remove the dead and defer the living; return how many went, and whether there may be more."""
    rows = Rows(transaction)
    page, more = cut(rows.due(now), lambda entry: len(rows.get(entry[1]) or b""), batch)
    removed = 0
    for due, key in page:
        value = rows.get(key)
        row = None if value is None else unpack_row(value)
        record = Corrupt(key) if row is None else unpack(row.blob, key)
        if row is not None and isinstance(record, Record) and record.live_at(now):
            rows.put(key, row._replace(due=record.expires), row)
            if row.due != due:
                rows.drop_due(due, key)
            continue
        removed += rows.remove(key) is not None
        rows.drop_due(due, key)
    return removed, more


def bury(transaction: Any, batch: int) -> int:
    """Delete some of what was ended with everybody."""
    return Rows(transaction).bury(batch, PAGE_BYTES)
