"""What ``end_everybody`` promises: as if every record had been deleted, in one act."""

import pytest

from sessile.core.flow import Flow
from sessile.core.record import RecordKind
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    Capability,
    CommitResult,
    Full,
    OnLimit,
    Record,
    Replaced,
    ReplaceResult,
    Store,
)
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.promises.scanning import scan_all
from sessile.testing.sample import change, key, login, record, records_of
from sessile.testing.step import interleavings

REFUSE = OnLimit.REFUSE
SWEEPS = 10


class Everybody:
    """What was made before is over, at once and for everybody; what is made after lives."""

    def test_everybody_ended_reads_as_none(self, store: Store, drive: Drive) -> None:
        """What was new, changed or left behind is absent, and is not called corrupt."""
        for name in "abc":
            drive(store.create(record(name)))
        drive(store.commit(change(record("b"))))
        drive(store.delete(key("c"), leaving=record("c", version=0, kind=RecordKind.TOMBSTONE)))
        drive(store.end_everybody())

        assert [drive(store.read(key(name))) for name in "abc"] == [None] * 3

    def test_ending_nobody_is_no_error(self, store: Store, drive: Drive) -> None:
        """Where nobody is, or nobody is left, there is nothing to end."""
        drive(store.end_everybody())
        drive(store.create(record()))
        drive(store.end_everybody())
        drive(store.end_everybody())

        assert drive(store.read(key("a"))) is None

    def test_no_clock_spares_or_ends(self, store: Store, drive: Drive) -> None:
        """Before and after are what the store saw, not what the clocks of two servers say."""
        for name, ahead in (("a", -5.0), ("b", 0.0), ("c", 5.0)):
            drive(store.create(record(name, at=T0 + ahead)))
        drive(store.end_everybody())
        assert [drive(store.read(key(name))) for name in "abc"] == [None] * 3

        for name, ahead in (("d", -5.0), ("e", 0.0), ("f", 5.0)):
            row = record(name, at=T0 + ahead)
            drive(store.create(row))
            assert drive(store.read(key(name))) == row

    def test_session_made_after_the_end_is_whole(self, store: Store, drive: Drive) -> None:
        """What is created after the end is read and changed like any other."""
        drive(store.create(record("old")))
        drive(store.end_everybody())
        update = change(record(), {"n": b"1"})
        drive(store.create(record()))

        assert drive(store.commit(update)) == COMMITTED
        assert drive(store.read(key("a"))) == update.record

    def test_key_of_the_ended_is_free(self, store: Store, drive: Drive) -> None:
        """A key can be created anew after the end, and no late commit reaches what is there."""
        new = record(version=7, data={"who": b"second"})
        drive(store.create(record(data={"who": b"first"})))
        drive(store.end_everybody())
        drive(store.create(new))

        assert drive(store.read(key("a"))) == new

    def test_commit_to_the_ended_is_gone(self, store: Store, drive: Drive) -> None:
        """Whoever read a session before the end cannot write it back after."""
        drive(store.create(record()))
        drive(store.end_everybody())

        assert drive(store.commit(change(record()))) == GONE
        assert drive(store.read(key("a"))) is None

    def test_ended_session_is_not_replaced(self, store: Store, drive: Drive) -> None:
        """Whoever read a session before the end cannot log in in its place after."""
        drive(store.create(record()))
        drive(store.end_everybody())

        assert drive(store.replace(login(record("new"), old=record()))) == GONE
        assert drive(store.read(key("new"))) is None

    def test_commit_met_by_the_end_revives_nothing(self, store: Store, drive: Drive) -> None:
        """Wherever the end falls into a commit, the session is over when both have returned."""

        def world() -> Record:
            drive(store.create(record()))
            return record()

        def commit(row: Record) -> Flow[CommitResult]:
            return store.commit(change(row, {"n": b"1"}))

        answers = []
        for met in interleavings(world, commit, lambda _: store.end_everybody(), drive=drive):
            met.b.get()
            answers.append(met.a.get())
            assert drive(store.read(key("a"))) is None, met.stop
        assert (answers[0], answers[-1]) == (GONE, COMMITTED)

    def test_deleting_the_ended_is_none(self, store: Store, drive: Drive) -> None:
        """Nobody is told to have ended what had ended, and nothing is left in its place."""
        drive(store.create(record("a")))
        drive(store.create(record("b")))
        drive(store.end_everybody())

        assert drive(store.delete(key("a"))) is None
        assert (
            drive(store.delete(key("b"), leaving=record("b", version=0, kind=RecordKind.TOMBSTONE)))
            is None
        )
        assert drive(store.read(key("b"))) is None

    def test_sweep_after_the_end_spares_the_new(self, store: Store, drive: Drive) -> None:
        """A sweep may remove what was ended, comes to an end, and leaves what was made after."""
        for n in range(5):
            drive(store.create(record(f"row {n}")))
        drive(store.end_everybody())
        drive(store.create(record()))

        assert 0 in [drive(store.sweep(T0, 2)) for _ in range(SWEEPS)]
        assert drive(store.read(key("a"))) == record()

    @needs(Capability.OWNERS)
    def test_owner_of_the_ended_owns_the_new_alone(self, store: Store, drive: Drive) -> None:
        """An index shows what was stored after the end, in the order of the logins."""
        for name in "abcd":
            drive(store.replace(login(record(name, owner="alice"))))
        drive(store.end_everybody())
        assert records_of(store, drive, "alice") == []

        rows = [record(name, owner="alice") for name in "fae"]
        for row in rows:
            assert drive(store.replace(login(row))) == Replaced()
        assert records_of(store, drive, "alice") == rows

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_ended_sessions_count_for_no_limit(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """A login counts what was stored after the end, and ends nothing else as excess."""
        for name in "abc":
            drive(store.replace(login(record(name, owner="alice"))))
        drive(store.end_everybody())
        new = [record(name, owner="alice") for name in "de"]
        full = Full() if on_limit is REFUSE else Replaced((key("d"),))

        assert drive(store.replace(login(new[0], limit=1, on_limit=on_limit))) == Replaced()
        assert drive(store.replace(login(new[1], limit=1, on_limit=on_limit))) == full

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("limit", [1, 2])
    def test_claim_met_by_the_end_is_whole(self, store: Store, drive: Drive, limit: int) -> None:
        """Wherever the end falls into a login, what lives is indexed and what is ended is not."""
        new = record("new", owner="alice")

        def world() -> None:
            drive(store.replace(login(record("old", owner="alice"))))

        def log_in(_: None) -> Flow[ReplaceResult]:
            return store.replace(login(new, limit=limit, on_limit=REFUSE))

        told = []
        for met in interleavings(world, log_in, lambda _: store.end_everybody(), drive=drive):
            met.b.get()
            live = drive(store.read(key("new")))
            told.append((met.a.get(), live))
            assert records_of(store, drive, "alice") == [row for row in (live,) if row], met.stop
            drive(store.end_everybody())
        assert told[0] == (Replaced(), new)
        assert told[-1] == (Full() if limit == 1 else Replaced(), None)

    @needs(Capability.SCAN)
    def test_scan_passes_over_the_ended(self, store: Store, drive: Drive) -> None:
        """A scan finds what was made after the end; one under way finds no more of the rest."""
        for n in range(50):
            drive(store.create(record(f"row {n}")))
        begun = drive(store.scan(None, 10))
        drive(store.end_everybody())
        drive(store.create(record()))

        assert scan_all(store, drive) == {key("a"): record()}
        if begun.cursor is not None:
            later = drive(store.scan(begun.cursor, 100)).records
            assert [row for row in later if row.key != key("a")] == []

    @needs(Capability.SHARED)
    def test_end_reaches_every_handle(self, store: Store, other: Store, drive: Drive) -> None:
        """At the next act of every server everybody is over, and what one makes all see."""
        for ending, working in ((store, other), (other, store)):
            drive(working.create(record("a")))
            drive(ending.create(record("b")))
            for handle in (store, other):  # each has looked, and may remember
                assert drive(handle.read(key("a"))) == record("a")
            drive(ending.end_everybody())

            assert drive(working.read(key("a"))) is None
            assert drive(working.commit(change(record("a")))) == GONE
            assert drive(working.delete(key("b"))) is None
            drive(working.create(record("new")))
            assert drive(ending.read(key("new"))) == record("new")

    @needs(Capability.SHARED, Capability.OWNERS)
    def test_limits_forget_the_ended_everywhere(
        self, store: Store, other: Store, drive: Drive
    ) -> None:
        """What another server ended counts for no limit here."""
        drive(other.replace(login(record("old", owner="alice"))))
        drive(store.end_everybody())
        new = record("new", owner="alice")

        assert drive(other.replace(login(new, limit=1, on_limit=REFUSE))) == Replaced()
        assert records_of(store, drive, "alice") == [new]

    @needs(Capability.DURABLE)
    def test_ended_stay_ended_after_a_restart(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """A handle that is opened after the end finds what was made after it alone."""
        drive(store.create(record("a")))
        drive(store.end_everybody())
        drive(store.create(record("b")))
        drive(store.close())

        again = place.open()
        try:
            assert drive(again.read(key("a"))) is None
            assert drive(again.read(key("b"))) == record("b")
        finally:
            drive(again.close())

    @needs(Place.neighbour)
    def test_end_stays_at_home(self, store: Store, neighbour: Store, drive: Drive) -> None:
        """Everybody is everybody under this prefix: a neighbour's sessions live, both ways."""
        drive(store.create(record("a")))
        drive(neighbour.create(record("b")))
        drive(store.end_everybody())
        assert drive(neighbour.read(key("b"))) == record("b")

        drive(store.create(record("c")))
        drive(neighbour.end_everybody())
        assert drive(neighbour.read(key("b"))) is None
        assert drive(store.read(key("c"))) == record("c")
