"""One object for each event loop: kept as long as its loop, and not in a forked process."""

import asyncio
import os
import sys

import pytest

from sessile.wire.per_loop import PerLoop
from wire.background.awaitables import LOOPS


async def get(objects):
    return objects.get(object)


@pytest.mark.parametrize("make", LOOPS)
def test_loop_has_one(make):
    """The same whenever it is asked for."""
    objects = PerLoop()

    async def scene():
        assert objects.find() is None
        one = objects.get(object)
        assert objects.get(object) is one
        assert objects.find() is one

    with asyncio.Runner(loop_factory=LOOPS[make]) as runner:
        runner.run(scene())


def test_other_loop_has_another():
    """All are listed, on any thread."""
    objects = PerLoop()
    with asyncio.Runner() as one, asyncio.Runner() as two:
        made = [one.run(get(objects)), two.run(get(objects))]

        assert made[0] is not made[1]
        assert objects.all() == made


def test_closed_loops_are_forgotten():
    """A test suite has thousands of them."""
    objects = PerLoop()
    for _ in range(10):
        asyncio.run(get(objects))

    assert len(objects.all()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_has_none():
    """The loops that it inherits are its parent's: a word to one would wake that."""
    objects = PerLoop()
    with asyncio.Runner() as runner:
        runner.run(get(objects))
        child = os.fork()
        if child == 0:
            os._exit(len(objects.all()))
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert len(objects.all()) == 1
