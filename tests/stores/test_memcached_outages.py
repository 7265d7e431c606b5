"""Memcached servers that forget, or are away: nobody is logged in by that, and it is told."""

import re

import pytest

from sessile.errors import StoreUnavailable
from sessile.stores.contract import GONE
from sessile.stores.memcached import MemcachedStore
from sessile.testing.sample import change, key, login, record

GENERATION = "sessile:@generation"


@pytest.fixture
def store(own_memcached, drive):
    """A store on a server of the test's own, which holds one session."""
    store = MemcachedStore.from_url(f"{own_memcached.url}?timeout=20")
    drive(store.create(record("a")))
    yield store
    drive(store.close())


def evict(server):
    """Forget the generation alone, as a server does whose memory is full."""
    server.ask(f"delete {GENERATION}")


def spoil(server):
    """Put something else in its place."""
    server.put(GENERATION, b"")


def flush(server):
    """Forget everything."""
    server.ask("flush_all")


def restart(server):
    """Forget everything, and every connection."""
    server.stop()
    server.start()


@pytest.mark.parametrize("forget", [evict, spoil, flush, restart])
def test_server_that_forgot_revives_nobody(store, own_memcached, drive, caplog, forget):
    """Whoever was logged in has to log in again, whatever is left; it is logged once."""
    row = own_memcached.data(f"sessile:{key('a')}")
    generation = own_memcached.data(GENERATION)
    forget(own_memcached)
    if forget in (flush, restart):
        own_memcached.put(f"sessile:{key('a')}", row)  # at its worst: the old row is there again

    for _ in range(3):
        assert drive(store.read(key("a"))) is None
        assert drive(store.commit(change(record("a")))) == GONE
        assert drive(store.delete(key("a"))) is None
    drive(store.create(record("b")))
    assert own_memcached.data(GENERATION) != generation
    assert drive(store.read(key("a"))) is None
    assert drive(store.read(key("b"))) == record("b")
    assert caplog.text.count("has no item sessile:@generation any more") == 1


def test_each_loss_is_logged_once(store, own_memcached, drive, caplog):
    """Another loss is another line; the end of everybody, and the first session, are none."""
    drive(store.end_everybody())
    drive(store.create(record("b")))
    assert caplog.text == ""

    for number in (1, 2):
        evict(own_memcached)
        for _ in range(3):
            drive(store.read(key("b")))
        drive(store.create(record(f"new {number}")))
        assert caplog.text.count("has no item") == number


def test_first_look_at_an_empty_server_is_no_loss(own_memcached, drive, caplog):
    """Where nobody was ever logged in, nothing was lost."""
    store = MemcachedStore.from_url(f"{own_memcached.url}?timeout=20")
    assert drive(store.read(key("a"))) is None
    drive(store.end_everybody())
    drive(store.close())

    assert caplog.text == ""


@pytest.fixture
def pair(own_pair, drive):
    """Two servers, a store on them, and the names of a session on each."""
    own_pair.store = MemcachedStore.from_url(f"{own_pair.url}?timeout=2")
    own_pair.names = [
        next(f"name {n}" for n in range(99) if own_pair.server_of(key(f"name {n}")) is server)
        for server in own_pair.servers
    ]
    for name in own_pair.names:
        drive(own_pair.store.create(record(name)))
    yield own_pair
    drive(own_pair.store.close())


def test_server_that_is_away_takes_its_own_sessions_alone(pair, drive):
    """The others go on, and the error says which server it is; nobody is sent to another one."""
    gone, alive = pair.names
    pair.servers[0].stop()
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=re.escape(pair.servers[0].place)):
            drive(pair.store.read(key(gone)))
        assert drive(pair.store.read(key(alive))) == record(alive)
    update = change(record(alive), {"n": b"1"})
    drive(pair.store.commit(update))

    assert drive(pair.store.read(key(alive))) == update.record
    with pytest.raises(StoreUnavailable):
        drive(pair.store.ping())


def test_end_of_everybody_fails_unless_every_server_took_it(pair, drive):
    """One that was away comes back with its sessions, so who ended them is told to ask again."""
    _, here = pair.names
    pair.servers[0].freeze()
    try:
        with pytest.raises(StoreUnavailable, match=re.escape(pair.servers[0].place)):
            drive(pair.store.end_everybody())
        assert drive(pair.store.read(key(here))) is None
    finally:
        pair.servers[0].thaw()
    drive(pair.store.end_everybody())

    assert [drive(pair.store.read(key(name))) for name in pair.names] == [None, None]
    assert all(server.data("sessile:@ending") is None for server in pair.servers)


def test_login_with_a_session_of_a_server_that_is_away_fails_whole(pair, drive):
    """Neither the old session nor the new one is half there when the server is back."""
    away, here = pair.names
    new = record("new", owner="alice")
    at_home = pair.server_of(key("new"))
    old = away if at_home is pair.servers[1] else here
    other = next(server for server in pair.servers if server is not at_home)
    drive(pair.store.ping())
    other.freeze()
    try:
        with pytest.raises(StoreUnavailable):
            drive(pair.store.replace(login(new, old=record(old))))
    finally:
        other.thaw()
    for _ in range(3):
        drive(pair.store.ping())

    living = [drive(pair.store.read(key(name))) for name in (old, "new")]
    assert living in ([record(old), None], [None, new])
