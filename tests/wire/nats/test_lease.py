"""How long a leader is believed to lead: what is stored says so, and a beat where nothing is."""

import asyncio
import functools
import json

import pytest

from sessile.testing.clock import T0, FakeClock
from sessile.wire.nats.connection import NoResponders
from sessile.wire.nats.lease import LEASE, NatsLease

STORED = {"stream": "s", "seq": 1}
NO_LEADER = {"error": {"code": 503, "err_code": 10008, "description": "no leader"}}
FULL = {"error": {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}}


def on_a_loop(test):
    """Run a test on a loop of its own."""

    @functools.wraps(test)
    def run():
        asyncio.run(test())

    return run


class Answer:
    """What a connection hands out."""

    def __init__(self, told):
        self.data = json.dumps(told).encode()


class Leader:
    """What a connection leads to.

    Attributes:
        told: what it says; None for nothing.
        beats: the subjects of those it was sent.
    """

    def __init__(self, told=None):
        self.told, self.beats = told, []

    async def ask(self, subject, data, headers, limit):
        self.beats.append(subject)
        await (asyncio.Event().wait() if self.told is None else asyncio.sleep(0))
        return Answer(self.told)


def lease_of(leader):
    """Return a lease of that leader, and its clock."""
    clock = FakeClock(T0)
    return NatsLease(leader, "beat.", clock), clock


async def turn():
    """Let what was begun beside be done."""
    for _ in range(5):
        await asyncio.sleep(0)


@on_a_loop
async def test_leader_is_believed_for_a_while_after_a_beat():
    """A read waits for the first one; from half of the time on it is renewed, and nobody waits."""
    leader = Leader(STORED)
    lease, clock = lease_of(leader)
    await lease.hold(1.0)
    assert len(leader.beats) == 1
    clock.advance(LEASE / 2 - 0.01)
    await lease.hold(1.0)
    await turn()
    assert len(leader.beats) == 1

    clock.advance(0.02)
    leader.told = None
    await lease.hold(1.0)
    await lease.hold(1.0)
    await turn()
    assert leader.beats == [leader.beats[0]] * 2


@on_a_loop
async def test_leader_that_stores_nothing_is_not_believed():
    """It may be cut off from the others, who have another leader by then."""
    leader = Leader(STORED)
    lease, clock = lease_of(leader)
    await lease.hold(1.0)
    leader.told = None
    clock.advance(LEASE)
    with pytest.raises(TimeoutError):
        await lease.hold(0.01)


@on_a_loop
async def test_what_was_stored_needs_no_beat():
    """What counts is when it was sent, and not when it was acknowledged."""
    leader = Leader(STORED)
    lease, clock = lease_of(leader)
    sent = clock()
    clock.advance(LEASE / 4)
    lease.note(sent)
    await lease.hold(1.0)
    assert leader.beats == []
    clock.advance(LEASE * 3 / 4)
    await lease.hold(1.0)
    assert len(leader.beats) == 1


@on_a_loop
async def test_many_wait_for_one_beat():
    leader = Leader(STORED)
    lease, _ = lease_of(leader)
    await asyncio.gather(*(lease.hold(1.0) for _ in range(10)))

    assert len(leader.beats) == 1


@on_a_loop
async def test_stream_without_a_leader_is_told():
    lease, _ = lease_of(Leader(NO_LEADER))
    with pytest.raises(NoResponders):
        await lease.hold(1.0)


@on_a_loop
async def test_full_stream_is_read():
    """It refuses beats as it refuses everybody, and those who are in it go on."""
    lease, _ = lease_of(Leader(FULL))
    await lease.hold(1.0)
