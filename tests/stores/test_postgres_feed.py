"""The feed of the Postgres store: who is heard, and what ends it. The contract asks the rest."""

import os
import signal
import threading
from contextlib import contextmanager, suppress
from time import monotonic

import pytest

from harness.backends import PostgresFeedPlace
from harness.feeds import wait_for_end, wait_until
from harness.pgbouncer import PgBouncer
from harness.postgres_server import PostgresServer
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores import near as near_cache
from sessile.stores import postgres_feed
from sessile.stores.contract import Capability, HasFeed
from sessile.stores.open import open_store
from sessile.stores.postgres import PostgresStore
from sessile.testing.promises.feeds import PATIENCE, hear, hear_until_now, listen
from sessile.testing.sample import change, key, login, record
from sessile.wire.feed.follower import NEVER, Follower

EVERY = {key(name) for name in "abc"}


@pytest.fixture
def place(tmp_path):
    """A table that tells."""
    place = PostgresFeedPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def store(place):
    """A store with a feed on it, and a record."""
    store = place.open()
    run(store.create(record("a")))
    yield store
    run(store.close())


@pytest.fixture
def feed(store):
    """Its feed, which has told all there was."""
    feed = listen(store)
    hear_until_now(feed)
    yield feed
    feed.close()


def backends(place, pid):
    return place.server.ask("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid)


# Who is heard


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM {table}", {key("a")}),
        ("UPDATE {table} SET expires = 0", {key("a")}),
        ("UPDATE {table} SET key = '" + key("b") + "'", {key("a"), key("b")}),
        ("UPDATE {table} SET due = 0", set()),
        ("TRUNCATE {table}", EVERY),
        ("SET session_replication_role = replica; DELETE FROM {table}", {key("a")}),
    ],
)
def test_change_by_hand_is_told(place, feed, statement, told):
    """Whoever changes a row tells of it, also one who has never heard of sessile."""
    with place.server.connect() as somebody:
        somebody.execute(statement.format(table=place.table))

    assert hear_until_now(feed) == told


def test_writer_without_a_feed_is_told(place, feed):
    """A server whose URL does not ask for a feed tells the others all the same."""
    writer = PostgresStore.from_url(place.url().replace("&feed=yes", ""))
    run(writer.commit(change(record("a"))))

    assert hear_until_now(feed) == {key("a")}
    assert not isinstance(writer, HasFeed)
    assert Capability.FEED not in writer.capabilities
    run(writer.close())


def test_what_a_sweep_removes_is_told(store, feed):
    """A sweep tells of the rows that go, and not of those that it looks at."""
    run(store.create(record("b", idle=60.0)))
    hear_until_now(feed)
    run(store.sweep(record("b").created + 60.0))

    assert hear_until_now(feed) == {key("b")}


def test_neighbours_are_not_heard(place, feed):
    """Of the tables of a database each tells its own listeners, however alike their names are."""
    server, table = place.server, place.table
    server.ask("CREATE SCHEMA IF NOT EXISTS other")
    stores = [
        PostgresStore.from_url(place.url(table=name)) for name in (f"{table}_", f"other.{table}")
    ]
    for neighbour in stores:
        run(neighbour.create(record("c")))
        run(neighbour.close())
    server.ask("DROP SCHEMA other CASCADE")

    assert hear_until_now(feed) == set()


def test_one_table_by_two_names_is_one(place, store, feed):
    """It makes no difference whether a URL names the schema as well."""
    other = PostgresStore.from_url(place.url(table=f"public.{place.table}"))
    others = listen(other)
    run(store.create(record("b")))
    run(other.create(record("c")))

    assert hear_until_now(feed) == hear_until_now(others) == {key("b"), key("c")}
    others.close()
    run(other.close())


def test_user_needs_no_more_rights_than_without(place, store):
    """Who may read and write rows may listen, and what they write is told."""
    place.server.ask(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {place.table} TO PUBLIC")
    place.server.ask("CREATE ROLE feeble LOGIN")
    try:
        feeble = PostgresStore.from_url(place.url().replace("sessile@", "feeble@"))
        feed = listen(feeble)
        run(feeble.replace(login(record("b", owner="alice"))))
        assert hear_until_now(feed) == {key("b")}
        feed.close()
        run(feeble.close())
    finally:
        place.server.ask(f"REVOKE ALL ON {place.table} FROM PUBLIC")
        place.server.ask("DROP ROLE feeble")


# The heartbeat


def test_beat_of_another_is_none_of_ours(place):
    """Whoever notifies our channel, nothing is vouched for that the server has not sent for us."""
    store = PostgresStore.from_url(place.url(timeout=1))
    feed = listen(store)
    beat = feed._beat
    elsewhere = postgres_feed._BEAT.bind(f'"{place.table}"', None, "elsewhere")
    feed._beat = type(beat)(elsewhere, beat.check, beat.channel, beat.pid)
    heard = []
    with suppress(StoreUnavailable):  # at last, because the server seems to be silent
        for _ in range(100):
            place.server.ask("SELECT pg_notify(%s, '')", beat.channel)
            heard.append(feed.wait(0.05))

    assert 0 < len(heard) < 100
    assert {word.as_of for word in heard} == {None}
    feed.close()
    run(store.close())


def test_beat_stays_behind_a_commit_that_was_begun(own_postgres):
    """A commit that waits for a standby, as for a disk, is told before any later beat is back."""
    server = own_postgres
    store = PostgresStore.from_url(f"{server.url}?timeout=30&feed=yes")
    run(store.create(record("a")))
    feed = listen(store)
    hear_until_now(feed)
    server.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.ask("SELECT pg_reload_conf()")
    with server.connect() as rival:
        wait_until(
            lambda: rival.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",),
            "the setting does not come",
        )
        rival.execute("SET synchronous_commit = on")
        pid = rival.info.backend_pid
        delete = "DELETE FROM sessile_session"
        thread = threading.Thread(target=lambda: rival.execute(delete))
        thread.start()
        state = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: server.ask(state, pid) == [("SyncRep",)], "the commit is not begun")
        begun = monotonic()
        ahead = [feed.wait(0.2) for _ in range(5)]
        server.ask("SELECT pg_cancel_backend(%s)", pid)  # it is committed, and waits no more
        thread.join()
        heard = hear(feed, lambda word: word.as_of is not None and word.as_of > begun)

    assert all(word.as_of is None or word.as_of < begun for word in ahead)
    assert {each for word in ahead + heard for each in word.keys} == {key("a")}
    feed.close()
    run(store.close())


# What ends it


def test_connection_that_the_server_ends_is_of_no_more_use(place, feed):
    """Something may have been missed, so the feed says so, and not only once."""
    place.server.ask("SELECT pg_terminate_backend(%s)", feed._beat.pid)

    assert "closed the connection" in wait_for_end(feed)
    wait_for_end(feed)


def test_silent_server_is_told(place):
    """A server that sends no beat back in time vouches for nothing."""
    store = PostgresStore.from_url(place.url(timeout=1))
    feed = listen(store)
    hear_until_now(feed)
    place.freeze()
    try:
        assert "no answer within 1 s" in wait_for_end(feed)
    finally:
        place.thaw()
    feed.close()
    run(store.close())


def test_pooler_is_told(place, store):
    """Behind PgBouncer notifications would be lost in silence, so nobody listens there."""
    with PgBouncer(place.server) as pooler:
        url = f"{pooler.url}?timeout=30&table={place.table}&feed=yes"
        behind = PostgresStore.from_url(url)
        with pytest.raises(StoreUnavailable, match=r"PgBouncer .* write the server's own host"):
            listen(behind)
        assert run(behind.read(key("a"))) == record("a")
        run(behind.close())


def test_primary_is_found_and_a_standby_refused():
    """The feed is the primary's, whose host stands anywhere in the URL."""
    with PostgresServer() as primary:
        run(PostgresStore.from_url(f"{primary.url}?timeout=30&feed=yes").create(record("a")))
        with PostgresServer(standby_of=primary) as standby:
            alone = PostgresStore.from_url(f"{standby.url}?timeout=30&feed=yes")
            with pytest.raises(StoreUnavailable, match="takes no writes, as a standby does"):
                listen(alone)
            hosts = f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}"
            both = f"postgresql://sessile@{hosts}/postgres?timeout=30&feed=yes"
            store = PostgresStore.from_url(both)
            feed = listen(store)
            run(store.delete(key("a")))
            assert hear_until_now(feed) == {key("a")}
            feed.close()
            for each in (store, alone):
                run(each.close())


def test_password_is_in_no_word(place):
    """What is wrong with a password is said without it."""
    store = place.open_with_password("wrong-horse")
    feed = PostgresStore.from_url(place.url().replace("sessile@", "guarded:wrong-horse@"))
    with pytest.raises(StoreUnavailable, match="user name and password") as refused:
        listen(feed)

    assert "wrong-horse" not in f"{refused.value!r} {refused.value.__cause__!r}"
    for each in (store, feed):
        run(each.close())


# Life


def test_connection_is_closed_from_another_thread(place, store):
    """Whoever waits is let go within their time, and the server is rid of the connection."""
    feed = listen(store)
    errors = []

    def follow():
        with suppress(StoreUnavailable):
            while True:
                feed.wait(0.2)
        errors.append(None)

    thread = threading.Thread(target=follow)
    thread.start()
    for _ in range(2):
        feed.close()
    thread.join(PATIENCE)

    assert errors == [None]
    wait_until(lambda: not backends(place, feed._beat.pid), "the connection is open")
    feed.close()


def test_forked_child_takes_nothing_from_its_parent(feed, store):
    """What a child lets go of does not end the connection of its parent."""
    child = os.fork()
    if child == 0:
        feed._listener = None
        os._exit(0)
    os.waitpid(child, 0)
    run(store.delete(key("a")))

    assert hear_until_now(feed) == {key("a")}


def test_follower_goes_on_after_an_end(place, store):
    """An end of the connection ends the epoch; the next one begins by itself."""
    told = []
    follower = Follower(lambda wanted: listen(store))
    follower.listen(told.append)
    follower.start()
    wait_until(follower.is_fresh, "it does not begin")
    first, pid = follower.epoch, follower.connection._beat.pid
    place.server.ask("SELECT pg_terminate_backend(%s)", pid)
    wait_until(
        lambda: follower.epoch not in (first, NEVER) and follower.is_fresh(), "it does not go on"
    )
    run(store.delete(key("a")))

    wait_until(lambda: told and told[-1] is not None, "it does not tell")
    assert told[-1] == (key("a"),)
    assert told.count(None) >= 2
    pid = follower.connection._beat.pid
    follower.close()
    wait_until(lambda: not backends(place, pid), "the connection is open")


def test_near_cache_is_told(place, store, monkeypatch):
    """A copy is served for as long as nobody has changed the record, and no longer."""
    monkeypatch.setattr(near_cache, "OLDEST", float("inf"))
    near = open_store(f"{place.url()}&near=10")
    run(near.ping())
    near.follower.start()
    wait_until(near.follower.is_fresh, "it does not begin")
    wait_until(lambda: run(near.read(key("a"))) and near.peek(key("a"), 1), "it keeps no copy")
    run(store.delete(key("a")))

    wait_until(lambda: near.peek(key("a"), 1) is None, "it keeps what is gone")
    assert run(near.read(key("a"))) is None
    pid = near.follower.connection._beat.pid
    run(near.close())
    wait_until(lambda: not backends(place, pid), "the connection is open")


@contextmanager
def stopped_listener(place):
    """A process that listens and was stopped; give the number of its server's process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        feed = listen(place.open())
        feed.wait(0.2)
        os.write(writer, f"{feed._beat.pid} {feed._channel}".encode())
        signal.pause()
    try:
        pid, channel = os.read(reader, 100).decode().split()
        os.kill(child, signal.SIGSTOP)
        yield int(pid), channel
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_process_that_stands_still_holds_up_nobody(place, store, monkeypatch):
    """The server hangs up on who takes nothing of what he is told: else its queue would fill."""
    monkeypatch.setattr(postgres_feed, "MOST_STALLED", 1.0)
    many = "SELECT pg_notify(%s, repeat('x', 7000) || n) FROM generate_series(1, 300) n"
    with stopped_listener(place) as (pid, channel):
        for _ in range(30):  # 60 MB, which is more than any socket holds
            place.server.ask(many, channel)
        wait_until(lambda: not backends(place, pid), "the server waits for it")
