"""A ticker goes its rounds when they are due and when it is woken; else it has no task."""

import asyncio
import contextvars
import threading

import pytest

from sessile.wire.ticker import Ticker
from wire.background.awaitables import LOOPS

LONG = 3600.0
PATIENCE = 30.0


class Rounds:
    """Counts the rounds that were gone.

    Attributes:
        rests: how long to rest after each; from the last one on the same.
    """

    def __init__(self, *rests):
        self.rests = list(rests)
        self.gone = 0
        self.ticker = Ticker(self.go)
        self.went = asyncio.Event()

    async def go(self):
        self.gone += 1
        self.went.set()
        return self.rests.pop(0) if len(self.rests) > 1 else self.rests[0]

    async def reach(self, number):
        async with asyncio.timeout(PATIENCE):
            while self.gone < number:
                self.went.clear()
                await self.went.wait()


@pytest.fixture(params=LOOPS)
def run(request):
    """Run on an event loop of either make."""

    def run(scene):
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(scene)

    return run


async def turns(number=20):
    for _ in range(number):
        await asyncio.sleep(0)


def tasks():
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def test_nothing_happens_before_it_is_woken(run):
    """A ticker that nobody needs has no task."""

    async def scene():
        rounds = Rounds(None)
        await turns()
        assert (rounds.gone, tasks()) == (0, set())

    run(scene())


def test_round_comes_when_it_is_due(run):
    """It rests as long as the last round said."""

    async def scene():
        rounds = Rounds(0.001, 0.001, LONG)
        rounds.ticker.wake()
        await rounds.reach(3)
        await turns()
        assert rounds.gone == 3
        await rounds.ticker.aclose()

    run(scene())


def test_woken_ticker_does_not_rest(run):
    """Many calls before it has its turn are one round."""

    async def scene():
        rounds = Rounds(LONG)
        rounds.ticker.wake()
        await rounds.reach(1)
        for _ in range(10):
            rounds.ticker.wake()
        await rounds.reach(2)
        await turns()
        assert rounds.gone == 2
        await rounds.ticker.aclose()

    run(scene())


def test_task_ends_where_nothing_is_to_come(run):
    """And begins again when it is woken."""

    async def scene():
        rounds = Rounds(None)
        for number in (1, 2):
            rounds.ticker.wake()
            await rounds.reach(number)
            await turns()
            assert tasks() == set()

    run(scene())


def test_call_during_the_last_round_is_not_lost(run):
    """Who wakes it while it is about to end has one more round."""

    async def scene():
        rounds = Rounds(None)
        go, begun = rounds.go, asyncio.Event()

        async def slow():
            begun.set()
            await turns()
            return await go()

        rounds.ticker._go = slow
        rounds.ticker.wake()
        await begun.wait()
        rounds.ticker.wake()
        await rounds.reach(2)

    run(scene())


def test_any_thread_wakes_it(run):
    """However often, and whenever."""

    async def scene():
        rounds = Rounds(LONG)
        for number in range(1, 50):
            thread = threading.Thread(target=rounds.ticker.wake_from_thread)
            thread.start()
            await rounds.reach(number)
            thread.join()
        await rounds.ticker.aclose()

    run(scene())


def test_calls_of_other_threads_are_one_until_it_has_its_turn(run):
    """A busy feed fills no loop."""

    async def scene():
        rounds = Rounds(LONG)
        loop, called = asyncio.get_running_loop(), []
        rounds.ticker._loop = type("Loop", (), {"call_soon_threadsafe": called.append})()
        for _ in range(10):
            rounds.ticker.wake_from_thread()
        assert len(called) == 1
        rounds.ticker._loop = loop
        called.pop()()
        await rounds.reach(1)
        rounds.ticker.wake_from_thread()
        await rounds.reach(2)
        await rounds.ticker.aclose()

    run(scene())


def test_closed_ticker_goes_no_round(run):
    """Its task is over when ``aclose`` returns, whatever it waits for."""

    async def scene():
        rounds = Rounds(LONG)
        rounds.ticker.wake()
        await rounds.reach(1)
        await rounds.ticker.aclose()
        assert tasks() == set()
        rounds.ticker.wake()
        rounds.ticker.wake_from_thread()
        await turns()
        assert (rounds.gone, tasks()) == (1, set())

    run(scene())


def test_other_threads_close_it(run):
    """As ``sessions.sync.close`` does."""

    async def scene():
        rounds = Rounds(LONG)
        rounds.ticker.wake()
        await rounds.reach(1)
        await asyncio.to_thread(rounds.ticker.close)
        if tasks():
            await asyncio.wait(tasks(), timeout=PATIENCE)
        assert tasks() == set()

    run(scene())


def test_ticker_of_a_closed_loop_can_be_called(run):
    """A feed outlives event loops."""

    async def make():
        return Rounds(None).ticker

    ticker = run(make())
    ticker.wake_from_thread()
    ticker.close()


def test_rounds_know_nothing_of_who_woke_it(run):
    """The request that was under way then is not what they are for: a trace would not end."""
    request = contextvars.ContextVar("request", default="none")
    seen = []

    async def scene():
        async def go():
            seen.append(request.get())

        request.set("mine")
        Ticker(go).wake()
        await turns()

    run(scene())

    assert seen == ["none"]
