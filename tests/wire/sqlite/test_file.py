"""A file that others hold locked: paused for, in both colours, within the time limit."""

import asyncio
import sqlite3
from threading import get_ident
from time import monotonic

import pytest

from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.wire.sqlite.file import SQLiteFile

TALLY = ("PRAGMA journal_mode = WAL", "CREATE TABLE IF NOT EXISTS tally AS SELECT 0 AS n")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tally.db"


@pytest.fixture
def file(path):
    clock = FakeClock()  # which stands still: every loop is busy
    file = SQLiteFile(str(path), name="sqlite:///tally.db", limit=0.1, prepare=TALLY, clock=clock)
    assert run(file.ask("value", value)) == 0
    yield file

    async def close():
        await file.close()

    run(close())


@pytest.fixture
def rival(file, path):
    """Another process's connection, which holds the lock until it rolls back."""
    rival = sqlite3.connect(path, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    yield rival
    rival.close()


def add(db):
    return db.execute("UPDATE tally SET n = n + 1").rowcount


def value(db):
    return db.execute("SELECT n FROM tally").fetchone()[0]


def meets_lock(flow):
    """Step a flow to the pause after its first attempt."""
    ask = flow.send(None)
    try:
        ask.block()
    except Exception as locked:  # noqa: BLE001  (the flow knows what it is)
        return flow.throw(locked)
    raise AssertionError("nothing was locked")


def test_reader_waits_for_no_writer(file, rival):
    """While another process writes, reading goes on at the first attempt."""
    assert file.ask("value", value).send(None).block() == 0


def test_writer_goes_on_when_the_lock_is_gone(file, rival):
    """A locked call pauses, tries again, and does its work once."""
    flow = file.ask("add", add)
    assert meets_lock(flow).what == "pause"
    rival.rollback()
    again = flow.send(None)
    with pytest.raises(StopIteration) as end:
        flow.send(again.block())

    assert end.value.value == 1
    assert run(file.ask("value", value)) == 1


def test_lock_that_stays_is_an_outage(file, rival, drive):
    """After the time limit the file is unavailable, with its cause; the loop's end is no worse."""
    start = monotonic()
    with pytest.raises(StoreUnavailable, match=r"tally\.db is unavailable: another pro") as caught:
        drive(file.ask("add", add))

    assert 0.1 <= monotonic() - start < 0.4
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    rival.rollback()
    assert drive(file.ask("add", add)) == 1


def test_loop_goes_on_while_a_call_waits(file, rival):
    """A locked call leaves the loop to others; here only another task can end the lock."""

    async def release():
        for _ in range(3):
            await asyncio.sleep(0)
        rival.rollback()

    async def both():
        return await asyncio.gather(arun(file.ask("add", add)), release())

    assert asyncio.run(both()) == [1, None]


def test_many_waiting_calls_keep_one_limit(file, rival):
    """Two hundred locked calls are all refused at the limit, not one after the other."""

    async def crowd():
        calls = [arun(file.ask("add", add)) for _ in range(200)]
        return await asyncio.gather(*calls, return_exceptions=True)

    start = monotonic()
    assert {type(outcome) for outcome in asyncio.run(crowd())} == {StoreUnavailable}
    assert monotonic() - start < 2


def test_cancelled_call_leaves_nothing_behind(file, rival):
    """A call that is cancelled while it waits never writes, and the file works on."""

    async def cancel():
        task = asyncio.create_task(arun(file.ask("add", add)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    rival.rollback()
    assert run(file.ask("value", value)) == 0
    assert run(file.ask("add", add)) == 1


def test_call_that_fails_gives_its_connection_back(file):
    """An error that is none of SQLite's passes through, and the connection is used again."""

    def fail(db):
        raise ValueError(id(db))

    with pytest.raises(ValueError) as caught:
        run(file.ask("fail", fail))

    assert run(file.ask("look", id)) == caught.value.args[0]


def test_only_long_calls_leave_the_loop(file):
    """Under asyncio a quick call of a busy loop stays on its thread; one of many rows does not."""

    async def threads():
        await arun(file.ask("quick", value))
        quick = await arun(file.ask("quick", lambda _: get_ident()))
        long = await arun(file.ask_in_thread("long", lambda _: get_ident()))
        return quick == get_ident(), long == get_ident()

    assert asyncio.run(threads()) == (True, False)
