"""Async hooks on their way: in any loop or none, bounded, harming nobody."""

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from sessile.wire.background.tasks import Errands
from wire.background.awaitables import forever, never

WHO = contextvars.ContextVar("who", default="nobody")


def test_errand_is_a_task_of_the_running_loop(errands, runner) -> None:
    """Under a loop the errand runs there, in the context of the request that started it."""
    told = []

    async def errand():
        told.append((asyncio.get_running_loop(), WHO.get()))

    async def request():
        WHO.set("alice")
        errands.start(errand(), never)
        WHO.set("bob")
        assert told == []  # the request goes on first
        await asyncio.sleep(0)

    runner.run(request())

    assert told == [(runner.get_loop(), "alice")]


def test_errand_without_a_loop_runs_on_one_thread(errands, background) -> None:
    """Without a loop errands share a daemon thread; each has the context of its start."""
    told = []

    async def errand(number):
        told.append((number, threading.current_thread(), WHO.get()))

    context = contextvars.copy_context()
    context.run(WHO.set, "alice")
    context.run(errands.start, errand(1), never)
    errands.start(errand(2), never)
    errands.close()

    (one, thread, alice), (two, same, nobody) = told
    assert (one, alice, two, nobody) == (1, "alice", 2, "nobody")
    assert thread is same
    assert thread.daemon
    assert not thread.is_alive()


def test_no_thread_before_the_first_errand(errands, runner) -> None:
    """A process whose errands all have a loop never gets the thread."""

    async def request():
        errands.start(asyncio.sleep(0), never)
        await errands.aclose()

    before = threading.enumerate()
    runner.run(request())

    assert threading.enumerate() == before


class Stop(BaseException):
    """What some libraries use to unwind."""


@pytest.mark.parametrize("error", [RuntimeError("42"), SystemExit(3), Stop("42")], ids=type)
def test_failure_harms_nobody(error, errands, runner, background) -> None:
    """What an errand raises, even an exit, is reported once, and nothing else comes of it."""
    failures, done = [], []

    async def bad():
        raise error

    async def good():
        done.append(1)

    async def request():
        errands.start(bad(), failures.append)
        errands.start(good(), never)
        for _ in range(3):
            await asyncio.sleep(0)

    runner.run(request())
    errands.start(bad(), failures.append)
    errands.start(good(), never)
    errands.close()

    assert failures == [error, error]
    assert done == [1, 1]


def test_any_awaitable_will_do(errands, runner) -> None:
    """A future is as good as a coroutine."""

    async def request():
        future = asyncio.get_running_loop().create_future()
        failures = []
        errands.start(future, failures.append)
        future.set_exception(KeyError("x"))
        await errands.aclose()
        return [type(error) for error in failures]

    assert runner.run(request()) == [KeyError]


def test_too_many_are_dropped_and_counted(errands, lost, runner) -> None:
    """Beyond the limit an errand never begins; that is told at once, then once in a while."""
    clock = errands._losses._clock
    begun = []

    async def errand(gate):
        begun.append(1)
        await gate.wait()

    async def request():
        gate = asyncio.Event()
        for _ in range(5):
            errands.start(errand(gate), never)
        assert lost == [1]
        clock.advance(11)
        errands.start(errand(gate), never)
        assert lost == [1, 2]
        errands.start(errand(gate), never)
        gate.set()
        await errands.aclose()

    runner.run(request())

    assert len(begun) == 3
    assert lost == [1, 2, 1]


def test_room_is_made_when_errands_finish(errands, lost, runner) -> None:
    """The limit counts what is under way, not what ever was."""
    done = []

    async def errand():
        done.append(1)

    async def request():
        for _ in range(4):
            errands.start(errand(), never)
            errands.start(errand(), never)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    runner.run(request())

    assert (len(done), lost) == (8, [])


def test_losses_are_told_when_the_rush_is_over(errands, lost, runner) -> None:
    """What was dropped within the pause is told when the last errand is done."""

    async def request():
        gate = asyncio.Event()
        for _ in range(6):
            errands.start(gate.wait(), never)
        gate.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    runner.run(request())

    assert lost == [1, 2]


def test_errand_outlives_the_one_who_started_it(runner) -> None:
    """An errand is kept until it is done, though nothing else refers to it."""
    done = []

    async def request():
        future = asyncio.get_running_loop().create_future()
        seen = weakref.ref(future)

        async def errand(future):
            await future
            done.append(1)

        Errands().start(errand(future), never)
        del future
        await asyncio.sleep(0)
        gc.collect()
        seen().set_result(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    runner.run(request())

    assert done == [1]


def test_machine_without_threads_is_told(errands, lost, monkeypatch) -> None:
    """Where no thread can be started the errand is dropped and counted."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    errands.start(forever(), never)

    assert lost == [1]
