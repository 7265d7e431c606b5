"""How tasks end: with a close, with their loop, with the program; never in silence."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sessile.wire.background import tasks as tasks_module
from sessile.wire.background.loop import LoopThread
from sessile.wire.background.tasks import BackgroundTasks
from wire.background.awaitables import LOOPS, forever, never


def test_closing_waits_for_either_kind(tasks, drops, runner, background) -> None:
    """``aclose`` finishes what runs on this loop and in the background, and what those start."""
    done = []

    async def hook(name):
        await asyncio.sleep(0)
        done.append(name)

    async def parent():
        await asyncio.sleep(0)
        tasks.start(hook("child"), never)

    async def request():
        thread = threading.Thread(target=lambda: tasks.start(hook("background"), never))
        thread.start()
        thread.join()
        tasks.start(parent(), never)
        await tasks.aclose()

    runner.run(request())

    assert sorted(done) == ["background", "child"]
    assert drops == []


def test_closing_from_a_thread_waits_for_a_running_loop(tasks, runner) -> None:
    """``close`` on another thread returns when the loop's task is done."""
    done = []
    order = []

    async def request():
        gate = asyncio.Event()

        async def hook():
            await gate.wait()
            done.append(1)

        def closing():
            tasks.close()
            order.append(list(done))

        tasks.start(hook(), never)
        loop = asyncio.get_running_loop()
        closed = loop.run_in_executor(None, closing)
        while not tasks._closing:  # noqa: ASYNC110  (it is set on the other thread)
            await asyncio.sleep(0)
        assert order == []
        gate.set()
        await closed

    runner.run(request())

    assert order == [[1]]


def test_closing_on_the_loop_leaves_its_own_tasks(tasks, drops, runner, monkeypatch) -> None:
    """``close`` called on the loop itself does not wait for what only that loop can finish."""
    ready = []
    monkeypatch.setattr(tasks._changed, "wait_for", lambda done, _: ready.append(done()))

    async def request():
        gate = asyncio.Event()
        tasks.start(gate.wait(), never)
        tasks.close()
        gate.set()
        await tasks.aclose()

    runner.run(request())

    assert ready == [True, True]
    assert drops == []


def test_closing_waits_for_a_thread_that_has_just_begun(tasks, drops, monkeypatch) -> None:
    """A task is finished though its thread does not run the loop yet when closing begins."""
    gate, waited = threading.Event(), []
    live, wait_for = LoopThread._run, tasks._changed.wait_for

    def late(background):
        gate.wait()
        live(background)

    def wait(done, left):
        waited.append(not done())
        gate.set()
        wait_for(done, left)

    monkeypatch.setattr(LoopThread, "_run", late)
    monkeypatch.setattr(tasks._changed, "wait_for", wait)
    tasks.start(asyncio.sleep(0), never)
    tasks.close()

    assert waited == [True]
    assert drops == []


def test_closing_is_bounded(drops, background) -> None:
    """A task that never ends is cut short when the close timeout is over, and counted."""
    tasks = BackgroundTasks(close_timeout=0, report_drops=drops.append)
    tasks.start(forever(), never)
    tasks.start(forever(), never)
    tasks.close()
    tasks.close()

    assert sum(drops) == 2
    assert "sessile tasks" not in {thread.name for thread in threading.enumerate()}


def test_blocked_thread_is_left_behind(drops, monkeypatch) -> None:
    """A hook that blocks the background loop cannot block closing; all behind it is counted."""
    monkeypatch.setattr(tasks_module, "_CANCEL_TIMEOUT", 0)
    tasks = BackgroundTasks(close_timeout=0, report_drops=drops.append)
    stuck, gate = threading.Event(), threading.Event()

    async def blocking():
        stuck.set()
        gate.wait()

    tasks.start(blocking(), never)
    tasks.start(forever(), never)
    assert stuck.wait(10)
    thread = tasks._thread._thread
    tasks.close()
    gate.set()
    thread.join(10)

    assert sum(drops) == 2


def test_closed_tasks_take_no_more(tasks, drops, runner) -> None:
    """What comes after closing is dropped and counted, with a loop and without."""
    tasks.close()
    tasks.start(forever(), never)

    async def late():
        tasks.start(forever(), never)

    runner.run(late())
    tasks.close()

    assert sum(drops) == 2


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_end_of_a_loop_is_told(begun, tasks, drops) -> None:
    """``asyncio.run`` cuts its tasks short when it ends; those tasks are counted."""

    async def request():
        asyncio.get_running_loop().call_soon(tasks.start, forever(), never)
        if begun:
            await asyncio.sleep(0)

    asyncio.run(request())

    assert drops == [1]


@pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_loop_closed_under_a_task_is_told(begun, make, tasks, drops) -> None:
    """A loop closed by hand takes its tasks along; closing counts them, and nothing complains."""
    started, cleaned = [], []

    async def hook():
        started.append(1)
        try:
            await forever()
        finally:
            cleaned.append(1)

    def request():
        tasks.start(hook(), never)
        loop.stop()

    loop = make()
    loop.call_soon(request)
    loop.run_forever()
    if begun:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    tasks.close()

    assert drops == [1]
    assert cleaned == started
    assert started or not begun


def test_tasks_of_closed_loops_take_no_room(tasks, drops) -> None:
    """A loop that was closed by hand does not block the way of the next one."""

    async def request():
        for _ in range(3):
            tasks.start(forever(), never)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(request())
    loop.close()
    tasks.start(asyncio.sleep(0), never)  # finds no room, and makes some
    tasks.start(asyncio.sleep(0), never)
    tasks.close()

    assert sum(drops) == 4


def test_thread_ends_with_its_tasks(background) -> None:
    """BackgroundTasks that nobody closed take their thread along when they are thrown away."""
    tasks = BackgroundTasks()
    tasks.start(asyncio.sleep(0), never)
    thread = tasks._thread._thread
    pending, changed = tasks._pending, tasks._changed
    with changed:
        tasks._closing = True
        assert changed.wait_for(lambda: not pending, 10)
    del tasks
    gc.collect()
    thread.join(10)

    assert not thread.is_alive()


SCRIPT = """
import asyncio, os, sys, threading
{policy}
from sessile.wire.background.tasks import BackgroundTasks

tasks = BackgroundTasks()
async def say(word):
    await asyncio.sleep(0)
    os.write(1, word.encode() + b" ")
async def slow(word):
    for _ in range(1000):
        await asyncio.sleep(0)
    os.write(1, word.encode() + b" ")
async def wait(word):
    await gate.wait()
    os.write(1, word.encode() + b" ")
gate = asyncio.Event()
{rest}
"""
POLICIES = {
    "asyncio": "",
    "uvloop": "import uvloop; asyncio.new_event_loop = uvloop.new_event_loop",
}


def ran(policy: str, rest: str) -> list[str]:
    script = SCRIPT.format(policy=POLICIES[policy], rest=rest)
    path = os.pathsep.join([str(Path(__file__).parents[3] / "src"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(done.stdout.split())


@pytest.mark.parametrize("policy", POLICIES)
def test_tasks_finish_when_the_program_ends(policy) -> None:
    """A program that closes nothing still finishes what is under way, and says nothing else."""
    assert ran(policy, "tasks.start(slow('late'), print)") == ["late"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("end", ["", "os._exit(0)"], ids=["ends", "exits"])
def test_forked_child_has_a_thread_of_its_own(policy, end) -> None:
    """What was under way at a fork is finished once, by the parent; the child goes on by itself."""
    fork = f"""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forks beside threads
tasks.start(wait("old"), print)
held, over = threading.Event(), threading.Event()
def hold():
    with tasks._changed:
        held.set()
        over.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child:
    over.set()
    tasks.start(say("parent"), print)
    os.waitpid(child, 0)
    tasks._thread.call_soon(gate.set)
else:
    tasks.start(say("child"), print)
    tasks.close()
    {end}
"""
    assert ran(policy, fork) == ["child", "old", "parent"]
