"""What the index of a user's sessions promises. ``promises.limits`` has how many there may be."""

import pytest

from sessile.core.record import RecordKind
from sessile.errors import KeyTaken
from sessile.stores.contract import Capability, Corrupt, Deleted, Key, Record, Replaced, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import change, key, login, record, records_of

STRANGE = (
    *("a", "A", "a ", " a", "a:b", "a:", "a:b:c", "b", "*", "?", "a*", "[a]", "a%", "a_", "_", "%"),
    *("a\n", "a\r\nb", "\t", "'", '"', "a'--", "\\", "/", "../a", "{a}", "$a", "null", "0", "00"),
    *("é", "e\u0301", "ß", "SS", "İ", "\u202ea", "💡", "\U0010ffff", "x" * 511 + "y", "x" * 512),
)
"""Names that are one user each, though a careless index takes some of them for each other."""


class Owners:
    """Every session that a user has is found under their name, and no other."""

    @needs(Capability.OWNERS)
    def test_owned_sessions_come_oldest_claim_first(self, store: Store, drive: Drive) -> None:
        """The index is in the order of the claims, though all were made at one instant."""
        rows = sorted((record(n, owner="alice") for n in "abcdef"), key=lambda r: r.key)[::-1]
        for row in rows:
            assert drive(store.replace(login(row))) == Replaced()

        assert records_of(store, drive, "alice") == rows

    @needs(Capability.OWNERS)
    def test_claimed_record_can_be_read(self, store: Store, drive: Drive) -> None:
        """Claiming stores the record under its key as well."""
        row = record(owner="alice")
        drive(store.replace(login(row)))

        assert drive(store.read(key("a"))) == row

    @needs(Capability.OWNERS)
    def test_owner_without_sessions_owns_none(self, store: Store, drive: Drive) -> None:
        """A user whom nobody has heard of has an empty list of sessions."""
        drive(store.create(record("anonymous")))

        assert records_of(store, drive, "alice") == []

    @needs(Capability.OWNERS)
    def test_index_keeps_the_expired(self, store: Store, drive: Drive) -> None:
        """What expired and was not removed is in the index still; the service judges it."""
        short = record("a", owner="alice", at=T0 - 3600.0, idle=60.0)
        long = record("b", owner="alice")
        drive(store.replace(login(short)))
        drive(store.replace(login(long)))

        assert records_of(store, drive, "alice") == [short, long]

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
    def test_index_comes_in_pages(self, store: Store, drive: Drive, batch: int) -> None:
        """However large the pages, each session is on one, oldest login first."""
        rows = [record(name, owner="alice") for name in "fabdec"]
        for row in rows:
            drive(store.replace(login(row)))

        assert records_of(store, drive, "alice", batch) == rows

    @needs(Capability.OWNERS)
    def test_page_of_an_index_has_its_size(self, store: Store, drive: Drive) -> None:
        """A page has as many sessions as were asked for, however many a user has."""
        for n in range(5):
            drive(store.replace(login(record(f"row {n}", owner="alice"))))

        page = drive(store.owned_by("alice", None, 2))
        assert len(page.records) == 2
        assert page.cursor is not None

    @needs(Capability.OWNERS)
    def test_index_can_be_emptied_page_by_page(self, store: Store, drive: Drive) -> None:
        """Whoever deletes what a page has finds the rest on the next, though the index shrinks."""
        rows = [record(f"row {n}", owner="alice") for n in range(7)]
        for row in rows:
            drive(store.replace(login(row)))
        found: list[Record | Corrupt] = []
        cursor: str | None = None
        for _ in rows:
            page = drive(store.owned_by("alice", cursor, 2))
            for each in page.records:
                drive(store.delete(Key(each.key), "alice"))
            found, cursor = found + page.records, page.cursor
            if cursor is None:
                break

        assert found == rows
        assert records_of(store, drive, "alice") == []

    @needs(Capability.OWNERS)
    def test_index_shows_the_newest_version(self, store: Store, drive: Drive) -> None:
        """A committed change is seen through the index, at the place of the claim."""
        first, second = record("a", owner="alice"), record("b", owner="alice")
        drive(store.replace(login(first)))
        drive(store.replace(login(second)))
        update = change(first, {"n": b"1"})
        drive(store.commit(update))

        assert records_of(store, drive, "alice") == [update.record, second]

    @needs(Capability.OWNERS)
    def test_extended_session_stays_in_the_index(self, store: Store, drive: Drive) -> None:
        """A session that a commit extends is found after its first deadline, whoever logged in."""
        row = record("a", owner="alice", idle=60.0)
        drive(store.replace(login(row)))
        update = change(row, idle_until=T0 + 600.0)
        drive(store.commit(update))
        drive(store.replace(login(record("b", owner="alice"), now=T0 + 61.0)))

        assert update.record in records_of(store, drive, "alice")

    @needs(Capability.OWNERS)
    def test_late_extension_makes_no_hidden_session(self, store: Store, drive: Drive) -> None:
        """A session that lives is in the index, though a server of a faster clock saw it end."""
        row = record("a", owner="alice", idle=60.0)
        drive(store.replace(login(row)))
        drive(store.replace(login(record("b", owner="alice"), now=T0 + 61.0, limit=5)))
        drive(store.commit(change(row, idle_until=T0 + 600.0)))

        lives = drive(store.read(key("a")))
        assert lives is None or lives in records_of(store, drive, "alice")

    @needs(Capability.OWNERS)
    def test_deleted_session_leaves_no_ghost(self, store: Store, drive: Drive) -> None:
        """A deleted session is in no index, and stays out when its key is used again."""
        row = record("a", owner="alice")
        drive(store.replace(login(row)))
        drive(store.delete(key("a"), "alice"))
        assert records_of(store, drive, "alice") == []
        assert drive(store.delete_owned("alice")) == Deleted()

        drive(store.replace(login(record("a", owner="bob"))))
        assert records_of(store, drive, "alice") == []
        assert records_of(store, drive, "bob") == [record("a", owner="bob")]

    @needs(Capability.OWNERS)
    def test_what_is_left_is_nobodys(self, store: Store, drive: Drive) -> None:
        """What a deletion leaves stands in no index and takes no place in a limit."""
        drive(store.replace(login(record("a", owner="alice"))))
        drive(
            store.delete(
                key("a"), "alice", leaving=record("a", version=0, kind=RecordKind.TOMBSTONE)
            )
        )
        assert records_of(store, drive, "alice") == []

        row = record("b", owner="alice")
        assert drive(store.replace(login(row, limit=1))) == Replaced()
        assert records_of(store, drive, "alice") == [row]

    @needs(Capability.OWNERS)
    def test_taken_key_is_not_claimed(self, store: Store, drive: Drive) -> None:
        """A claim of a taken key is refused: neither the row nor an index has changed."""
        row = record("a", owner="alice")
        drive(store.replace(login(row)))
        drive(store.replace(login(record("b", owner="bob"))))
        with pytest.raises(KeyTaken) as refused:
            drive(store.replace(login(record("a", owner="bob"), limit=5)))

        assert refused.value.key == key("a")
        assert drive(store.read(key("a"))) == row
        assert records_of(store, drive, "alice") == [row]
        assert records_of(store, drive, "bob") == [record("b", owner="bob")]

    @needs(Capability.OWNERS)
    def test_strange_names_are_each_their_own(self, store: Store, drive: Drive) -> None:
        """Case, blanks, wildcards, separators, accents and length tell users apart."""
        rows = {owner: record(f"of {owner}", owner=owner) for owner in STRANGE}
        for row in rows.values():
            assert drive(store.replace(login(row, limit=1))) == Replaced()

        assert {owner: records_of(store, drive, owner) for owner in STRANGE} == {
            owner: [row] for owner, row in rows.items()
        }
        for owner, row in rows.items():
            assert drive(store.delete(Key(row.key), owner)) == row
            assert records_of(store, drive, owner) == []
