"""One user's two thousand sessions on real stores: each act is bounded, and others have turns."""

import asyncio

import pytest

from harness.backends import OWNING, as_params
from sessile.core.flow import arun
from sessile.core.policy import Policy
from sessile.service.manage import end_all, sessions_of
from sessile.service.sessions import context_of
from sessile.stores import sqlite_acts
from sessile.stores.contract import MOST_ENDED, OnLimit, Replaced
from sessile.stores.excess import MOST_DEAD
from sessile.stores.key_value_store import KeyValueStore
from sessile.stores.nats import NatsStore
from sessile.stores.nats_rows import entry_of
from sessile.stores.open import open_store
from sessile.stores.redis import RedisStore
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.clock import T0
from sessile.testing.drive import Async
from sessile.testing.sample import key, login, record
from sessile.testing.step import Stepped
from sessile.testing.world import World

NUMBER = 2_000
PAGE = 250


@pytest.fixture(params=as_params(OWNING))
def place(request, tmp_path):
    place = request.param.place(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def drive():
    drive = Async()
    yield drive
    drive.close()


@pytest.fixture
def store(place, drive):
    store = open_store(place.url(timeout=60))  # a busy machine fails no test
    yield store
    drive(store.close())


def plant(store, drive, rows):
    """Put them into their rows and the index at once: each login writes the whole index."""
    index, seq = drive(store._rows.get_index("alice"))
    for row in rows:
        index = index.with_entry(entry_of(row, index))
    for at in range(0, len(rows), 500):
        messages = [store._rows.session(row.key, 0, row) for row in rows[at : at + 500]]
        assert drive(store._stream.store("plant", *messages))
    assert drive(store._stream.store("plant", store._rows.index("alice", seq, index)))


def fill(store, drive, prove=lambda row: row, **fields):
    """Log alice in so often, and return her sessions."""
    rows = [prove(record(f"row {n}", owner="alice", **fields)) for n in range(NUMBER)]
    if isinstance(store, NatsStore):
        plant(store, drive, rows)
        return rows

    async def log_in():
        for row in rows:  # one after the other: at once they would have no order
            await arun(store.replace(login(row)))

    drive._runner.run(log_in())
    return rows


def count(store, drive):
    """Return how many sessions there are; on NATS alice's, for it counts what has just ended."""
    if isinstance(store, NatsStore):
        return len(drive(store._rows.get_index("alice"))[0].entries)
    return drive(store.count())


def test_sessions_of_one_user_end_in_bounded_acts(store, drive):
    """No act removes more than a page, and after each one somebody else logs in and out.

    A store that changes one row at a time removes one.
    """
    fill(store, drive)
    context = context_of(World(store, drive).sessions)
    ending = Stepped(end_all(context, "alice", None), drive)
    left, most = NUMBER, 0
    while ending.ask is not None:
        ending.step()
        before, left = left, count(store, drive)
        most = max(most, before - left)
        bobs = record("bobs", owner="bob")
        drive(store.replace(login(bobs)))
        assert drive(store.delete(key("bobs"), "bob")) == bobs

    assert ending.finish().get() == NUMBER
    assert left == 0
    assert most == (1 if isinstance(store, KeyValueStore) else PAGE)


def test_sessions_of_one_user_are_listed_while_others_run(store, drive):
    """Listing and ending them give the loop to others after each page."""
    world = World(store, drive, policy=Policy(limit=None))
    fill(store, drive, context_of(world.sessions).sealer.prove)
    world.clock.now = T0
    context, turns = context_of(world.sessions), []

    async def others():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def beside(flow):
        task = asyncio.ensure_future(others())
        turns.clear()
        try:
            return await arun(flow), len(turns)
        finally:
            task.cancel()

    listed, during = drive._runner.run(beside(sessions_of(context, "alice", None)))
    assert len(listed) == NUMBER
    assert during >= NUMBER // 100
    ended, during = drive._runner.run(beside(end_all(context, "alice", None)))
    assert ended == NUMBER
    assert during >= NUMBER // PAGE


@pytest.mark.parametrize("on_limit", [OnLimit.END_OLDEST, OnLimit.END_OTHERS])
def test_new_limit_is_kept_by_the_next_login(store, drive, on_limit):
    """Where there was no limit, the first login under one ends so many, and names the rest."""
    rows = fill(store, drive)
    new = record("new", owner="alice")
    answer = drive(store.replace(login(new, limit=2, on_limit=on_limit)))

    stays = new if on_limit is OnLimit.END_OTHERS else rows[-1]
    assert isinstance(answer, Replaced)
    assert (len(answer.ended), answer.rest) == (MOST_ENDED, stays.key)
    assert count(store, drive) == NUMBER + 1 - MOST_ENDED


@pytest.mark.parametrize("on_limit", list(OnLimit))
def test_dead_sessions_hinder_no_login(store, drive, on_limit):
    """However many that expired stand between, the limit counts the one that lives."""
    drive(store.replace(login(record("living", owner="alice", idle=3_000.0))))
    fill(store, drive, idle=60.0)
    late = login(record("new", owner="alice"), now=T0 + 60.0, limit=2, on_limit=on_limit)

    assert drive(store.replace(late)) == Replaced()
    assert drive(store.read(key("living"))) is not None
    assert count(store, drive) <= MOST_DEAD + 4


def test_login_looks_at_so_many_heads(tmp_path, drive, monkeypatch):
    """On SQLite a login within the limit looks at no session, one beyond it at those it takes."""
    store, seen = SQLiteStore(tmp_path / "sessile.db"), []
    whole = sqlite_acts.head_of
    monkeypatch.setattr(sqlite_acts, "head_of", lambda *given: seen.append(1) or whole(*given))
    rows = fill(store, drive)
    drive(store.replace(login(record("within", owner="bob"), limit=1_000)))
    assert seen == []

    drive(store.replace(login(record("beyond", owner="alice"), limit=2)))
    assert len(seen) == 2 + MOST_ENDED
    assert len(rows) == NUMBER
    drive(store.close())


def test_commands_of_a_login_on_redis_are_bounded(server, drive):
    """On Redis a script looks at no session within the limit, and beyond it at those it takes."""
    store = RedisStore.from_url(f"{server.url}?timeout=60")
    fill(store, drive)
    for number, looks in ((9_000, 16), (2, 2 + MOST_ENDED)):
        server.ask("CONFIG", "RESETSTAT")
        drive(store.replace(login(record(f"limit {number}", owner="alice"), limit=number)))
        assert server.calls()["getrange"] == looks
    drive(store.close())
