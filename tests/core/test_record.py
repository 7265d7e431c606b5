"""Records: exact bytes, and nothing else is ever taken for one."""

import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.anything import TEXT
from sessile.core.client import Client
from sessile.core.identity import Pending
from sessile.core.record import (
    FORMAT,
    TOMBSTONE_TTL,
    Corrupt,
    Record,
    RecordKind,
    evidence,
    evolve,
    login_of,
    other_address,
    pack,
    replacement_of,
    retry_of,
    tombstone,
    unpack,
)
from sessile.core.ticket import Key
from sessile.core.trail import TrailEntry
from sessile.testing.clock import T0
from sessile.testing.effort import effort
from sessile.testing.sample import key, record

CORRUPT = Corrupt(key("a"))
INSTANTS = st.floats(0, 1e11)
RECORDS = st.builds(
    Record,
    format=st.just(FORMAT),
    key=st.just(key("a")),
    version=st.integers(0, 2**62),
    created=INSTANTS,
    seen=INSTANTS,
    idle_until=INSTANTS,
    until=INSTANTS,
    digest=st.binary(min_size=32, max_size=32),
    rotated=INSTANTS,
    confirmed=st.none() | INSTANTS,
    owner=st.none() | TEXT,
    assurance=st.integers(0, 9),
    authenticated_at=st.none() | INSTANTS,
    persistent=st.booleans(),
    device=TEXT,
    client=st.builds(Client, TEXT, TEXT, TEXT, st.integers(0, 2**32 - 1)),
    factors=st.lists(TEXT, max_size=2).map(tuple),
    pending=st.none() | st.builds(Pending, TEXT, st.tuples(TEXT), INSTANTS),
    grants=st.dictionaries(TEXT, INSTANTS, max_size=2),
    parent=st.binary(max_size=8),
    past=st.binary(max_size=8),
    replayed=st.none() | INSTANTS,
    other_address=TEXT,
    moved=st.none() | INSTANTS,
    proof=st.binary(max_size=8),
    data=st.dictionaries(TEXT, st.binary(max_size=8), max_size=3),
    kind=st.sampled_from(RecordKind),
)


@effort(200, 5_000)
@given(RECORDS)
def test_record_comes_back_whole(row):
    """A record is unpacked exactly as it was packed."""
    assert unpack(pack(row), key("a")) == row


@effort(100, 2_000)
@given(RECORDS, st.data())
def test_truncated_record_is_corrupt(row, data):
    """A record that was cut short anywhere, or has something after it, is none."""
    blob = pack(row)

    assert unpack(blob[: data.draw(st.integers(0, len(blob) - 1))], key("a")) == CORRUPT
    assert unpack(blob + data.draw(st.binary(min_size=1, max_size=3)), key("a")) == CORRUPT


@effort(300, 10_000)
@given(st.binary(max_size=200))
def test_foreign_bytes_are_corrupt(blob):
    """Whatever else the store holds is no record, and never an error."""
    assert unpack(blob, key("a")) == CORRUPT


def fields(**changes):
    """Return a record's bytes with some fields replaced by whatever is given."""
    return msgspec.msgpack.encode(list((msgspec.structs.asdict(record()) | changes).values()))


@pytest.mark.parametrize(
    "blob",
    [
        fields(format=1),
        fields(format="1"),
        fields(key=key("b")),
        fields(key=None),
        fields(version="1"),
        fields(version=1.5),
        fields(created="now"),
        fields(digest=b""),
        fields(digest=bytes(31)),
        fields(digest=bytes(33)),
        fields(digest="x" * 32),
        fields(owner=7),
        fields(data=[]),
        fields(data={"a": 1}),
        fields(data={1: b"a"}),
        fields(more="field"),
        msgspec.msgpack.encode(msgspec.structs.asdict(record())),
        pickle.dumps(record()),
        b"\x91" * 100_000,
        b"{}",
    ],
)
def test_malformed_record_is_corrupt(blob):
    """Another layout, a swapped key, a wrong type, a pickle: none of it is a record."""
    assert unpack(fields(), key("a")) == record()
    assert unpack(blob, key("a")) == CORRUPT


def test_plain_record_is_anonymous_and_alive():
    """What a record does not say is that of a visitor nobody knows."""
    row = record(confirmed=None)

    assert (row.owner, row.assurance, row.authenticated_at) == (None, 0, None)
    assert (row.persistent, row.kind) == (False, RecordKind.SESSION)
    assert (row.device, row.confirmed) == ("", None)


def test_record_cannot_be_changed():
    """A record is frozen; ``evolve`` makes another one."""
    row = record()
    with pytest.raises(AttributeError):
        row.version = 2

    assert evolve(row, version=2).version == 2
    assert row.version == 1


@pytest.mark.parametrize(("idle", "absolute"), [(60.0, 600.0), (600.0, 60.0), (60.0, 60.0)])
def test_earlier_deadline_ends_a_record(idle, absolute):
    """A record lives before both of its deadlines; at the earlier one it no longer does."""
    row = record(idle=idle, absolute=absolute)

    assert row.expires == T0 + 60.0
    assert row.live_at(T0 + 59.999)
    assert not row.live_at(T0 + 60.0)
    assert row.live_at(T0 - 1.0)


def test_text_of_a_record_shows_no_value():
    """``repr`` names the session and its version: no user, no digest, no value, no device."""
    row = record(owner="alice", device="phone", data={"card": b"4000"}, parent=b"bound")

    assert repr(row) == f"<Record {key('a')} version 1>"


def test_tombstone_is_nobodys_and_opens_nothing():
    """What is left of a session is empty, short of life, and no commit expects its version."""
    left = tombstone(key("a"), T0)

    assert left.kind is RecordKind.TOMBSTONE
    assert (left.owner, left.data, left.version) == (None, {}, 0)
    assert left.expires == T0 + TOMBSTONE_TTL
    assert unpack(pack(left), Key(left.key)) == left


def test_tombstone_opens_nothing_and_says_where_it_goes_on():
    """What is left of a session, for two minutes, is nothing of it but the name of the next."""
    left, continued = tombstone(key("a"), T0), tombstone(key("a"), T0, key("b"))

    assert (left.kind, left.version, left.digest) == (RecordKind.TOMBSTONE, 0, bytes(32))
    assert left.live_at(T0 + TOMBSTONE_TTL - 1)
    assert not left.live_at(T0 + TOMBSTONE_TTL)
    assert (left.data, left.owner, left.trail) == ({}, None, ())
    assert (replacement_of(left), replacement_of(continued)) == (None, key("b"))
    assert unpack(pack(continued), key("a")) == continued
    assert replacement_of(record(data={"heir": b"x"})) is None
    for planted in (b"\xff\xfe", b"", b"../../etc/passwd", key("b").encode() + b"\n"):
        assert replacement_of(evolve(continued, data={"heir": planted})) is None


def test_tombstone_tells_a_login_from_what_goes_on():
    """A session does not go on in the login that took its place: an end of it ends no login."""
    left = tombstone(key("a"), T0, key("b"), login=True)

    assert (login_of(left), replacement_of(left)) == (key("b"), None)
    assert retry_of(left) is None


def test_session_goes_on_in_the_login_that_was_made_again():
    """An end of the lost one ends that one, and its ticket may be exchanged: a word of its own."""
    left = tombstone(key("a"), T0, key("b"), bytes(range(32)), login=True, retry=True)

    assert (retry_of(left), replacement_of(left), login_of(left)) == (key("b"), key("b"), None)
    assert retry_of(tombstone(key("a"), T0, key("b"))) is None
    assert retry_of(record(data={"retry": key("b").encode()})) is None
    assert login_of(tombstone(key("a"), T0, key("b"))) is None
    assert login_of(record(data={"login": b"x"})) is None


def test_evidence_is_whose_it_was_and_its_trail():
    """What is kept of a stolen session has no value, no grant and no ticket of it."""
    client = Client("192.0.2.7", "Firefox", "Linux", 1)
    stolen = record(
        owner="alice", device="Kitchen", client=client, grants={"pay": T0}, assurance=2,
        pending=Pending("alice", ("password",), T0), parent=b"p" * 32, factors=("password",),
    )  # fmt: skip
    trail = (TrailEntry(T0, "login"),)
    kept = evidence(stolen, T0 + 5, 60.0, trail)

    assert (kept.key, kept.owner, kept.device, kept.client) == (
        key("a"),
        "alice",
        "Kitchen",
        client,
    )
    assert (kept.kind, kept.version, kept.trail, kept.created) == (
        RecordKind.EVIDENCE,
        0,
        trail,
        T0,
    )
    assert (kept.data, kept.grants, kept.pending, kept.parent) == ({}, {}, None, b"")
    assert (kept.digest, kept.assurance, kept.factors) == (bytes(32), 0, ())
    assert kept.live_at(T0 + 64.9)
    assert not kept.live_at(T0 + 65.0)
    assert unpack(pack(kept), key("a")) == kept


def test_device_is_called_as_the_login_said_or_by_its_agent():
    """A name that was given stays; without one it is the client of now."""
    client = Client("192.0.2.7", "Firefox", "Linux", 1)

    assert record(device="Kitchen", client=client).device_name == "Kitchen"
    assert record(client=client).device_name == "Firefox on Linux"
    assert record().device_name == ""


@pytest.mark.parametrize(
    ("was", "other", "came", "then"),
    [
        ("192.0.2.7", "", "2001:db8::7", "192.0.2.7"),
        ("192.0.2.7", "2001:db8::7", "2001:db8::8", "192.0.2.7"),
        ("192.0.2.7", "2001:db8::7", "198.51.100.9", "2001:db8::7"),
        ("192.0.2.7", "2001:db8::7", "", "2001:db8::7"),
        ("", "2001:db8::7", "192.0.2.7", "2001:db8::7"),
        ("", "", "192.0.2.7", ""),
    ],
)
def test_other_address_is_of_the_other_family(was, other, came, then):
    """Where a client was before is kept, one place of the other family, whatever comes next."""
    row = record(client=Client(was), other_address=other)

    assert other_address(row, Client(came)) == then
