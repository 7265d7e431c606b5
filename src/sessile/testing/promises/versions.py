"""What ``commit`` promises: compare and set, and never a record out of nothing."""

from collections.abc import Callable
from itertools import count

from sessile.core.flow import Flow
from sessile.stores.contract import COMMITTED, GONE, CommitResult, Conflict, Key, Record, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.sample import change, key, record
from sessile.testing.step import interleavings

RIVALS = 8


class Versions:
    """Of the writers that saw one version one writes; the others are told what it wrote."""

    def test_commit_from_the_current_version_stands(self, store: Store, drive: Drive) -> None:
        """A commit from the stored version replaces the record, again and again."""
        row = record()
        drive(store.create(row))
        for n in range(3):
            update = change(row, {"n": bytes([n])})
            assert drive(store.commit(update)) == COMMITTED
            row = update.record

        assert drive(store.read(key("a"))) == row

    def test_stale_commit_is_told_the_current_record(self, store: Store, drive: Drive) -> None:
        """A commit from an older version is answered with the record as it is."""
        drive(store.create(record()))
        winner = change(record(), {"who": b"winner"})
        drive(store.commit(winner))

        assert drive(store.commit(change(record(), {"who": b"late"}))) == Conflict(winner.record)

    def test_refused_commit_changes_nothing(self, store: Store, drive: Drive) -> None:
        """A refused commit leaves the winner's row as it was, deadlines and version included."""
        drive(store.create(record()))
        winner = change(record(), {"who": b"winner"})
        drive(store.commit(winner))
        drive(store.commit(change(record(), {"who": b"late"}, idle_until=T0 + 9999.0)))

        assert drive(store.read(key("a"))) == winner.record

    def test_commit_from_the_future_is_refused(self, store: Store, drive: Drive) -> None:
        """A commit from a version that was never stored conflicts like a stale one."""
        drive(store.create(record()))
        future = change(record(version=5), {"who": b"future"})

        assert drive(store.commit(future)) == Conflict(record())
        assert drive(store.read(key("a"))) == record()

    def test_commit_never_creates(self, store: Store, drive: Drive) -> None:
        """A commit to a key that was never written is gone, and writes nothing."""
        assert drive(store.commit(change(record()))) == GONE
        assert drive(store.read(key("a"))) is None

    def test_commit_brings_nothing_back(self, store: Store, drive: Drive) -> None:
        """A commit that arrives after the deletion is gone, and so is the session."""
        drive(store.create(record()))
        drive(store.delete(key("a")))

        assert drive(store.commit(change(record()))) == GONE
        assert drive(store.read(key("a"))) is None

    def test_no_commit_survives_a_deletion(self, store: Store, drive: Drive) -> None:
        """Wherever a deletion and a commit fall into each other, the record is gone."""
        rows = (record(f"row {n}") for n in count())

        def world() -> Record:
            row = next(rows)
            drive(store.create(row))
            return row

        def commit(row: Record) -> Flow[object]:
            return store.commit(change(row, {"who": b"late"}))

        def delete(row: Record) -> Flow[object]:
            return store.delete(Key(row.key))

        for pair in ((commit, delete), (delete, commit)):
            for met in interleavings(world, *pair, drive=drive):
                assert drive(store.read(Key(met.world.key))) is None, met.stop

    def test_of_rival_commits_one_stands(self, store: Store, drive: Drive) -> None:
        """Of several commits from one version at once, one stands and the others see it."""
        drive(store.create(record()))
        updates = [change(record(), {"who": bytes([n])}) for n in range(RIVALS)]
        answers = drive.together(store.commit(update) for update in updates)

        won = [u.record for u, answer in zip(updates, answers, strict=True) if answer == COMMITTED]
        assert won == [drive(store.read(key("a")))]
        assert answers.count(Conflict(won[0])) == RIVALS - 1

    def test_no_commit_is_lost_at_any_stopping_point(self, store: Store, drive: Drive) -> None:
        """Wherever a rival's commit falls into another's, exactly one of the two stands."""
        rows = (record(f"row {n}") for n in count())

        def world() -> Record:
            row = next(rows)
            drive(store.create(row))
            return row

        def writer(who: bytes) -> Callable[[Record], Flow[CommitResult]]:
            return lambda row: store.commit(change(row, {"who": who}))

        for met in interleavings(world, writer(b"a"), writer(b"b"), drive=drive):
            answers = [met.a.get(), met.b.get()]
            who = b"a" if answers[0] == COMMITTED else b"b"
            won = change(met.world, {"who": who}).record
            assert COMMITTED in answers, met.stop
            assert Conflict(won) in answers, met.stop
            assert drive(store.read(Key(won.key))) == won, met.stop
