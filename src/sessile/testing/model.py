"""One hypothesis machine for every store: whatever is done to it, it equals a dict.

``promises.stateful`` runs it on each backend; ``effort`` says for how long.
"""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from sessile.core.change import COMMITTED, GONE, Capability, Claimed, Conflict, Excess, Full
from sessile.core.record import Over, Record
from sessile.core.ticket import Key
from sessile.errors import KeyTaken
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Drive
from sessile.testing.place import Place
from sessile.testing.sample import change, key, record

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
        """Create or claim under a key that is taken."""
        if not self.live(key):
            return
        with pytest.raises(KeyTaken):
            self.drive(self.store.create(record(key=key, version=9)))
        if self.has(Capability.OWNERS):
            with pytest.raises(KeyTaken):
                self.drive(self.store.claim(record(key=key, owner="bob"), self.clock.now))

    @precondition(lambda self: self.has(Capability.OWNERS))
    @rule(
        target=keys,
        owner=OWNERS,
        idle=TIMES,
        limit=st.none() | st.integers(1, 3),
        excess=st.sampled_from(Excess),
        ends=st.booleans(),
    )
    def claim(
        self, owner: str, idle: float, limit: int | None, excess: Excess, *, ends: bool
    ) -> Key:
        """Log in; end the excess or leave it."""
        row, others = self.new_record(idle, 60.0, owner), self.records_of(owner)
        answer = self.drive(self.store.claim(row, self.clock.now, limit=limit, excess=excess))
        over = [] if limit is None else others[: max(0, len(others) + 1 - limit)]
        if over and excess is Excess.REFUSE:
            assert answer == Full()
            return Key(row.key)
        assert answer == Claimed(tuple(Key(other.key) for other in over))
        self.rows[Key(row.key)] = row
        for other in over if ends else ():
            self.delete(Key(other.key), by_owner=True)
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
    def commit_stale(self, key: Key, off: int) -> None:
        """Commit from a version that is not the current one."""
        row = self.live(key)
        if row:
            late = change(record(key=key, version=row.version + off), {"who": b"late"})
            assert self.drive(self.store.commit(late)) == Conflict(row)

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
        left = record(key=key, at=self.clock.now, idle=idle, version=0, over=Over.REPLACED)
        assert self.drive(self.store.delete(key, row.owner if row else None, leaving=left)) == row
        if row:
            del self.rows[key]
            self.rows[key] = left

    @precondition(lambda self: self.made % 16 == 15)  # seldom, or little would live to be looked at
    @rule()
    def end_everybody(self) -> None:
        """End every session there is."""
        self.drive(self.store.end_everybody(self.clock.now))
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
            page = self.drive(self.store.scan(self.clock.now, cursor, batch))
            found |= {row.key: row for row in page.records}
            cursor = page.cursor
            if cursor is None:
                break
        assert found == {key: row for key, row in self.rows.items() if self.live(key)}

    @rule(batch=st.integers(1, 5))
    def sweep(self, batch: int) -> None:
        """Remove a batch of the expired."""
        assert 0 <= self.drive(self.store.sweep(self.clock.now, batch)) <= batch

    @invariant()
    def rows_equal_the_dict(self) -> None:
        """Every key that was ever used reads as the dict says."""
        for n in range(1, self.made + 1):
            name = key(f"row {n}")
            assert self.drive(self.store.read(name, self.clock.now)) == self.live(name)

    @invariant()
    def index_equals_the_dict(self) -> None:
        """Every owner has what the dict says, in the order of the claims."""
        if self.has(Capability.OWNERS):
            for owner in ("alice", "bob", "alice:"):
                owned = self.drive(self.store.owned_by(owner, self.clock.now))
                assert owned == self.records_of(owner)

    def teardown(self) -> None:
        """Close the store and leave its place."""
        self.drive(self.store.close())
        self.place.leave()
