"""Calls on shared memory: one at a time, and none in a process that only has a copy."""

import pytest

from sessile.errors import ConfigError
from sessile.wire.locked import LockedCalls


async def flow(calls, call):
    return calls.call(call)


def test_call_is_made(drive):
    """A call is made where it is asked for, in both colours."""
    assert drive(flow(LockedCalls(None), lambda: "made")) == "made"


def test_call_that_fails_gives_the_lock_back(drive):
    """An error passes through, and the next call is made."""
    calls = LockedCalls(None)
    with pytest.raises(ZeroDivisionError):
        drive(flow(calls, lambda: 1 / 0))

    assert drive(flow(calls, lambda: "made")) == "made"


def test_forked_process_is_told(drive):
    """In another process than the one that made it the call is refused in the given words."""
    calls = LockedCalls("write something else")
    calls._pid = 0

    with pytest.raises(ConfigError, match="write something else"):
        drive(flow(calls, lambda: "made"))


def test_forked_process_waits_for_no_thread_of_its_parent(drive):
    """A lock that was held at the fork, by a thread that the child has not, is let go."""
    calls = LockedCalls(None)
    calls._lock.acquire()
    calls._pid = 0

    assert drive(flow(calls, lambda: "made")) == "made"
