"""A file system that stalls: what hangs hangs, and what comes later is refused in time."""

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from threading import get_ident
from time import monotonic

import pytest

from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.wire.embedded.stall import LOOP_PATIENCE, PATIENCE, WARMTH
from sessile.wire.sqlite.file import SQLiteFile

TALLY = ("PRAGMA journal_mode = WAL", "CREATE TABLE IF NOT EXISTS tally AS SELECT 0 AS n")
LONG = 20.0


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def file(tmp_path, clock):
    path = str(tmp_path / "tally.db")
    file = SQLiteFile(path, name="sqlite:///tally.db", limit=0.1, prepare=TALLY, clock=clock)
    assert run(file.ask("value", value)) == 0
    yield file

    async def close():
        await file.close()

    run(close())


def value(db):
    return db.execute("SELECT n FROM tally").fetchone()[0]


def thread(db):
    value(db)
    return get_ident()


class HungStatement:
    """A statement that hangs within SQLite until it is let go, as on a frozen file system."""

    def __init__(self):
        self.begun, self.end = threading.Event(), threading.Event()

    def __call__(self, db):
        db.connection.create_function("hang", 0, self._hang)
        return db.execute("SELECT hang() + n FROM tally").fetchone()[0]

    def _hang(self):
        self.begun.set()
        assert self.end.wait(LONG), "nobody let this statement go on"
        return 1


@contextmanager
def hung(file):
    """Let a thread hang in a call that it makes in place; it goes on in the end."""
    statement, replies = HungStatement(), []
    worker = threading.Thread(target=lambda: replies.append(run(file.ask("hang", statement))))
    worker.start()
    assert statement.begun.wait(LONG)
    try:
        yield
    finally:
        statement.end.set()
        worker.join(LONG)
    assert replies == [1]


def threads_apart():
    return {one for one in threading.enumerate() if one.name == "sessile-file"}


def test_quick_calls_are_made_in_place(file, clock, drive):
    """While calls are quick, and though others are under way, nobody needs a thread."""
    drive(file.ask("thread", thread))
    with hung(file):
        clock.advance(WARMTH / 2)

        assert drive(file.ask("thread", thread)) == get_ident()


def test_call_beside_one_that_hangs_is_made_apart(file, clock, drive):
    """Once a call has hung for long later ones have a thread, in either colour."""
    with hung(file):
        clock.advance(PATIENCE)
        assert drive(file.ask("thread", thread)) != get_ident()

    assert run(file.ask("thread", thread)) == get_ident()


def test_call_after_a_slow_one_is_made_apart(file, clock, drive):
    """What took long in place is followed by calls in a thread, until one of them is quick."""

    def slow(db):
        clock.advance(PATIENCE * 2)
        return thread(db)

    drive(file.ask("slow", thread))
    assert drive(file.ask("slow", slow)) == get_ident()
    assert drive(file.ask("slow", slow)) != get_ident()
    assert drive(file.ask("thread", thread)) != get_ident()
    assert drive(file.ask("thread", thread)) == get_ident()


def test_crowd_after_a_slow_call_is_in_place_again(tmp_path, clock):
    """Of a hundred calls that come while it is slow, the first quick one frees all others."""
    path = str(tmp_path / "crowd.db")
    file = SQLiteFile(path, name="sqlite:///crowd.db", limit=LONG, prepare=TALLY, clock=clock)

    def slow(db):
        clock.advance(PATIENCE * 2)

    async def crowd():
        await arun(file.ask("thread", slow))
        return await asyncio.gather(*(arun(file.ask("thread", thread)) for _ in range(100)))

    async def close():
        await file.close()

    idents = asyncio.run(crowd())
    run(close())

    assert idents.count(get_ident()) > 50


def test_stall_holds_one_thread_and_no_loop(file, clock):
    """While everything hangs each call is refused at its limit; the loop goes on, in one thread."""
    apart, before = HungStatement(), threads_apart()

    async def crowd():
        calls = [arun(file.ask("hang", apart)) for _ in range(50)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with hung(file):
        clock.advance(PATIENCE)
        began = monotonic()
        outcomes = asyncio.run(crowd())
        assert monotonic() - began < 2
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert all(outcome.__cause__ is not None for outcome in outcomes)
        assert "its file system does not answer" in str(outcomes[-1])
        assert len(threads_apart() - before) == 1
        apart.end.set()

    assert run(file.ask("value", value)) == 0


def test_blocking_calls_are_refused_as_well(file, clock):
    """A thread of the server waits no longer for a stalled file than the limit."""
    apart = HungStatement()
    with hung(file):
        clock.advance(PATIENCE)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                run(file.ask("hang", apart))
        apart.end.set()


def test_call_apart_fails_as_it_would_in_place(file, clock, drive):
    """A thread changes nothing about errors, SQLite's own and others."""

    def fail(_):
        raise ValueError("its own")

    with hung(file):
        clock.advance(PATIENCE)
        with pytest.raises(ValueError, match="its own"):
            drive(file.ask("fail", fail))
        with pytest.raises(StoreUnavailable, match="no such table"):
            drive(file.ask("fail", lambda db: db.execute("SELECT * FROM missing")))


def test_cancelled_call_apart_harms_nobody(file, clock, caplog):
    """What becomes of a call that hangs is no news to anybody once its request was cancelled."""
    apart = HungStatement()

    def fail(db):
        apart(db)
        raise ValueError("too late")

    async def cancel():
        task = asyncio.create_task(arun(file.ask("hang", fail)))
        await asyncio.to_thread(apart.begun.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        apart.end.set()
        assert await arun(file.ask("value", value)) == 0  # made when the thread has done with it
        await asyncio.sleep(0)
        gc.collect()  # asyncio tells of an error that nobody has asked for when it is forgotten

    with hung(file):
        clock.advance(PATIENCE)
        asyncio.run(cancel())
    assert run(file.ask("value", value)) == 0
    assert not caplog.records


def test_stall_is_told_once(file, clock, caplog):
    """The log says how long a call stood in the way, and does not repeat itself."""
    for _ in range(3):
        run(file.ask("slow", lambda db: clock.advance(4)))
        run(file.ask("value", value))

    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert "took 4.0 s" in line.getMessage()


def test_forked_child_inherits_no_stall(file, clock):
    """A child has none of the threads that hang, and makes its calls in place."""
    with hung(file):
        clock.advance(PATIENCE)
        child = os.fork()
        if not child:
            os._exit(run(file.ask("thread", thread)) != get_ident())

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def beats(task):
    """Count how often the loop goes round until a task is done."""
    count = 0
    while not task.done():
        await asyncio.sleep(0)
        count += 1
    return count


@pytest.mark.parametrize("ask", [SQLiteFile.ask, SQLiteFile.ask_in_thread])
def test_loop_goes_on_beside_the_first_call_that_hangs(file, ask):
    """Nobody has seen the stall before, and still the loop is free; the call ends at its limit."""
    first = HungStatement()

    async def meet():
        task = asyncio.create_task(arun(ask(file, "hang", first)))
        assert await beats(task) > 10
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await task

    asyncio.run(meet())
    first.end.set()
    assert run(file.ask("value", value)) == 0


def test_first_call_that_hangs_is_made_once(tmp_path, clock):
    """A loop that stood still for it waits on, and has its answer: there is no second try."""
    path = str(tmp_path / "once.db")
    file = SQLiteFile(path, name="sqlite:///once.db", limit=LONG, prepare=TALLY, clock=clock)
    hang = HungStatement()
    calls = []

    def add(db):
        calls.append(hang(db))
        return db.execute("UPDATE tally SET n = n + 1 RETURNING n").fetchone()[0]

    async def meet():
        task = asyncio.create_task(arun(file.ask("add", add)))
        await asyncio.sleep(LOOP_PATIENCE / 10)
        hang.end.set()
        return await task

    async def close():
        await file.close()

    assert asyncio.run(meet()) == 1
    assert calls == [1]
    run(close())


def test_quick_call_vouches_for_its_kind_alone(file, clock):
    """That a read was quick says nothing of a commit, and nothing of a read after a while."""

    async def idents():
        await arun(file.ask("read", value))
        warm = await arun(file.ask("read", thread))
        other = await arun(file.ask("commit", thread))
        clock.advance(WARMTH * 2)
        return warm, other, await arun(file.ask("read", thread))

    warm, other, later = asyncio.run(idents())
    assert warm == get_ident()
    assert other == later != get_ident()


def test_blocking_call_never_leaves_its_thread(file, clock):
    """A thread of the server may wait: while nothing stalls it hands no call over."""
    clock.advance(WARMTH * 2)

    assert run(file.ask("thread", thread)) == get_ident()


def test_forked_child_hands_over_to_a_thread_of_its_own(file, clock):
    """The parent's is not there in the child."""
    clock.advance(WARMTH * 2)
    assert asyncio.run(arun(file.ask("thread", thread))) != get_ident()
    clock.advance(WARMTH * 2)
    child = os.fork()
    if not child:
        os._exit(asyncio.run(arun(file.ask("thread", thread))) == get_ident())

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("leave", ["close", "forget"])
def test_thread_ends_with_its_file(tmp_path, leave):
    """Who closes a store, or forgets it, leaves no thread behind."""
    before = threads_apart()
    file = SQLiteFile(str(tmp_path / "t.db"), name="t", limit=LONG, prepare=TALLY)
    asyncio.run(arun(file.ask("value", value)))
    (mine,) = threads_apart() - before

    if leave == "close":
        file.close().block()
    else:
        del file
        gc.collect()
    mine.join(LONG)
    assert not mine.is_alive()


def test_interpreter_ends_beside_a_call_that_hangs(tmp_path):
    """The worker stops when it is told to, whatever the file system does."""
    program = f"""if True:
        import asyncio, threading
        from sessile.core.flow import arun
        from sessile.errors import StoreUnavailable
        from sessile.wire.sqlite.file import SQLiteFile
        file = SQLiteFile({str(tmp_path / "t.db")!r}, name="t", limit=0.1, prepare=())
        for ask in file.ask, file.ask_in_thread:
            try:
                asyncio.run(arun(ask("hang", lambda _: threading.Event().wait())))
            except StoreUnavailable:
                print("gave up")
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=LONG
    )
    assert done.stdout.split("\n") == ["gave up", "gave up", ""]
