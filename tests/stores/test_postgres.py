"""What is special to the Postgres store: its trips, locks, races, and what it says of its table."""

import os
import threading
from contextlib import contextmanager
from time import monotonic

import pytest

from harness.backends import PostgresPlace
from sessile.core.flow import Ask, run
from sessile.core.record import RecordKind
from sessile.errors import StoreUnavailable
from sessile.stores.contract import COMMITTED, Deleted, Key, Replaced, pack
from sessile.stores.postgres import PostgresStore
from sessile.stores.postgres_rows import lock_number
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire.postgres.connection import PostgresConnection
from sessile.wire.postgres.statement import Statement

GRAVE = record("old", idle=120.0, version=0, kind=RecordKind.TOMBSTONE)
ACTS = {
    "read": (1, lambda store: store.read(key("old"))),
    "create": (1, lambda store: store.create(record("new"))),
    "commit": (1, lambda store: store.commit(change(record("old", owner="alice")))),
    "conflict": (2, lambda store: store.commit(change(record("old", version=7)))),
    "login": (1, lambda store: store.replace(login(record("new", owner="alice"), limit=1))),
    "step-up": (
        1,
        lambda store: store.replace(
            login(record("new", owner="bob"), old=record("old", owner="alice"), tombstone=GRAVE)
        ),
    ),
    "logout": (1, lambda store: store.delete(key("old"), "alice", leaving=GRAVE)),
    "delete": (1, lambda store: store.delete(key("old"), "alice")),
    "end everybody": (1, lambda store: store.end_everybody()),
    "list": (1, lambda store: store.owned_by("alice")),
    "end all": (1, lambda store: store.delete_owned("alice")),
    "sweep": (1, lambda store: store.sweep(T0)),
    "ping": (1, lambda store: store.ping()),
}


@pytest.fixture
def place(tmp_path):
    """A table of this test's own."""
    place = PostgresPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def store(place, drive):
    """A store on it, which has connected and knows the server's clock."""
    store = place.open()
    drive(store.replace(login(record("old", owner="alice"))))
    yield store
    drive(store.close())


# Trips


@pytest.mark.parametrize("act", ACTS)
def test_act_is_one_trip(store, drive, monkeypatch, act):
    """Whatever an act has to look at, its queries leave together; a conflict reads besides."""
    trips, call = ACTS[act]
    sent, send = [], PostgresConnection.send
    monkeypatch.setattr(
        PostgresConnection, "send", lambda *args, **how: (sent.append(1), send(*args, **how))[1]
    )
    asked = []

    async def counted(flow):
        reply = None
        while True:
            try:
                ask = flow.send(reply)
            except StopIteration:
                return
            asked.append(ask.what)
            assert isinstance(ask, Ask)
            reply = await ask

    drive(counted(call(store)))
    assert (len(asked), len(sent)) == (trips, trips), asked


def test_change_of_a_row_writes_no_index(place, store, drive):
    """A commit that moves the deadline later finds its page again: no index changes."""
    updates = (
        "SELECT pg_stat_get_tuples_updated(it), pg_stat_get_tuples_hot_updated(it) "
        f"FROM (SELECT '{place.table}'::regclass::oid) t (it)"
    )
    ((before, before_in_place),) = place.server.ask(updates)
    row = record("old", owner="alice")
    for n in range(5):
        update = change(row, {"n": b"%d" % n}, idle_until=row.idle_until + 60)
        assert drive(store.commit(update)) == COMMITTED
        row = update.record
    drive(store.close())  # who hangs up has told what he did
    while True:
        ((updated, in_place),) = place.server.ask(updates)
        if updated - before >= 5:
            break
    assert (updated - before, in_place - before_in_place) == (5, 5)


# Locks


@contextmanager
def holding(place, *statements):
    """Hold what statements lock, in a transaction of somebody else's."""
    with place.server.connect() as rival:
        rival.autocommit = False
        for statement, *values in statements:
            rival.execute(statement, values)
        yield rival
        rival.rollback()


def user_lock(place, owner):
    return "SELECT pg_advisory_xact_lock(%s)", lock_number(place.table, owner)


def wait_until_blocked(place, number):
    """Return when so many connections wait for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    end = monotonic() + 20
    while place.server.ask(blocked) != [(number,)]:
        assert monotonic() < end, "others wait"


def in_thread(flow, answers):
    thread = threading.Thread(target=lambda: answers.append(run(flow)))
    thread.start()
    return thread


def test_login_sees_what_its_rival_stored(place):
    """Who waited for the lock of a user counts what was stored meanwhile."""
    store, answers = PostgresStore.from_url(place.url(timeout=30)), []
    run(store.replace(login(record("a", owner="alice"), limit=1)))
    with holding(place, user_lock(place, "alice")) as rival:
        late = in_thread(store.replace(login(record("c", owner="alice"), limit=1)), answers)
        wait_until_blocked(place, 1)
        rival.execute(  # the rival's login: b in the place of a
            f"UPDATE {place.table} SET key = %s, claim = 2, blob = %s WHERE key = %s",
            (key("b"), pack(record("b", owner="alice")), key("a")),
        )
        rival.commit()
    late.join()

    assert answers == [Replaced((key("b"),))]
    run(store.close())


def test_end_of_all_reaches_the_session_that_a_step_up_is_making(place):
    """A session that goes on in a new row while its user's are ended is ended as well."""
    store, answers = PostgresStore.from_url(place.url(timeout=30)), []
    old = record("old", owner="alice")
    run(store.replace(login(old)))
    lock_row = f"SELECT FROM {place.table} WHERE key = %s FOR UPDATE", key("old")
    with holding(place, lock_row):
        step_up = store.replace(login(record("new", owner="alice"), old=old, tombstone=GRAVE))
        threads = [in_thread(step_up, answers)]
        wait_until_blocked(place, 1)
        threads.append(in_thread(store.delete_owned("alice"), answers))
        wait_until_blocked(place, 2)
    for thread in threads:
        thread.join()

    assert sorted(answers, key=repr) == [Deleted((key("new"),)), Replaced()]
    assert run(store.read(key("old"))) == GRAVE
    run(store.close())


def test_row_that_somebody_holds_costs_the_time_limit(place, store, drive):
    """A commit that waits for a lock is unavailable in time, and makes no later one wait."""
    row = record("old", owner="alice")
    quick = PostgresStore.from_url(place.url(timeout=0.5))
    with holding(place, (f"SELECT FROM {place.table} FOR UPDATE",)):
        with pytest.raises(StoreUnavailable):
            drive(quick.commit(change(row)))
        assert drive(quick.read(key("old"))) == row
        wait_until_blocked(place, 0)  # and holds no connection of the server's
    drive(quick.close())

    assert drive(store.read(key("old"))) in (row, change(row).record)


def test_nobody_waits_in_a_circle(place):
    """Logins that take the place of each other's users' sessions end, whatever their order."""
    store = PostgresStore.from_url(place.url(timeout=30))
    rows = {name: record(name, owner=name) for name in ("alice", "bob")}
    for row in rows.values():
        run(store.replace(login(row)))
    answers, threads = [], []
    for name, other in (("alice", "bob"), ("bob", "alice")):
        new = record(f"new {name}", owner=name)
        threads.append(in_thread(store.replace(login(new, old=rows[other], limit=1)), answers))
    for thread in threads:
        thread.join()

    assert len(answers) == 2
    run(store.close())


def test_strict_isolation_is_no_error_of_a_user(place, drive):
    """A database that is serializable by default refuses nobody: rivals wait for each other."""
    server = place.server
    server.ask("ALTER DATABASE postgres SET default_transaction_isolation = serializable")
    try:
        store = PostgresStore.from_url(place.url(timeout=30))
        rows = [record(f"rival {n}", owner="alice") for n in range(8)]
        answers = drive.together(store.replace(login(row, limit=1)) for row in rows)
        assert all(isinstance(answer, Replaced) for answer in answers), answers
        assert len(records_of(store, drive, "alice")) == 1
        drive(store.close())
    finally:
        server.ask("ALTER DATABASE postgres RESET default_transaction_isolation")


# Life


def test_forked_child_has_connections_of_its_own(place):
    """After a fork neither side reads an answer of the other's, nor ends its connection."""
    store = place.open()
    run(store.create(record("a")))
    mine = run(backend(store))
    child = os.fork()
    if child == 0:
        good = run(backend(store)) != mine and run(store.read(key("a"))) == record("a")
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(backend(store)) == mine
    assert run(store.read(key("a"))) == record("a")
    run(store.close())


async def backend(store):
    """Return which process of the server's has answered."""
    return await store._client.ask("pid", Statement(b"SELECT pg_backend_pid()").bind())


def test_connections_are_kept_and_bounded(place, drive):
    """However many acts are under way, there are no more connections than the URL says."""
    before = place.server.connections()
    store = PostgresStore.from_url(f"{place.url(timeout=30)}&connections=3")
    drive.together(store.read(Key(f"{n:020}")) for n in range(20))

    assert place.server.connections() - before <= 3
    drive(store.close())


def test_acts_that_wait_for_a_connection_end_in_time(place, drive):
    """Where all connections are at work, those that wait are told no later than the others."""
    store = PostgresStore.from_url(f"{place.url(timeout=0.5)}&connections=1")
    drive(store.create(record("old")))
    place.freeze()
    try:
        began = monotonic()
        answers = drive.together(store.read(key("old")) for _ in range(4))
        assert monotonic() - began < 5
    finally:
        place.thaw()

    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    drive(store.close())


# The table


def test_table_is_made_once_by_however_many(place, drive):
    """Workers that start together make one table, and none of them fails."""
    stores = [PostgresStore.from_url(place.url(timeout=30)) for _ in range(6)]
    answers = drive.together(store.ping() for store in stores)

    assert answers == [None] * 6
    for store in stores:
        drive(store.close())


def test_unlogged_table_is_made_where_the_url_says_so(postgres_server, fresh_database, drive):
    """``?logged=no`` keeps rows out of the log; a crash of the server ends every session."""
    url = f"{postgres_server.url_of(fresh_database)}?timeout=30"
    store = PostgresStore.from_url(f"{url}&logged=no")
    drive(store.create(record("a")))
    kind = "SELECT relpersistence::text FROM pg_class WHERE relname = 'sessile_session'"
    assert postgres_server.ask(kind, database=fresh_database) == [("u",)]

    postgres_server.stop()
    postgres_server.start()
    assert drive(store.read(key("a"))) is None
    drive(store.create(record("c")))
    drive(store.close())


def test_end_of_everybody_outlives_a_crash(postgres_server, fresh_database, drive):
    """It waits for the disk, though the server is told to wait at no commit."""
    assert postgres_server.ask("SHOW synchronous_commit") == [("off",)]
    store = PostgresStore.from_url(f"{postgres_server.url_of(fresh_database)}?timeout=30")
    drive(store.create(record("a")))
    postgres_server.ask("CHECKPOINT")  # she outlives it, unless everybody ended
    drive(store.end_everybody())
    postgres_server.stop()
    postgres_server.start()

    assert drive(store.read(key("a"))) is None
    drive(store.create(record("a")))
    drive(store.close())


FAULTS = {
    "no rights to make it": ("", "stranger", "", "no table sessile_session.*sessile init --print"),
    "no schema": ("", "sessile", "table=no.such", 'schema "no" does not exist.*sessile init'),
    "another's": ("CREATE TABLE mine (a int)", "sessile", "table=mine", "mine is another.*name an"),
    "a view": ("CREATE VIEW v AS SELECT 1 a", "sessile", "table=v", "v is another application's"),
    "no rights": ("made", "stranger", "", 'write GRANT SELECT, INSERT.* ON "sessile_session"'),
    "wrong password": ("", "guarded:wrong", "", "check the URL's user name and password"),
    "no password": ("", "guarded", "", "asks for a password; write it into the URL"),
    "no role": ("", "nobody", "", 'role "nobody" does not exist; make it'),
    "no TLS": ("", "sessile", "sslmode=require", "server does not support SSL"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_at_the_start_says_what_to_write(
    postgres_server, fresh_database, drive, fault
):
    """The first act of a store that cannot work tells an operator why, and no password."""
    before, user, options, says = FAULTS[fault]
    url = postgres_server.url_of(fresh_database)
    if before == "made":
        good = PostgresStore.from_url(f"{url}?timeout=30")
        drive(good.ping())
        drive(good.close())
    elif before:
        postgres_server.ask(before, database=fresh_database)
    words = f"timeout=30&{options}".removesuffix("&")
    store = PostgresStore.from_url(f"{url.replace('sessile@', f'{user}@')}?{words}")
    with pytest.raises(StoreUnavailable, match=f"(?s){says}") as refused:
        drive(store.ping())

    assert "wrong" not in f"{refused.value} {refused.value.__cause__}"
    drive(store.close())


def test_old_server_is_refused(place, drive, monkeypatch):
    """A server that lacks what the statements need is named with its version."""
    from sessile.wire.postgres import opening

    monkeypatch.setattr(opening, "OLDEST", 990000)
    store = place.open()
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL \d+, and 99 or newer is needed"):
        drive(store.ping())
    drive(store.close())
