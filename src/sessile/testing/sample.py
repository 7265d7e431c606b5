"""Ready-made keys, records and changes for tests of stores. Same name, same value."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sessile.core.record import FORMAT, evolve
from sessile.core.ticket import SELECTOR_BYTES, Key
from sessile.core.value import Instant, Seconds
from sessile.stores.contract import Change, Corrupt, Limit, OnLimit, Record, Replacement, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive

ENOUGH: Final = 1000
"""Pages after which an index that has not ended never will."""


def key(name: str) -> Key:
    """Return a session's id made from a name."""
    selector = hashlib.sha256(name.encode()).digest()[:SELECTOR_BYTES]
    return Key(base64.urlsafe_b64encode(selector).decode())


def record(
    name: str = "a",
    *,
    at: Instant = T0,
    idle: Seconds = 600.0,
    absolute: Seconds = 3600.0,
    **fields: Any,
) -> Record:
    """Return the first version of a record, made at an instant and living from there."""
    made: dict[str, Any] = {
        "format": FORMAT,
        "key": key(name),
        "version": 1,
        "created": at,
        "seen": at,
        "idle_until": at + idle,
        "until": at + absolute,
        "digest": hashlib.sha256(b"verifier of " + name.encode()).digest(),
        "rotated": at,
        "confirmed": at,
        "data": {"name": name.encode()},
    }
    return Record(**(made | fields))


def change(
    old: Record,
    put: Mapping[str, bytes] | None = None,
    *,
    removed: Iterable[str] = (),
    **fields: Any,
) -> Change:
    """Return the commit that makes the next version of a record."""
    gone = frozenset(removed)
    kept = {name: blob for name, blob in old.data.items() if name not in gone}
    new = evolve(old, version=old.version + 1, data=kept | dict(put or {}), **fields)
    return Change(new, old.version, dict(put or {}), gone)


def login(
    row: Record,
    *,
    now: Instant = T0,
    limit: int | None = None,
    on_limit: OnLimit = OnLimit.END_OLDEST,
    old: Record | None = None,
    tombstone: Record | None = None,
) -> Replacement:
    """Return the login that stores a record, for ``Store.replace``."""
    allowed = None if limit is None else Limit(limit, on_limit)
    return Replacement(row, now, allowed, old, tombstone)


def records_of(store: Store, drive: Drive, owner: str, batch: int = 100) -> list[Record | Corrupt]:
    """Return whatever a store keeps for an owner, page by page."""
    found: list[Record | Corrupt] = []
    cursor: str | None = None
    for _ in range(ENOUGH):
        page = drive(store.owned_by(owner, cursor, batch))
        found += page.records
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError(f"the index had not ended after {ENOUGH} pages")
