"""Async hooks on their way: in any loop or none, bounded, harming nobody."""

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from sessile.wire.background.tasks import BackgroundTasks
from wire.background.awaitables import forever, never

WHO = contextvars.ContextVar("who", default="nobody")


def test_hook_is_a_task_of_the_running_loop(tasks, runner) -> None:
    """Under a loop the task runs there, in the context of the request that started it."""
    told = []

    async def hook():
        told.append((asyncio.get_running_loop(), WHO.get()))

    async def request():
        WHO.set("alice")
        tasks.start(hook(), never)
        WHO.set("bob")
        assert told == []  # the request goes on first
        await asyncio.sleep(0)

    runner.run(request())

    assert told == [(runner.get_loop(), "alice")]


def test_task_without_a_loop_runs_on_one_thread(tasks, background) -> None:
    """Without a loop tasks share a daemon thread; each has the context of its start."""
    told = []

    async def hook(number):
        told.append((number, threading.current_thread(), WHO.get()))

    context = contextvars.copy_context()
    context.run(WHO.set, "alice")
    context.run(tasks.start, hook(1), never)
    tasks.start(hook(2), never)
    tasks.close()

    (one, thread, alice), (two, same, nobody) = told
    assert (one, alice, two, nobody) == (1, "alice", 2, "nobody")
    assert thread is same
    assert thread.daemon
    assert not thread.is_alive()


def test_no_thread_before_the_first_task(tasks, runner) -> None:
    """A process whose tasks all have a loop never gets the thread."""

    async def request():
        tasks.start(asyncio.sleep(0), never)
        await tasks.aclose()

    before = threading.enumerate()
    runner.run(request())

    assert threading.enumerate() == before


class Stop(BaseException):
    """What some libraries use to unwind."""


@pytest.mark.parametrize("error", [RuntimeError("42"), SystemExit(3), Stop("42")], ids=type)
def test_failure_harms_nobody(error, tasks, runner, background) -> None:
    """What a task raises, even an exit, is reported once, and nothing else comes of it."""
    failures, done = [], []

    async def bad():
        raise error

    async def good():
        done.append(1)

    async def request():
        tasks.start(bad(), failures.append)
        tasks.start(good(), never)
        for _ in range(3):
            await asyncio.sleep(0)

    runner.run(request())
    tasks.start(bad(), failures.append)
    tasks.start(good(), never)
    tasks.close()

    assert failures == [error, error]
    assert done == [1, 1]


def test_any_awaitable_will_do(tasks, runner) -> None:
    """A future is as good as a coroutine."""

    async def request():
        future = asyncio.get_running_loop().create_future()
        failures = []
        tasks.start(future, failures.append)
        future.set_exception(KeyError("x"))
        await tasks.aclose()
        return [type(error) for error in failures]

    assert runner.run(request()) == [KeyError]


def test_too_many_are_dropped_and_counted(tasks, drops, runner) -> None:
    """Beyond the limit a task never begins; that is told at once, then once in a while."""
    clock = tasks._drops._clock
    begun = []

    async def hook(gate):
        begun.append(1)
        await gate.wait()

    async def request():
        gate = asyncio.Event()
        for _ in range(5):
            tasks.start(hook(gate), never)
        assert drops == [1]
        clock.advance(11)
        tasks.start(hook(gate), never)
        assert drops == [1, 2]
        tasks.start(hook(gate), never)
        gate.set()
        await tasks.aclose()

    runner.run(request())

    assert len(begun) == 3
    assert drops == [1, 2, 1]


def test_room_is_made_when_tasks_finish(tasks, drops, runner) -> None:
    """The limit counts what is under way, not what ever was."""
    done = []

    async def hook():
        done.append(1)

    async def request():
        for _ in range(4):
            tasks.start(hook(), never)
            tasks.start(hook(), never)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    runner.run(request())

    assert (len(done), drops) == (8, [])


def test_drops_are_reported_when_the_rush_is_over(tasks, drops, runner) -> None:
    """What was dropped within the interval is reported when the last task is done."""

    async def request():
        gate = asyncio.Event()
        for _ in range(6):
            tasks.start(gate.wait(), never)
        gate.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    runner.run(request())

    assert drops == [1, 2]


def test_task_outlives_the_one_who_started_it(runner) -> None:
    """A task is kept until it is done, though nothing else refers to it."""
    done = []

    async def request():
        future = asyncio.get_running_loop().create_future()
        seen = weakref.ref(future)

        async def hook(future):
            await future
            done.append(1)

        BackgroundTasks().start(hook(future), never)
        del future
        await asyncio.sleep(0)
        gc.collect()
        seen().set_result(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    runner.run(request())

    assert done == [1]


def test_machine_without_threads_is_told(tasks, drops, monkeypatch) -> None:
    """Where no thread can be started the task is dropped and counted."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    tasks.start(forever(), never)

    assert drops == [1]
