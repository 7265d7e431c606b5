"""The Postgres store when its server is gone, silent, or takes no writes."""

import socket
from contextlib import closing, contextmanager
from functools import partial
from time import monotonic

import pytest

from harness.backends import PostgresPlace
from harness.postgres_server import PostgresServer
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import COMMITTED, Replaced
from sessile.stores.postgres import PostgresStore
from sessile.testing.drive import COLOURS
from sessile.testing.sample import change, key, login, record

LIMIT = 5.0
"""Seconds within which an act gives up; half a second is usual, the rest is for busy machines."""

PATIENCE = 60.0


@pytest.fixture(scope="module")
def pair():
    """A primary and its standby; the tests that change them come last, in this order."""
    with PostgresServer() as primary:
        run_once(primary, lambda store: store.create(record("before")))
        with PostgresServer(standby_of=primary) as standby:
            yield primary, standby


def run_once(server, act):
    store = PostgresStore.from_url(f"{server.url}?timeout=30")
    run(act(store))
    run(store.close())


def until_good(drive, act, store):
    """Return what an act returns at last, however often its store is unavailable before."""
    end = monotonic() + PATIENCE
    while True:
        try:
            return drive(act(store))
        except StoreUnavailable:
            assert monotonic() < end, "it never came back"


@contextmanager
def silent_server():
    """A server that takes connections and never says a word; give its port."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listener:
        yield listener.getsockname()[1]


def both(first, second, timeout=2):
    """Return the URL of two servers."""
    hosts = f"127.0.0.1:{first},127.0.0.1:{second}"
    return f"postgresql://sessile@{hosts}/postgres?timeout={timeout}"


def test_primary_is_found_behind_its_standby_and_lost_and_found_again(pair):
    """Whichever host is named first, writes reach the primary; after a fail-over the new one.

    While there is none every act is unavailable in time. In both colours, with stores that were
    connected before.
    """
    primary, standby = pair
    drives = {name: colour() for name, colour in COLOURS.items()}
    stores = {name: PostgresStore.from_url(both(standby.port, primary.port)) for name in drives}
    for name, drive in drives.items():
        log_in = partial(PostgresStore.replace, replacement=login(record(name)))
        assert until_good(drive, log_in, stores[name]) == Replaced()

    standby_store = PostgresStore.from_url(f"{standby.url}?timeout=30")
    for name, drive in drives.items():
        while drive(standby_store.read(key(name))) is None:
            pass  # until it was replicated: an asynchronous standby may be behind
        with pytest.raises(StoreUnavailable, match="takes no writes, as a standby"):
            drive(standby_store.commit(change(record(name))))
        assert drive(standby_store.read(key(name))) == record(name)
        drive(standby_store.close())
        standby_store = PostgresStore.from_url(f"{standby.url}?timeout=30")
    run(standby_store.close())

    primary.stop()
    for name, drive in drives.items():
        for act in (stores[name].read(key(name)), stores[name].commit(change(record(name)))):
            began = monotonic()
            with pytest.raises(StoreUnavailable):
                drive(act)
            assert monotonic() - began < LIMIT
    standby.promote()
    for name, drive in drives.items():
        commit = partial(PostgresStore.commit, change=change(record(name)))
        assert until_good(drive, commit, stores[name]) == COMMITTED
        assert drive(stores[name].read(key(name))) == change(record(name)).record
        drive(stores[name].close())
        drive.close()


def test_silent_host_costs_its_share_of_the_time(tmp_path, drive):
    """Where one host takes connections and is silent, the other one serves, and is asked first."""
    place = PostgresPlace(tmp_path)
    with silent_server() as port:
        url = both(port, place.server.port, timeout=4)
        store = PostgresStore.from_url(f"{url}&table={place.table}")
        drive(store.create(record("a")))
        store._client._leave()
        began = monotonic()
        answers = drive.together(store.read(key("a")) for _ in range(4))
        spent = monotonic() - began

    assert answers == [record("a")] * 4
    assert spent < 1.5  # its share is more, and was paid once
    drive(store.close())
    place.leave()


def test_all_hosts_are_told_where_none_serves(drive):
    """The error names each host, and why."""
    with silent_server() as port:
        store = PostgresStore.from_url(both(port, 1, timeout=0.5))
        began = monotonic()
        with pytest.raises(StoreUnavailable) as refused:
            drive(store.ping())
        assert monotonic() - began < LIMIT

    assert f"127.0.0.1:{port}: no connection within" in str(refused.value)
    assert "127.0.0.1:1: " in str(refused.value)
    drive(store.close())


def test_server_that_takes_no_writes_is_read_and_left_when_it_does(tmp_path, drive):
    """A primary that was made read-only serves who reads, and refuses who writes."""
    place = PostgresPlace(tmp_path)
    store = place.open()
    row = record("a")
    drive(store.create(row))
    server = place.server
    server.ask("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        store._client._pool.close_idle()  # connections that begin now are so
        again = place.open()
        assert drive(again.read(key("a"))) == row
        with pytest.raises(StoreUnavailable, match="takes no writes"):
            drive(again.commit(change(row)))
        assert drive.together(again.read(key("a")) for _ in range(4)) == [row] * 4
    finally:
        with server.connect() as admin:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    with pytest.raises(StoreUnavailable):  # on a connection that read; the others go with it
        drive(again.commit(change(row)))
    assert drive(again.commit(change(row))) == COMMITTED
    for each in (store, again):
        drive(each.close())
    place.leave()
