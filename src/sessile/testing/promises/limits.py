"""What ``claim`` promises of limits: exact, also when many log in at once."""

import math
from collections.abc import Callable
from itertools import count

import pytest

from sessile.core.change import Capability, Claimed, Excess, Full
from sessile.core.flow import Flow
from sessile.core.record import Record
from sessile.core.ticket import Key
from sessile.stores.contract import Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import change, key, record
from sessile.testing.step import interleavings

RIVALS = 8
REFUSE = Excess.REFUSE


def rows_of_alice(names: str) -> list[Record]:
    """Return a record of alice's for each letter."""
    return [record(name, owner="alice") for name in names]


async def log_in(store: Store, row: Record, limit: int) -> None:
    """Claim, and end the excess, as the service does."""
    claimed = await store.claim(row, T0, limit=limit)
    assert isinstance(claimed, Claimed)
    for over in claimed.excess:
        await store.delete(over, row.owner)


class OwnerLimits:
    """The oldest go or the newest stay out, and always as many as was said."""

    @needs(Capability.OWNERS)
    def test_no_limit_has_no_excess(self, store: Store, drive: Drive) -> None:
        """Without a limit every claim is admitted and nothing is in excess."""
        for row in rows_of_alice("abcdefgh"):
            assert drive(store.claim(row, T0)) == Claimed()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_excess_is_the_oldest(self, store: Store, drive: Drive, limit: int) -> None:
        """A claim over the limit names the oldest sessions, as many as must go, never itself."""
        rows = sorted(rows_of_alice("abcdef"), key=lambda row: row.key)[::-1]
        for row in rows[:-1]:
            drive(store.claim(row, T0))

        over = tuple(Key(row.key) for row in rows[: len(rows) - limit])
        assert drive(store.claim(rows[-1], T0, limit=limit)) == Claimed(over)

    @needs(Capability.OWNERS)
    def test_excess_is_named_not_ended(self, store: Store, drive: Drive) -> None:
        """A claim over the limit deletes nothing: the service ends sessions and says so."""
        first, second = rows_of_alice("ab")
        drive(store.claim(first, T0))
        drive(store.claim(second, T0, limit=1))

        assert drive(store.owned_by("alice", T0)) == [first, second]

    @needs(Capability.OWNERS)
    def test_claim_within_the_limit_has_no_excess(self, store: Store, drive: Drive) -> None:
        """As many sessions as allowed are no excess, whoever else is logged in."""
        drive(store.claim(record("other", owner="bob"), T0))
        for row in rows_of_alice("abc"):
            assert drive(store.claim(row, T0, limit=3)) == Claimed()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("excess", list(Excess))
    def test_replaced_session_does_not_count(
        self, store: Store, drive: Drive, excess: Excess
    ) -> None:
        """A login in place of an older session of the same user takes nobody's place."""
        rows = rows_of_alice("abc")
        for row in rows[:2]:
            drive(store.claim(row, T0))
        replaced = Key(rows[1].key)

        answer = drive(store.claim(rows[2], T0, limit=2, excess=excess, replacing=replaced))
        assert answer == Claimed()

    @needs(Capability.OWNERS)
    def test_refused_claim_writes_nothing(self, store: Store, drive: Drive) -> None:
        """Where the limit refuses, neither the record nor the index has changed."""
        first, second, third = rows_of_alice("abc")
        drive(store.claim(first, T0, limit=2, excess=REFUSE))
        assert drive(store.claim(second, T0, limit=2, excess=REFUSE)) == Claimed()

        assert drive(store.claim(third, T0, limit=2, excess=REFUSE)) == Full()
        assert drive(store.read(key("c"), T0)) is None
        assert drive(store.owned_by("alice", T0)) == [first, second]

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("by_owner", [True, False])
    def test_deleted_sessions_do_not_count(
        self, store: Store, drive: Drive, *, by_owner: bool
    ) -> None:
        """A deleted session makes room, whether or not the deletion named its owner."""
        first, second = rows_of_alice("ab")
        drive(store.claim(first, T0))
        drive(store.delete(key("a"), "alice" if by_owner else None))

        assert drive(store.claim(second, T0, limit=1, excess=REFUSE)) == Claimed()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("excess", list(Excess))
    def test_expired_sessions_do_not_count(
        self, store: Store, drive: Drive, excess: Excess
    ) -> None:
        """A session counts until just before its deadline; at the deadline it makes room."""
        drive(store.claim(record("a", owner="alice", idle=60.0), T0))
        before, after = math.nextafter(T0 + 60.0, 0.0), T0 + 60.0
        full = Full() if excess is REFUSE else Claimed((key("a"),))
        drive(store.claim(record("old", owner="bob", idle=60.0), T0))

        assert (
            drive(store.claim(record("b", owner="alice"), before, limit=1, excess=excess)) == full
        )
        assert (
            drive(store.claim(record("new", owner="bob"), after, limit=1, excess=excess))
            == Claimed()
        )

    @needs(Capability.OWNERS)
    def test_extended_sessions_count(self, store: Store, drive: Drive) -> None:
        """A session that a commit extended counts after its first deadline."""
        row = record("a", owner="alice", idle=60.0)
        drive(store.claim(row, T0))
        drive(store.commit(change(row, idle_until=T0 + 600.0)))

        answer = drive(store.claim(record("b", owner="alice"), T0 + 61.0, limit=1, excess=REFUSE))
        assert answer == Full()

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 3])
    def test_rival_logins_leave_the_limit(self, store: Store, drive: Drive, limit: int) -> None:
        """When many log in at once and each ends its excess, exactly the limit is left."""
        rows = [record(f"rival {n}", owner="alice") for n in range(RIVALS)]
        assert drive.together(log_in(store, row, limit) for row in rows) == [None] * RIVALS

        assert len(drive(store.owned_by("alice", T0))) == limit

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 3])
    def test_of_rival_claims_the_limit_is_admitted(
        self, store: Store, drive: Drive, limit: int
    ) -> None:
        """When many claim at once and the rest is refused, exactly the limit is admitted."""
        rows = [record(f"rival {n}", owner="alice") for n in range(RIVALS)]
        answers = drive.together(store.claim(row, T0, limit=limit, excess=REFUSE) for row in rows)

        assert answers.count(Claimed()) == limit
        assert answers.count(Full()) == RIVALS - limit
        assert len(drive(store.owned_by("alice", T0))) == limit

    @needs(Capability.OWNERS)
    def test_login_at_any_stopping_point_leaves_the_limit(self, store: Store, drive: Drive) -> None:
        """Wherever a rival's login falls into another's, one session of the limit is left."""
        owners = (f"owner {n}" for n in count())

        def world() -> str:
            owner = next(owners)
            drive(store.claim(record(f"old of {owner}", owner=owner), T0))
            return owner

        def login(name: str) -> Callable[[str], Flow[None]]:
            return lambda owner: log_in(store, record(f"{name} of {owner}", owner=owner), 1)

        for met in interleavings(world, login("a"), login("b"), drive=drive):
            met.a.get(), met.b.get()
            assert len(drive(store.owned_by(met.world, T0))) == 1, met.stop
