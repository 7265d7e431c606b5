"""Both colours finish the same flows, alone and as rivals."""

import asyncio
import threading

import pytest

from sessile.core.flow import Ask
from sessile.testing.drive import COLOURS, Async, Blocking


@pytest.fixture(params=COLOURS.values(), ids=COLOURS)
def drive(request):
    drive = request.param()
    yield drive
    drive.close()


async def answer(value):
    async def wait():
        return value

    reply = await Ask("answer", lambda: value, wait)
    if isinstance(reply, Exception):
        raise reply
    return reply


def test_rivals_answer_in_their_order(drive):
    """Each rival's result, or what it raised, stands at its own place."""
    error = KeyError("lost")

    assert drive.together(map(answer, [1, None, error, 0])) == [1, None, error, 0]


def test_blocking_rivals_run_at_once():
    """In the blocking colour rivals are threads that are under way at the same time."""
    meeting = threading.Barrier(3, timeout=10)

    async def meet():
        return await Ask("meet", meeting.wait, None)

    assert sorted(Blocking().together(meet() for _ in range(3))) == [0, 1, 2]


def test_async_rivals_run_at_once():
    """In the async colour rivals are tasks of one loop that wait for each other."""
    drive, meeting = Async(), asyncio.Barrier(3)

    async def meet():
        return await Ask("meet", None, meeting.wait)

    assert sorted(drive.together(meet() for _ in range(3))) == [0, 1, 2]
    drive.close()


def test_loop_lives_as_long_as_the_drive():
    """What a store keeps for its loop is of use in every act of one test."""
    drive = Async()

    async def wait():
        return asyncio.get_running_loop()

    async def loop():
        return await Ask("loop", None, wait)

    assert drive(loop()) is drive(loop())
    drive.close()
