"""What somebody sees who can read the store and has no secrets: the list that the docs give."""

import hashlib

import pytest

from sessile.codecs.msgpack import ValueCodec
from sessile.core.flow import run
from sessile.core.record import pack, unpack
from sessile.core.ticket import Key
from sessile.stores.memory import MemoryStore
from sessile.testing.world import ABROAD, HOME, World

OVERHEAD = 33
"""Bytes that sealing adds to a value: version, key's id, nonce and tag."""


@pytest.fixture
def store():
    """The store that is read."""
    return MemoryStore()


@pytest.fixture
def world(store):
    """A world whose user has values, a device's name, a step-up's grant and a trail."""
    world = World(store, run)
    world.ask(lambda s: s.update(cart=["socks"], diagnosis="a secret"), peer=HOME)
    world.ask(lambda s: s.login("alice@example.com", device="My phone", factors=("password",)))
    world.ask(lambda s: s.note("changed the address"), peer=ABROAD)
    return world


def stored(store):
    """Return the rows as they are, one after the other."""
    return [bytes(blob) for blob in store._rows.values()]


def session_of(store):
    """Return the record of the user's session, as whoever reads the store unpacks it."""
    records = [unpack(blob, Key(key)) for key, blob in store._rows.items()]
    (found,) = [record for record in records if record.owner is not None]
    return found


@pytest.mark.parametrize(
    "text",
    [
        b"alice@example.com", b"My phone", b"cart", b"diagnosis", HOME.encode(), ABROAD.encode(),
        b"Firefox", b"password", b"changed the address",
    ],
)  # fmt: skip
def test_reader_sees_what_is_beside_the_values(world, store, text):
    """Owner, devices, addresses, browsers, factors, trails and the names of values are in plain."""
    assert any(text in row for row in stored(store))


def test_reader_sees_times_and_lengths(world, store):
    """The clocks are in plain, and each value is longer than it was by the same number of bytes."""
    record = session_of(store)

    assert record.created <= record.seen < record.idle_until < record.until
    plain = {"cart": ["socks"], "diagnosis": "a secret"}
    sizes = {name: len(ValueCodec().encode(v)) for name, v in plain.items()}
    assert {name: len(sealed) - OVERHEAD for name, sealed in record.data.items()} == sizes


def test_reader_sees_no_value_and_no_ticket(world, store):
    """What sessions hold is sealed; of the ticket there is a digest."""
    ticket = world.cookie.partition("=")[2]
    for row in stored(store):
        for secret in (b"socks", b"a secret", ticket.encode(), ticket[20:].encode()):
            assert secret not in row
    assert len(session_of(store).digest) == hashlib.sha256().digest_size
    assert pack(session_of(store)) in stored(store)
