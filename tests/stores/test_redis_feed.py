"""The feed of Redis against real servers: what it hears of, what ends it, what it costs."""

import time

import pytest

from harness.redis_server import RedisServer
from sessile.errors import StoreUnavailable
from sessile.stores.redis import RedisStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.feeds import hear, hear_until_now, listen
from sessile.testing.sample import change, key, login, record

drive = Blocking()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"), password="correct-horse")
    yield server
    server.leave()


@pytest.fixture
def store(server):
    store = RedisStore.from_url(f"{server.url}?timeout=2&connect_timeout=2")
    drive(store.create(record("a")))
    yield store
    drive(store.close())
    server.ask("FLUSHALL")


@pytest.fixture
def feed(store):
    feed = listen(store)
    hear_until_now(feed)
    yield feed
    feed.close()


def test_eviction_expiry_and_what_is_done_by_hand_are_told(server, store, feed):
    """Whatever takes a row away, no act of ours needed."""
    name = f"sessile:{key('a')}"
    server.ask("DEL", name)
    assert key("a") in hear_until_now(feed)
    drive(store.create(record("a")))
    hear_until_now(feed)
    server.ask("PEXPIRE", name, 50)
    hear(feed, lambda word: word.keys)  # of the command itself
    assert hear(feed, lambda word: word.keys)[-1].keys == (key("a"),)


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
def test_emptied_database_is_told(server, feed, command):
    """Then any record may be gone."""
    server.ask(command)

    assert any(word.anything for word in hear(feed, lambda word: word.anything))


def test_changed_generation_is_told(server, feed):
    """Whoever changes it has ended everybody."""
    server.ask("SET", "sessile:@generation", b"\0\0\0\1other")

    assert any(word.anything for word in hear(feed, lambda word: word.anything))


def test_other_prefixes_and_indexes_are_not_told(server, store, feed):
    """No key of another application, and none that is no session's."""
    server.ask("SET", "other:" + key("a"), "x")
    drive(store.replace(login(record("b", owner="alice"))))

    assert hear_until_now(feed) == {key("b")}


def test_writers_send_nothing_more(server, store):
    """The commands of an act are the same, with a listener and without one."""
    server.load_scripts()

    def calls():
        server.ask("CONFIG", "RESETSTAT")
        drive(store.commit(change(drive(store.read(key("a"))))))
        return {n: c for n, c in server.calls().items() if n not in {"ping", "config|resetstat"}}

    before = calls()
    feed = listen(store)
    hear_until_now(feed)
    after = calls()
    feed.close()

    assert before == after


def test_killed_server_ends_it(server, store, feed):
    """The connection is of no more use, and says so; a new one hears again."""
    server.stop()
    with pytest.raises(StoreUnavailable):
        hear(feed, lambda word: False)
    with pytest.raises(StoreUnavailable):
        listen(store)
    server.start()
    drive(store.create(record("a")))
    again = listen(store)
    drive(store.delete(key("a")))
    assert key("a") in hear_until_now(again)
    again.close()


def test_frozen_server_vouches_for_nothing_and_ends_it(server, store):
    """No heartbeat comes, and after the time limit of a command the connection is given up."""
    feed = listen(store)
    hear_until_now(feed)
    server.freeze()
    began = time.monotonic()
    words = []
    try:
        with pytest.raises(StoreUnavailable, match="no answer within 2 s"):
            hear(feed, words.append)
        assert all(word.as_of is None or word.as_of <= began for word in words)
    finally:
        server.thaw()
    feed.close()


def test_cut_connection_ends_it(server, feed):
    """As a server does to a client that reads too slowly."""
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    with pytest.raises(StoreUnavailable):
        hear(feed, lambda word: False)


def test_refused_tracking_is_told_in_words(server):
    """A user who may not track has no feed; the error names the command, and no password."""
    server.ask("ACL", "SETUSER", "bob", "on", ">hunter2", "~*", "+@all", "-client|tracking")
    store = RedisStore.from_url(server.url.replace(":correct-horse", "bob:hunter2"))
    with pytest.raises(StoreUnavailable, match="tracking") as refused:
        listen(store)
    assert "hunter2" not in str(refused.value)
    drive(store.close())
