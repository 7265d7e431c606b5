"""A thief who can write the store, without a secret: he deletes, and puts older records back."""

import pytest

from harness.backends import SHARED_OWNING, as_params
from harness.handlers import logs_in, logs_out, names, puts, who
from red_team.attack import events_of, weakened_by
from red_team.rows import rows_of
from red_team.test_planted import enters, fields_are_not_proved, key_of, proofs_are_not_checked
from sessile.core.limit import OnLimit
from sessile.core.policy import Policy, minutes
from sessile.core.record import FORMAT, Record, RecordKind, evolve, pack
from sessile.core.ticket import ENTROPY, Ticket
from sessile.service import end, regenerate, tombstones
from sessile.service.events import Malformed
from sessile.service.sessions import Sealing
from sessile.stores import sqlite, sqlite_acts
from sessile.wire import system


def planted(site, ticket, **fields):
    """Return a record that the thief made up, for a ticket that he knows."""
    now = site.clock()
    dues = {"idle_until": now + 1e6, "until": now + 1e6}
    made = {"version": 1, "created": now, "seen": now, "rotated": now, "confirmed": now, **dues}
    return Record(format=FORMAT, key=ticket.key, digest=ticket.digest, **(made | fields))


def turns_are_not_proved(patch):
    """The proof says nothing of when a ticket turned and whether the client has shown it."""
    fields_are_not_proved(patch, confirmed=None, rotated=0.0, version=0)


@weakened_by(turns_are_not_proved)
def test_a23_used_ticket_does_not_come_back(site):
    """Sealed: nobody makes a used ticket unused, or lets one never turn."""
    used = enters(site, "alice")
    site.clock.advance(minutes(16))
    current = site.ask(names, used).cookie
    site.ask(who, current)
    rows, key = rows_of(site), key_of(used)
    site.clock.advance(minutes(2))
    sound = rows.record(key)
    for forged in (
        evolve(sound, confirmed=None),
        evolve(sound, rotated=sound.until),
        evolve(sound, version=sound.version + 1),
    ):
        rows[key] = pack(forged)
        assert [site.ask(who, cookie).json for cookie in (used, current)] == [None, None]
    rows[key] = pack(sound)

    assert site.ask(who, current).json == "alice"


def sets_of_values_are_not_proved(patch):
    """Each value is proved, and not which ones there are."""
    fields_are_not_proved(patch, data={}, version=0)


@weakened_by(sets_of_values_are_not_proved)
def test_a23_no_single_value_goes_or_comes_back(site):
    """Sealed: a session is what it was at one time as a whole, or it is nothing."""
    cookie = enters(site, "alice", balance=100, restricted=True)
    rows, key = rows_of(site), key_of(cookie)
    old = rows.record(key)
    site.ask(puts(balance=5), cookie)
    new = rows.record(key)
    without = {name: blob for name, blob in new.data.items() if name != "restricted"}
    for data in (without, new.data | {"balance": old.data["balance"]}, {}):
        rows[key] = pack(evolve(new, data=data))
        assert site.values(cookie) == {}
    rows[key] = pack(new)

    assert site.values(cookie) == {"balance": 5, "restricted": True}


def indices_are_believed(patch):
    """Who has a session is looked up in an index, and nobody compares."""

    def load(key, blob, version, owner):
        return sqlite_acts.unpack(blob, key)

    for module in (sqlite, sqlite_acts):
        patch.setattr(module, "load_row", load)
    patch.setattr(Record, "index_owner", property(lambda record: None))


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(indices_are_believed)
def test_a23_session_that_was_hidden_ends_with_the_others(site):
    """A session that is in use is not hidden from "log out everywhere" by its index."""
    cookie = enters(site, "alice")
    key = key_of(cookie)
    rows_of(site).enter(key, None)
    site.ask(puts(v=1), cookie)
    site.sessions.sync.end_all("alice")

    assert site.ask(who, cookie).json is None


def planted_rows_stay(patch):
    """A store that says it is full is believed."""

    async def stays(context, owner, now):
        return False

    patch.setattr(regenerate, "remove_planted", stays)


REFUSE = Policy(limit=1, on_limit=OnLimit.REFUSE)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(planted_rows_stay, policy=REFUSE)
def test_a23_planted_rows_lock_nobody_out(site):
    """What was planted in a user's index is not listed, and does not count against the limit."""
    rows = rows_of(site)
    bobs = enters(site, "bob")
    rows.enter(key_of(bobs), "alice")
    for _ in range(3):
        ticket = Ticket.mint(system.entropy(ENTROPY))
        rows[ticket.key] = pack(planted(site, ticket, owner="alice", device="Call 555-0100"))
        rows.enter(ticket.key, "alice")

    assert site.sessions.sync.of("alice") == []
    assert site.ask(logs_in).status == 200
    assert [info.user for info in site.sessions.sync.of("alice")] == ["alice"]
    assert site.ask(logs_in).status == 403


def tombstones_are_believed(patch):
    """Where a session went on is taken from whatever says so, a few steps far."""
    proofs_are_not_checked(patch)
    for module in (end, tombstones):
        patch.setattr(module, "LONGEST_WALK", 4)


@weakened_by(tombstones_are_believed)
def test_a23_tombstones_that_point_at_each_other_hold_up_nobody(site):
    """A ring of planted tombstones, or one that points at no id, is nothing to anybody."""
    enters(site, "alice")
    rows = rows_of(site)
    ring = [Ticket.mint(system.entropy(ENTROPY)) for _ in range(3)]
    leads = [ring[1].key.encode(), ring[0].key.encode(), b"\xff\xfe"]
    for ticket, lead in zip(ring, leads, strict=True):
        grave = planted(site, ticket, kind=RecordKind.TOMBSTONE, data={"heir": lead})
        rows[ticket.key] = pack(grave)
    for ticket in ring:
        site.events.clear()
        assert site.ask(logs_out, f"sid={ticket.reveal()}").status == 200
        assert [event.session for event in events_of(site, Malformed)] == [ticket.key]
        assert not site.sessions.sync.end(ticket.key)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(proofs_are_not_checked)
def test_a23_planted_evidence_accuses_nobody(site):
    """Nobody makes up a theft, or a session to show."""
    key = key_of(enters(site, "alice"))
    rows = rows_of(site)
    for kind in (RecordKind.EVIDENCE, RecordKind.SESSION):
        ticket = Ticket.mint(system.entropy(ENTROPY))
        rows[ticket.key] = pack(planted(site, ticket, owner="alice", kind=kind))
        sync = site.sessions.sync
        assert (sync.show(ticket.key), sync.evidence(ticket.key)) == (None, None)
        assert [info.id for info in sync.scan()] == [key]


@weakened_by(proofs_are_not_checked, sealing=Sealing.OFF)
def test_a23_owner_does_not_change_by_one_bit(site):
    """Not sealed: values can be read in the store, and still nobody becomes somebody else."""
    cookie = enters(site, "user6", cart=["hat"])
    rows, key = rows_of(site), key_of(cookie)
    blob = rows[key]
    assert b"hat" in blob
    sound = rows.record(key)
    rows[key] = blob.replace(b"user6", b"user7")
    assert site.ask(who, cookie).json is None
    rows[key] = pack(evolve(sound, proof=b""))
    assert site.ask(who, cookie).json is None
    rows[key] = blob

    assert site.ask(who, cookie).json == "user6"
