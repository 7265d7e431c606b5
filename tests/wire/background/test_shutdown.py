"""How errands end: with a close, with their loop, with the program; never in silence."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sessile.wire.background import tasks as tasks_module
from sessile.wire.background.loop import Background
from sessile.wire.background.tasks import Errands
from wire.background.awaitables import LOOPS, forever, never


def test_closing_waits_for_either_kind(errands, lost, runner, background) -> None:
    """``aclose`` finishes what runs on this loop and in the background, and what those start."""
    done = []

    async def errand(name):
        await asyncio.sleep(0)
        done.append(name)

    async def parent():
        await asyncio.sleep(0)
        errands.start(errand("child"), never)

    async def request():
        thread = threading.Thread(target=lambda: errands.start(errand("background"), never))
        thread.start()
        thread.join()
        errands.start(parent(), never)
        await errands.aclose()

    runner.run(request())

    assert sorted(done) == ["background", "child"]
    assert lost == []


def test_closing_from_a_thread_waits_for_a_running_loop(errands, runner) -> None:
    """``close`` on another thread returns when the loop's errand is done."""
    done = []
    order = []

    async def request():
        gate = asyncio.Event()

        async def errand():
            await gate.wait()
            done.append(1)

        def closing():
            errands.close()
            order.append(list(done))

        errands.start(errand(), never)
        loop = asyncio.get_running_loop()
        closed = loop.run_in_executor(None, closing)
        while not errands._closing:  # noqa: ASYNC110  (it is set on the other thread)
            await asyncio.sleep(0)
        assert order == []
        gate.set()
        await closed

    runner.run(request())

    assert order == [[1]]


def test_closing_on_the_loop_leaves_its_own_errands(errands, lost, runner, monkeypatch) -> None:
    """``close`` called on the loop itself does not wait for what only that loop can finish."""
    ready = []
    monkeypatch.setattr(errands._changed, "wait_for", lambda done, _: ready.append(done()))

    async def request():
        gate = asyncio.Event()
        errands.start(gate.wait(), never)
        errands.close()
        gate.set()
        await errands.aclose()

    runner.run(request())

    assert ready == [True, True]
    assert lost == []


def test_closing_waits_for_a_thread_that_has_just_begun(errands, lost, monkeypatch) -> None:
    """An errand is finished though its thread does not run the loop yet when closing begins."""
    gate, waited = threading.Event(), []
    live, wait_for = Background._live, errands._changed.wait_for

    def late(background):
        gate.wait()
        live(background)

    def wait(done, left):
        waited.append(not done())
        gate.set()
        wait_for(done, left)

    monkeypatch.setattr(Background, "_live", late)
    monkeypatch.setattr(errands._changed, "wait_for", wait)
    errands.start(asyncio.sleep(0), never)
    errands.close()

    assert waited == [True]
    assert lost == []


def test_closing_is_bounded(lost, background) -> None:
    """An errand that never ends is cut short when the patience is over, and counted."""
    errands = Errands(patience=0, lost=lost.append)
    errands.start(forever(), never)
    errands.start(forever(), never)
    errands.close()
    errands.close()

    assert sum(lost) == 2
    assert "sessile errands" not in {thread.name for thread in threading.enumerate()}


def test_blocked_thread_is_left_behind(lost, monkeypatch) -> None:
    """A hook that blocks the background loop cannot block closing; all behind it is counted."""
    monkeypatch.setattr(tasks_module, "_CANCELLING", 0)
    errands = Errands(patience=0, lost=lost.append)
    stuck, gate = threading.Event(), threading.Event()

    async def blocking():
        stuck.set()
        gate.wait()

    errands.start(blocking(), never)
    errands.start(forever(), never)
    assert stuck.wait(10)
    thread = errands._background._thread
    errands.close()
    gate.set()
    thread.join(10)

    assert sum(lost) == 2


def test_closed_errands_take_no_more(errands, lost, runner) -> None:
    """What comes after closing is dropped and counted, with a loop and without."""
    errands.close()
    errands.start(forever(), never)

    async def late():
        errands.start(forever(), never)

    runner.run(late())
    errands.close()

    assert sum(lost) == 2


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_end_of_a_loop_is_told(begun, errands, lost) -> None:
    """``asyncio.run`` cuts its tasks short when it ends; those errands are counted."""

    async def request():
        asyncio.get_running_loop().call_soon(errands.start, forever(), never)
        if begun:
            await asyncio.sleep(0)

    asyncio.run(request())

    assert lost == [1]


@pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_loop_closed_under_an_errand_is_told(begun, make, errands, lost) -> None:
    """A loop closed by hand takes its errands along; closing counts them, and nothing complains."""
    started, cleaned = [], []

    async def errand():
        started.append(1)
        try:
            await forever()
        finally:
            cleaned.append(1)

    def request():
        errands.start(errand(), never)
        loop.stop()

    loop = make()
    loop.call_soon(request)
    loop.run_forever()
    if begun:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    errands.close()

    assert lost == [1]
    assert cleaned == started
    assert started or not begun


def test_errands_of_closed_loops_take_no_room(errands, lost) -> None:
    """A loop that was closed by hand does not block the way of the next one."""

    async def request():
        for _ in range(3):
            errands.start(forever(), never)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(request())
    loop.close()
    errands.start(asyncio.sleep(0), never)  # finds no room, and makes some
    errands.start(asyncio.sleep(0), never)
    errands.close()

    assert sum(lost) == 4


def test_thread_ends_with_its_errands(background) -> None:
    """Errands that nobody closed take their thread along when they are thrown away."""
    errands = Errands()
    errands.start(asyncio.sleep(0), never)
    thread = errands._background._thread
    under_way, changed = errands._under_way, errands._changed
    with changed:
        errands._closing = True
        assert changed.wait_for(lambda: not under_way, 10)
    del errands
    gc.collect()
    thread.join(10)

    assert not thread.is_alive()


SCRIPT = """
import asyncio, os, sys, threading
{policy}
from sessile.wire.background.tasks import Errands

errands = Errands()
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
def test_errands_finish_when_the_program_ends(policy) -> None:
    """A program that closes nothing still finishes what is under way, and says nothing else."""
    assert ran(policy, "errands.start(slow('late'), print)") == ["late"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("end", ["", "os._exit(0)"], ids=["ends", "exits"])
def test_forked_child_has_a_thread_of_its_own(policy, end) -> None:
    """What was under way at a fork is finished once, by the parent; the child goes on by itself."""
    fork = f"""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forks beside threads
errands.start(wait("old"), print)
held, over = threading.Event(), threading.Event()
def hold():
    with errands._changed:
        held.set()
        over.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child:
    over.set()
    errands.start(say("parent"), print)
    os.waitpid(child, 0)
    errands._background.call(gate.set)
else:
    errands.start(say("child"), print)
    errands.close()
    {end}
"""
    assert ran(policy, fork) == ["child", "old", "parent"]
