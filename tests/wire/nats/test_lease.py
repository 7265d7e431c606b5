"""How long a leader is believed to lead: what is stored says so, and a beat where nothing is."""

import asyncio
import functools

import pytest

from harness.nats_leader import STREAM, SUBJECT, NatsLeader
from sessile.testing.clock import T0, FakeClock
from sessile.wire.nats.connection import NoResponders
from sessile.wire.nats.endpoint import StreamAddress
from sessile.wire.nats.lease import ELECTION, LEASE, NatsLease
from sessile.wire.nats.messages import NOT_LEADER

NO_LEADER = {"code": 503, "err_code": 10008, "description": "no leader"}
STEPPED_DOWN = {"code": 503, "description": NOT_LEADER}
FULL = {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}


def on_a_loop(test):
    """Run a test on a loop of its own."""

    @functools.wraps(test)
    def run(*args, **named):
        asyncio.run(test(*args, **named))

    return run


@pytest.fixture
def leader():
    return NatsLeader()


@pytest.fixture
def clock():
    return FakeClock(T0)


@pytest.fixture
def lease(leader, clock):
    return NatsLease(leader, StreamAddress(STREAM, "t."), clock)


async def turn():
    """Let what was begun beside be done."""
    for _ in range(5):
        await asyncio.sleep(0)


async def settle(lease, clock):
    """Have the leader believed: all others have answered it since it stored something."""
    await lease.hold(1.0)
    clock.advance(0.01)
    lease.is_good()
    await turn()


@on_a_loop
async def test_leader_is_believed_once_all_others_have_answered_it(lease, leader, clock):
    """A beat says that somebody leads, and not that nobody else takes itself for the leader."""
    await lease.hold(1.0)
    assert not lease.is_good()
    clock.advance(0.01)
    assert not lease.is_good()
    await turn()

    assert lease.is_good()
    assert leader.asked == {"beat": 1, "look": 1}


@pytest.mark.parametrize("heard", [0.0, 0.02, 5.0])
@on_a_loop
async def test_server_that_has_not_answered_may_take_itself_for_the_leader(
    lease, leader, clock, heard
):
    """One that was heard before the first beat, or never, may have hung since it led."""
    leader.followers[1] = heard
    await settle(lease, clock)
    assert not lease.is_good()

    leader.followers[1] = 0.001
    clock.advance(0.1)
    lease.is_good()
    await turn()
    assert lease.is_good()


@on_a_loop
async def test_followers_of_an_older_leader_say_nothing(lease, leader, clock):
    """It lacks what was stored, and knows them by heart."""
    lease.note(clock(), 10)
    clock.advance(0.01)
    lease.is_good()
    await turn()

    assert leader.asked["look"] == 1
    assert not lease.is_good()


@on_a_loop
async def test_leader_is_not_believed_after_a_time_for_an_election(lease, leader, clock):
    """Another one may have come meanwhile, and the old one may come back."""
    await settle(lease, clock)
    clock.advance(ELECTION)
    assert not lease.is_good()
    leader.followers[0] = 9.0
    await settle(lease, clock)

    assert not lease.is_good()


@on_a_loop
async def test_what_was_acknowledged_late_may_be_anothers(lease, leader, clock):
    """What counts is that there was no room for an election until it was stored."""
    await settle(lease, clock)
    clock.advance(LEASE)
    sent = clock()
    clock.advance(ELECTION - LEASE)
    lease.note(sent, 2)

    assert not lease.is_good()


@on_a_loop
async def test_followers_of_the_leader_before_say_nothing(lease, leader, clock):
    """There was room for an election while it was asked who follows."""
    await lease.hold(1.0)
    clock.advance(0.01)

    def elect():
        clock.advance(ELECTION)
        lease.note(clock(), 2)

    leader.meanwhile = elect
    lease.is_good()
    await turn()
    leader.meanwhile = bool

    assert not lease.is_good()


@on_a_loop
async def test_leader_stays_believed_while_something_is_stored(lease, leader, clock):
    """Nobody looks again: a server that goes away then followed."""
    await settle(lease, clock)
    leader.followers = [9.0, 9.0]
    for _ in range(10):
        clock.advance(LEASE - 0.1)
        lease.note(clock(), 1)
        assert lease.is_good()
    assert leader.asked == {"beat": 1, "look": 1}


@on_a_loop
async def test_beat_is_renewed_beside_from_half_of_the_time_on(lease, leader, clock):
    await settle(lease, clock)
    clock.advance(LEASE / 2 - 0.02)
    assert lease.is_good()
    await turn()
    assert leader.asked["beat"] == 1

    clock.advance(0.02)
    leader.stores = leader.silence
    assert lease.is_good()
    assert lease.is_good()
    await turn()
    assert leader.asked["beat"] == 2


@on_a_loop
async def test_leader_that_stores_nothing_is_not_believed(lease, leader, clock):
    """It may be cut off from the others, who have another leader by then."""
    await settle(lease, clock)
    leader.stores = leader.silence
    clock.advance(LEASE)
    assert not lease.is_good()
    with pytest.raises(TimeoutError):
        await lease.hold(0.01)


@on_a_loop
async def test_answer_counts_that_came_before_an_election(lease, clock):
    """However long ago it was asked for: what is asked, or asks, may hang as well."""
    await settle(lease, clock)
    asked = clock()
    clock.advance(ELECTION - 0.02)
    assert lease.was_good(asked)
    clock.advance(0.02)
    assert not lease.was_good(asked)
    await settle(lease, clock)
    assert lease.is_good()

    assert not lease.was_good(asked)


@on_a_loop
async def test_what_was_stored_needs_no_beat(lease, leader, clock):
    """What counts is when it was sent, and not when it was acknowledged."""
    sent = clock()
    clock.advance(LEASE / 4)
    lease.note(sent, 1)
    await lease.hold(1.0)
    assert leader.asked["beat"] == 0
    clock.advance(LEASE * 3 / 4)
    await lease.hold(1.0)
    assert leader.asked["beat"] == 1


@on_a_loop
async def test_many_wait_for_one_beat(lease, leader):
    await asyncio.gather(*(lease.hold(1.0) for _ in range(10)))

    assert leader.asked["beat"] == 1


@on_a_loop
async def test_message_is_confirmed_by_whoever_stores_something(lease, leader, clock):
    """A beat is stored on the condition that it stands there, and counts like all others."""
    assert await lease.confirm(SUBJECT, leader.stands, 1.0)
    assert not await lease.confirm(SUBJECT, leader.stands - 1, 1.0)
    clock.advance(LEASE - 0.1)
    await lease.hold(1.0)

    assert leader.seq == leader.asked["beat"] - 1 == 1


@pytest.mark.parametrize("said", [NO_LEADER, STEPPED_DOWN])
@on_a_loop
async def test_stream_without_a_leader_is_told(lease, leader, said):
    leader.stores = said
    with pytest.raises(NoResponders):
        await lease.hold(1.0)
    with pytest.raises(NoResponders):
        await lease.confirm(SUBJECT, leader.stands, 1.0)


@on_a_loop
async def test_full_stream_takes_no_beat(lease, leader):
    """It refuses it as it refuses everybody, and those who are in it go on."""
    leader.stores = FULL
    assert await lease.confirm(SUBJECT, leader.stands, 1.0)
    await lease.hold(1.0)


@on_a_loop
async def test_absent_server_is_asked_after_ever_more_seldom(lease, leader, clock):
    leader.followers[0] = 99.0
    await lease.hold(1.0)
    for _ in range(100):
        clock.advance(0.1)
        lease.note(clock(), 1)
        lease.is_good()
        await turn()

    assert 5 <= leader.asked["look"] <= 10
