"""What the index of a user's sessions promises. ``promises.limits`` has how many there may be."""

import math

import pytest

from sessile.core.change import Capability, Claimed
from sessile.core.record import Over
from sessile.core.ticket import Key
from sessile.errors import KeyTaken
from sessile.stores.contract import Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import change, key, record

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
            assert drive(store.claim(row, T0)) == Claimed()

        assert drive(store.owned_by("alice", T0)) == rows

    @needs(Capability.OWNERS)
    def test_claimed_record_can_be_read(self, store: Store, drive: Drive) -> None:
        """Claiming stores the record under its key as well."""
        row = record(owner="alice")
        drive(store.claim(row, T0))

        assert drive(store.read(key("a"), T0)) == row

    @needs(Capability.OWNERS)
    def test_owner_without_sessions_owns_none(self, store: Store, drive: Drive) -> None:
        """A user whom nobody has heard of has an empty list of sessions."""
        drive(store.create(record("anonymous")))

        assert drive(store.owned_by("alice", T0)) == []

    @needs(Capability.OWNERS)
    def test_expired_sessions_are_not_owned(self, store: Store, drive: Drive) -> None:
        """The index shows a session until just before its deadline, and no longer."""
        short, long = record("a", owner="alice", idle=60.0), record("b", owner="alice")
        drive(store.claim(short, T0))
        drive(store.claim(long, T0))

        assert drive(store.owned_by("alice", math.nextafter(T0 + 60.0, 0.0))) == [short, long]
        assert drive(store.owned_by("alice", T0 + 60.0)) == [long]

    @needs(Capability.OWNERS)
    def test_index_shows_the_newest_version(self, store: Store, drive: Drive) -> None:
        """A committed change is seen through the index, at the place of the claim."""
        first, second = record("a", owner="alice"), record("b", owner="alice")
        drive(store.claim(first, T0))
        drive(store.claim(second, T0))
        update = change(first, {"n": b"1"})
        drive(store.commit(update))

        assert drive(store.owned_by("alice", T0)) == [update.record, second]

    @needs(Capability.OWNERS)
    def test_extended_session_stays_in_the_index(self, store: Store, drive: Drive) -> None:
        """A session that a commit extends is found after its first deadline, whoever logged in."""
        row = record("a", owner="alice", idle=60.0)
        drive(store.claim(row, T0))
        update = change(row, idle_until=T0 + 600.0)
        drive(store.commit(update))
        drive(store.claim(record("b", owner="alice"), T0 + 61.0))

        assert update.record in drive(store.owned_by("alice", T0 + 61.0))

    @needs(Capability.OWNERS)
    def test_late_extension_makes_no_hidden_session(self, store: Store, drive: Drive) -> None:
        """A session that lives is in the index, though a server of a faster clock saw it end."""
        row = record("a", owner="alice", idle=60.0)
        drive(store.claim(row, T0))
        drive(store.claim(record("b", owner="alice"), T0 + 61.0, limit=5))
        drive(store.commit(change(row, idle_until=T0 + 600.0)))

        lives = drive(store.read(key("a"), T0 + 62.0))
        owned = drive(store.owned_by("alice", T0 + 62.0))
        assert lives is None or lives in owned

    @needs(Capability.OWNERS)
    def test_deleted_session_leaves_no_ghost(self, store: Store, drive: Drive) -> None:
        """A deleted session is in no index, and stays out when its key is used again."""
        row = record("a", owner="alice")
        drive(store.claim(row, T0))
        drive(store.delete(key("a"), "alice"))
        assert drive(store.owned_by("alice", T0)) == []

        drive(store.claim(record("a", owner="bob"), T0))
        assert drive(store.owned_by("alice", T0)) == []
        assert drive(store.owned_by("bob", T0)) == [record("a", owner="bob")]

    @needs(Capability.OWNERS)
    def test_what_is_left_is_nobodys(self, store: Store, drive: Drive) -> None:
        """What a deletion leaves stands in no index and takes no place in a limit."""
        drive(store.claim(record("a", owner="alice"), T0))
        drive(store.delete(key("a"), "alice", leaving=record("a", version=0, over=Over.REPLACED)))
        assert drive(store.owned_by("alice", T0)) == []

        row = record("b", owner="alice")
        assert drive(store.claim(row, T0, limit=1)) == Claimed()
        assert drive(store.owned_by("alice", T0)) == [row]

    @needs(Capability.OWNERS)
    def test_taken_key_is_not_claimed(self, store: Store, drive: Drive) -> None:
        """A claim of a taken key is refused: neither the row nor an index has changed."""
        row = record("a", owner="alice")
        drive(store.claim(row, T0))
        drive(store.claim(record("b", owner="bob"), T0))
        with pytest.raises(KeyTaken) as refused:
            drive(store.claim(record("a", owner="bob"), T0, limit=5))

        assert refused.value.key == key("a")
        assert drive(store.read(key("a"), T0)) == row
        assert drive(store.owned_by("alice", T0)) == [row]
        assert drive(store.owned_by("bob", T0)) == [record("b", owner="bob")]

    @needs(Capability.OWNERS)
    def test_strange_names_are_each_their_own(self, store: Store, drive: Drive) -> None:
        """Case, blanks, wildcards, separators, accents and length tell users apart."""
        rows = {owner: record(f"of {owner}", owner=owner) for owner in STRANGE}
        for row in rows.values():
            assert drive(store.claim(row, T0, limit=1)) == Claimed()

        assert {owner: drive(store.owned_by(owner, T0)) for owner in STRANGE} == {
            owner: [row] for owner, row in rows.items()
        }
        for owner, row in rows.items():
            assert drive(store.delete(Key(row.key), owner)) == row
            assert drive(store.owned_by(owner, T0)) == []
