"""What ``replace`` promises of limits: exact, also when many log in at once."""

import math
from collections.abc import Callable
from itertools import count

import pytest

from sessile.core.flow import Flow
from sessile.stores.contract import (
    UNCLAIMED_TTL,
    Capability,
    Corrupt,
    Full,
    Key,
    OnLimit,
    Record,
    Replaced,
    ReplaceResult,
    Store,
)
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import change, key, login, record, records_of
from sessile.testing.step import interleavings

RIVALS = 8
REFUSE = OnLimit.REFUSE


def rows_of_alice(names: str) -> list[Record]:
    """Return a record of alice's for each letter."""
    return [record(name, owner="alice") for name in names]


class OwnerLimits:
    """The oldest go or the newest stay out, and always as many as was said."""

    @needs(Capability.OWNERS)
    def test_no_limit_has_no_excess(self, store: Store, drive: Drive) -> None:
        """Without a limit every login is admitted and ends nobody."""
        for row in rows_of_alice("abcdefgh"):
            assert drive(store.replace(login(row))) == Replaced()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_excess_is_the_oldest(self, store: Store, drive: Drive, limit: int) -> None:
        """A login over the limit ends the oldest sessions, as many as must go, never itself."""
        rows = sorted(rows_of_alice("abcdef"), key=lambda row: row.key)[::-1]
        for row in rows[:-1]:
            drive(store.replace(login(row)))

        over = tuple(Key(row.key) for row in rows[: len(rows) - limit])
        assert drive(store.replace(login(rows[-1], limit=limit))) == Replaced(over)
        assert records_of(store, drive, "alice") == rows[len(rows) - limit :]

    @needs(Capability.OWNERS)
    def test_excess_can_be_all_others(self, store: Store, drive: Drive) -> None:
        """A login over a limit that ends all others stays alone; one within it ends none."""
        rows = rows_of_alice("abcd")
        for row in rows[:3]:
            answer = drive(store.replace(login(row, limit=3, on_limit=OnLimit.END_OTHERS)))
            assert answer == Replaced()

        answer = drive(store.replace(login(rows[3], limit=3, on_limit=OnLimit.END_OTHERS)))
        assert answer == Replaced(tuple(Key(row.key) for row in rows[:3]))
        assert records_of(store, drive, "alice") == [rows[3]]

    @needs(Capability.OWNERS)
    def test_excess_is_gone_with_the_login(self, store: Store, drive: Drive) -> None:
        """A session over the limit is removed by the login itself: its key is free."""
        first, second = rows_of_alice("ab")
        drive(store.replace(login(first)))
        drive(store.replace(login(second, limit=1)))

        assert drive(store.read(key("a"))) is None
        drive(store.create(record("a")))

    @needs(Capability.OWNERS)
    def test_claim_within_the_limit_has_no_excess(self, store: Store, drive: Drive) -> None:
        """As many sessions as allowed are no excess, whoever else is logged in."""
        drive(store.replace(login(record("other", owner="bob"))))
        for row in rows_of_alice("abc"):
            assert drive(store.replace(login(row, limit=3))) == Replaced()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_replaced_session_does_not_count(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """A login in place of an older session of the same user takes nobody's place."""
        rows = rows_of_alice("abc")
        for row in rows[:2]:
            drive(store.replace(login(row)))

        answer = drive(store.replace(login(rows[2], limit=2, on_limit=on_limit, old=rows[1])))
        assert answer == Replaced()
        assert records_of(store, drive, "alice") == [rows[0], rows[2]]

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_what_was_never_presented_takes_no_place(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """Some seconds after its login such a session ends at the next one, within the limit."""
        nobodys = record("b", owner="alice", confirmed=None)
        for row in (record("a", owner="alice"), nobodys):
            drive(store.replace(login(row)))
        early, late = T0 + UNCLAIMED_TTL - 0.5, T0 + UNCLAIMED_TTL
        full = record("x", owner="alice", at=early)
        refused = drive(store.replace(login(full, now=early, limit=2, on_limit=REFUSE)))
        assert refused == Full()  # its client may be about to come
        first = record("c", owner="alice", at=early)
        drive(store.replace(login(first, now=early, limit=4, on_limit=on_limit)))
        second = record("d", owner="alice", at=late)
        result = drive(store.replace(login(second, now=late, limit=3, on_limit=on_limit)))

        assert result == Replaced((key("b"),))
        assert records_of(store, drive, "alice") == [record("a", owner="alice"), first, second]

    @needs(Capability.OWNERS)
    def test_refused_claim_writes_nothing(self, store: Store, drive: Drive) -> None:
        """Where the limit refuses, neither a record nor the index has changed."""
        first, second, third = rows_of_alice("abc")
        drive(store.replace(login(first, limit=2, on_limit=REFUSE)))
        assert drive(store.replace(login(second, limit=2, on_limit=REFUSE))) == Replaced()
        drive(store.create(record("visitor")))

        late = login(third, limit=2, on_limit=REFUSE, old=record("visitor"))
        assert drive(store.replace(late)) == Full()
        assert drive(store.read(key("c"))) is None
        assert drive(store.read(key("visitor"))) == record("visitor")
        assert records_of(store, drive, "alice") == [first, second]

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("by_owner", [True, False])
    def test_deleted_sessions_do_not_count(
        self, store: Store, drive: Drive, *, by_owner: bool
    ) -> None:
        """A deleted session makes room, whether or not the deletion named its owner."""
        first, second = rows_of_alice("ab")
        drive(store.replace(login(first)))
        drive(store.delete(key("a"), "alice" if by_owner else None))

        assert drive(store.replace(login(second, limit=1, on_limit=REFUSE))) == Replaced()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_expired_sessions_do_not_count(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """A session counts until just before its deadline; at the deadline it makes room."""
        drive(store.replace(login(record("a", owner="alice", idle=60.0))))
        drive(store.replace(login(record("old", owner="bob", idle=60.0))))
        before, after = math.nextafter(T0 + 60.0, 0.0), T0 + 60.0
        full = Full() if on_limit is REFUSE else Replaced((key("a"),))
        early = login(record("b", owner="alice"), now=before, limit=1, on_limit=on_limit)
        late = login(record("new", owner="bob"), now=after, limit=1, on_limit=on_limit)

        assert drive(store.replace(early)) == full
        assert drive(store.replace(late)) == Replaced()

    @needs(Capability.OWNERS)
    def test_extended_sessions_count(self, store: Store, drive: Drive) -> None:
        """A session that a commit extended counts after its first deadline."""
        row = record("a", owner="alice", idle=60.0)
        drive(store.replace(login(row)))
        drive(store.commit(change(row, idle_until=T0 + 600.0)))
        late = login(record("b", owner="alice"), now=T0 + 61.0, limit=1, on_limit=REFUSE)

        assert drive(store.replace(late)) == Full()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 3])
    def test_rival_logins_leave_the_limit(self, store: Store, drive: Drive, limit: int) -> None:
        """When many log in at once, exactly the limit is left, and each other is ended once."""
        rows = [record(f"rival {n}", owner="alice") for n in range(RIVALS)]
        answers = drive.together(store.replace(login(row, limit=limit)) for row in rows)

        ended = [key for answer in answers if isinstance(answer, Replaced) for key in answer.ended]
        left = [row.key for row in records_of(store, drive, "alice") if isinstance(row, Record)]
        assert len(left) == limit
        assert sorted([*ended, *left]) == sorted(row.key for row in rows)

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 3])
    def test_of_rival_claims_the_limit_is_admitted(
        self, store: Store, drive: Drive, limit: int
    ) -> None:
        """When many log in at once and the rest is refused, exactly the limit is admitted."""
        rows = [record(f"rival {n}", owner="alice") for n in range(RIVALS)]
        answers = drive.together(
            store.replace(login(row, limit=limit, on_limit=REFUSE)) for row in rows
        )

        assert answers.count(Replaced()) == limit
        assert answers.count(Full()) == RIVALS - limit
        assert len(records_of(store, drive, "alice")) == limit

    @needs(Capability.OWNERS)
    def test_nobody_sees_more_than_the_limit(self, store: Store, drive: Drive) -> None:
        """Wherever somebody looks while a login is under way, what is over the limit is not there.

        Nor has it gone before the new session is there.
        """
        owners = (f"owner {n}" for n in count())

        def world() -> list[Record]:
            owner = next(owners)
            rows = [record(f"{name} of {owner}", owner=owner) for name in ("old", "new")]
            drive(store.replace(login(rows[0])))
            return rows

        def log_in(rows: list[Record]) -> Flow[ReplaceResult]:
            return store.replace(login(rows[1], limit=1))

        async def look(rows: list[Record]) -> list[Record | Corrupt | None]:
            return [await store.read(Key(row.key)) for row in rows]

        for met in interleavings(world, log_in, look, drive=drive):
            first, second = met.world
            assert met.b.get() in ([first, None], [None, second]), met.stop

    @needs(Capability.OWNERS)
    def test_login_at_any_stopping_point_leaves_the_limit(self, store: Store, drive: Drive) -> None:
        """Wherever a rival's login falls into another's, one session of the limit is left."""
        owners = (f"owner {n}" for n in count())

        def world() -> str:
            owner = next(owners)
            drive(store.replace(login(record(f"old of {owner}", owner=owner))))
            return owner

        def rival(name: str) -> Callable[[str], Flow[ReplaceResult]]:
            return lambda owner: store.replace(
                login(record(f"{name} of {owner}", owner=owner), limit=1)
            )

        for met in interleavings(world, rival("a"), rival("b"), drive=drive):
            met.a.get(), met.b.get()
            assert len(records_of(store, drive, met.world)) == 1, met.stop
