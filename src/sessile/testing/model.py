"""One hypothesis machine for every store: whatever is done to it, it equals a dict.

``promises.stateful`` runs it on each backend; ``effort`` says for how long.
"""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from sessile.core.record import RecordKind
from sessile.errors import KeyTaken
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    Capability,
    Conflict,
    Full,
    Key,
    OnLimit,
    Record,
    Replaced,
)
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Drive
from sessile.testing.place import Place
from sessile.testing.sample import change, key, login, record, records_of

OWNERS = st.sampled_from(["alice", "bob", "alice:"])
TIMES = st.sampled_from([5.0, 10.0, 60.0])
"""Few and round, so that a clock often stands at a deadline exactly."""

BLOBS = st.binary(max_size=8)
NAMES = st.sampled_from(["cart", "theme", "na\u00efve"])


class StoreModel(RuleBasedStateMachine):
    """A store and the dict it should equal.

    What has expired may or may not be there still, so rules that write leave the expired alone.

    Args:
        place: fresh and empty; it is left at the end.
        drive: finishes its flows.
    """

    keys: Bundle[Key] = Bundle("keys")

    def __init__(self, place: Place, drive: Drive) -> None:
        super().__init__()
        self.place = place
        self.store = place.open()
        self.drive = drive
        self.clock = FakeClock()
        self.rows: dict[Key, Record] = {}  # in the order of the claims
        self.made = 0

    def live(self, key: Key) -> Record | None:
        """Return the record a store has to return."""
        row = self.rows.get(key)
        return row if row is not None and row.live_at(self.clock.now) else None

    def is_expired(self, key: Key) -> bool:
        """Tell whether that record expired and was not deleted."""
        return key in self.rows and self.live(key) is None

    def records_of(self, owner: str) -> list[Record]:
        """Return the records an owner has to have."""
        return [row for key, row in self.rows.items() if row.owner == owner and self.live(key)]

    def has(self, capability: Capability) -> bool:
        """Tell whether the store is capable of that."""
        return capability in self.store.capabilities

    def new_record(self, idle: float, absolute: float, owner: str | None = None) -> Record:
        """Return a record of a key that was never used."""
        self.made += 1
        name, now = f"row {self.made}", self.clock.now
        return record(name, at=now, idle=idle, absolute=absolute, owner=owner)

    @rule(target=keys, idle=TIMES, absolute=TIMES)
    def create(self, idle: float, absolute: float) -> Key:
        """Create an anonymous session."""
        row = self.new_record(idle, absolute)
        self.drive(self.store.create(row))
        self.rows[Key(row.key)] = row
        return Key(row.key)

    @rule(key=keys)
    def create_again(self, key: Key) -> None:
        """Create, or log in, under a key that is taken."""
        if not self.live(key):
            return
        with pytest.raises(KeyTaken):
            self.drive(self.store.create(record(key=key, version=9)))
        if self.has(Capability.OWNERS):
            with pytest.raises(KeyTaken):
                self.drive(
                    self.store.replace(login(record(key=key, owner="bob"), now=self.clock.now))
                )

    @precondition(lambda self: self.has(Capability.OWNERS))
    @rule(
        target=keys,
        owner=OWNERS,
        idle=TIMES,
        limit=st.none() | st.integers(1, 3),
        on_limit=st.sampled_from(OnLimit),
    )
    def log_in(self, owner: str, idle: float, limit: int | None, on_limit: OnLimit) -> Key:
        """Log in; what is over the limit ends."""
        row, others = self.new_record(idle, 60.0, owner), self.records_of(owner)
        request = login(row, now=self.clock.now, limit=limit, on_limit=on_limit)
        answer = self.drive(self.store.replace(request))
        over = [] if limit is None else others[: max(0, len(others) + 1 - limit)]
        if over and on_limit is OnLimit.REFUSE:
            assert answer == Full()
            return Key(row.key)
        if over and on_limit is OnLimit.END_OTHERS:
            over = others
        assert answer == Replaced(tuple(Key(other.key) for other in over))
        for other in over:
            del self.rows[Key(other.key)]
        self.rows[Key(row.key)] = row
        return Key(row.key)

    @rule(target=keys, key=keys, idle=TIMES, owner=st.none() | OWNERS, leaves=st.booleans())
    def log_in_from(self, key: Key, idle: float, owner: str | None, *, leaves: bool) -> Key:
        """Log in, in the place of a session that is there or gone; leave a tombstone or none."""
        old = self.live(key)
        row = self.new_record(idle, 60.0, owner if self.has(Capability.OWNERS) else None)
        if self.is_expired(key):
            return Key(row.key)
        grave = None
        if leaves:
            grave = record(key=key, at=row.created, idle=5.0, version=0, kind=RecordKind.TOMBSTONE)
        request = login(row, now=self.clock.now, old=old or record(key=key), tombstone=grave)
        assert self.drive(self.store.replace(request)) == (Replaced() if old else GONE)
        if old:
            del self.rows[key]
            if grave is not None:
                self.rows[key] = grave
            self.rows[Key(row.key)] = row
        return Key(row.key)

    @rule(key=keys, put=st.dictionaries(NAMES, BLOBS), gone=st.sets(NAMES), idle=TIMES)
    def commit(self, key: Key, put: dict[str, bytes], gone: set[str], idle: float) -> None:
        """Commit from the current version, or to what is gone."""
        if self.is_expired(key):
            return
        row = self.live(key)
        until = self.clock.now + idle
        update = change(row or record(key=key), put, removed=gone - put.keys(), idle_until=until)
        assert self.drive(self.store.commit(update)) == (COMMITTED if row else GONE)
        if row:
            self.rows[key] = update.record

    @rule(key=keys, off=st.sampled_from([-2, -1, 1]))
    def write_stale(self, key: Key, off: int) -> None:
        """Commit from, and log in in the place of, a version that is not the current one."""
        row = self.live(key)
        if row:
            old = record(key=key, version=row.version + off)
            assert self.drive(self.store.commit(change(old, {"who": b"late"}))) == Conflict(row)
            late = login(self.new_record(10.0, 60.0), now=self.clock.now, old=old)
            assert self.drive(self.store.replace(late)) == Conflict(row)

    @rule(key=keys, by_owner=st.booleans())
    def delete(self, key: Key, *, by_owner: bool) -> None:
        """End a session, one that ended included."""
        row, expired = self.live(key), self.is_expired(key)
        was = self.rows.pop(key, None)
        owner = was.owner if was and by_owner else None
        answer = self.drive(self.store.delete(key, owner))
        assert answer in ((None, was) if expired else (row,))

    @rule(key=keys, idle=TIMES)
    def replace(self, key: Key, idle: float) -> None:
        """End a session and leave something in its place."""
        row = self.live(key)
        if self.is_expired(key):
            return
        left = record(key=key, at=self.clock.now, idle=idle, version=0, kind=RecordKind.TOMBSTONE)
        assert self.drive(self.store.delete(key, row.owner if row else None, leaving=left)) == row
        if row:
            del self.rows[key]
            self.rows[key] = left

    @precondition(lambda self: self.made % 16 == 15)  # seldom, or little would live to be looked at
    @rule()
    def end_everybody(self) -> None:
        """End every session there is."""
        self.drive(self.store.end_everybody())
        self.rows.clear()

    @rule(seconds=st.sampled_from([5.0, 55.0]))
    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @precondition(lambda self: self.has(Capability.SCAN))
    @rule(batch=st.integers(1, 5))
    def scan(self, batch: int) -> None:
        """Scan from the first page to the last."""
        found: dict[str, Record] = {}
        cursor = None
        for _ in range(1000):
            page = self.drive(self.store.scan(cursor, batch))
            found |= {row.key: row for row in page.records if isinstance(row, Record)}
            cursor = page.cursor
            if cursor is None:
                break
        live = {key: row for key, row in found.items() if row.live_at(self.clock.now)}
        assert live == {key: row for key, row in self.rows.items() if self.live(key)}
        assert self.drive(self.store.count()) >= len(live)

    @rule(batch=st.integers(1, 5))
    def sweep(self, batch: int) -> None:
        """Remove a batch of the expired; where none was left, none is there."""
        swept = self.drive(self.store.sweep(self.clock.now, batch))
        assert 0 <= swept <= batch
        if swept == 0 and not self.has(Capability.NATIVE_EXPIRY):
            for key in [key for key in self.rows if self.is_expired(key)]:
                assert self.drive(self.store.read(key)) is None
                del self.rows[key]

    @invariant()
    def rows_equal_the_dict(self) -> None:
        """Every key that was ever used reads as the dict says; what expired may be gone."""
        for n in range(1, self.made + 1):
            name = key(f"row {n}")
            found = self.drive(self.store.read(name))
            assert found == self.rows.get(name) or (found is None and self.is_expired(name))

    @invariant()
    def index_equals_the_dict(self) -> None:
        """Every owner has what the dict says, in the order of the logins."""
        if self.has(Capability.OWNERS):
            for owner in ("alice", "bob", "alice:"):
                found = records_of(self.store, self.drive, owner, batch=3)
                live = [r for r in found if isinstance(r, Record) and r.live_at(self.clock.now)]
                assert live == self.records_of(owner)

    def teardown(self) -> None:
        """Close the store and leave its place."""
        self.drive(self.store.close())
        self.place.leave()
