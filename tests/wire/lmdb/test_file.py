"""Calls on an LMDB file: reads in place, writes in turn, both colours, within the time limit."""

import asyncio
import fcntl
import os
import threading
from contextlib import contextmanager
from threading import get_ident
from time import monotonic

import pytest

from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.wire.embedded.calls import FileLocked
from sessile.wire.lmdb.file import LMDBFile
from sessile.wire.lmdb.holder import Layout

LONG = 20.0
N = b"n"


def begin(transaction):
    transaction.put(N, b"0")


def value(transaction):
    return int(transaction.get(N))


def add(transaction):
    n = value(transaction) + 1
    transaction.put(N, b"%d" % n)
    return n


@pytest.fixture
def file(tmp_path):
    layout = Layout(1, lambda transaction: transaction.get(N) is None, begin)
    file = LMDBFile(
        str(tmp_path / "tally.lmdb"), name="lmdb:///tally.lmdb", limit=0.1, size=1 << 24,
        layout=layout, clock=FakeClock(),  # which stands still: every loop is busy
    )  # fmt: skip
    assert run(file.write("add", add)) == 1
    yield file
    file._close()


@pytest.fixture
def rival(file, tmp_path):
    """Another process's handle, which holds the write lock until it is let go."""
    handle = os.open(tmp_path / "tally.lmdb", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield lambda: fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def test_reader_waits_for_no_writer(file, rival):
    """While another process writes, reading goes on at the first attempt."""
    assert file.read("lmdb read", value).send(None).block() == 1


def test_writer_goes_on_when_the_lock_is_gone(file, rival):
    """A call that finds the lock held pauses, tries again, and does its work once."""
    flow = file.write("add", add)
    ask = flow.send(None)
    with pytest.raises(FileLocked) as locked:
        ask.block()
    assert flow.throw(locked.value).what == "pause"
    rival()
    again = flow.send(None)
    with pytest.raises(StopIteration) as end:
        flow.send(again.block())

    assert end.value.value == 2
    assert run(file.read("lmdb read", value)) == 2


def test_lock_that_stays_is_an_outage(file, rival, drive):
    """After the time limit the file is unavailable, with its cause, and nothing is done later."""
    start = monotonic()
    with pytest.raises(
        StoreUnavailable, match=r"tally\.lmdb is unavailable: another pro"
    ) as caught:
        drive(file.write("add", add))

    assert 0.1 <= monotonic() - start < LONG
    assert caught.value.__cause__ is not None
    rival()
    assert drive(file.read("lmdb read", value)) == 1
    assert drive(file.write("add", add)) == 2


def test_loop_goes_on_while_a_call_waits(file, rival):
    """A call that waits leaves the loop to others; here only another task can end the lock."""

    async def release():
        for _ in range(3):
            await asyncio.sleep(0)
        rival()

    async def both():
        return await asyncio.gather(arun(file.write("add", add)), release())

    assert asyncio.run(both()) == [2, None]


def test_cancelled_call_leaves_nothing_behind(file, rival):
    """A call that is cancelled while it waits never writes, and the file works on."""

    async def cancel():
        task = asyncio.create_task(arun(file.write("add", add)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    rival()
    assert run(file.read("lmdb read", value)) == 1
    assert run(file.write("add", add)) == 2


def test_call_that_fails_changes_nothing(file, drive):
    """An error that is none of LMDB's passes through, and what was written before it is undone."""

    def fail(transaction):
        add(transaction)
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        drive(file.write("fail", fail))

    assert drive(file.read("lmdb read", value)) == 1


@contextmanager
def hung(file):
    """Let a thread hang within its transaction, as on a frozen file system, until the end."""
    begun, end = threading.Event(), threading.Event()

    def hang(transaction):
        begun.set()
        assert end.wait(LONG)
        return add(transaction)

    worker = threading.Thread(target=lambda: run(file.write("hang", hang)))
    worker.start()
    assert begun.wait(LONG)
    try:
        yield
    finally:
        end.set()
        worker.join(LONG)


def test_reads_are_made_in_place_beside_a_write_that_hangs(file, drive):
    """A writer that the file system holds up takes no reader along, and no thread."""

    def look(transaction):
        return value(transaction), get_ident()

    with hung(file):
        assert drive(file.read("lmdb read", look)) == (1, get_ident())
        with pytest.raises(StoreUnavailable):
            drive(file.write("add", add))

    assert drive(file.write("add", add)) == 3


def test_loop_goes_on_beside_the_first_write_that_hangs(file):
    """Nobody has seen the stall before, and still the loop is free; the call ends at its limit."""
    end = threading.Event()

    def hang(transaction):
        assert end.wait(LONG)

    async def meet():
        task = asyncio.create_task(arun(file.write("hang", hang)))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await task
        return turns

    assert asyncio.run(meet()) > 10
    end.set()


def test_only_long_calls_leave_the_loop(file):
    """Under asyncio a quick call of a busy loop stays on its thread; one of many rows does not."""

    async def threads():
        await arun(file.write("quick", add))
        quick = await arun(file.write("quick", lambda _: get_ident()))
        long = await arun(file.write_in_thread("long", lambda _: get_ident()))
        return quick == get_ident(), long == get_ident()

    assert asyncio.run(threads()) == (True, False)
