"""What a leader that was cut off refuses, another one may have stored: nothing is doubled."""

import asyncio
import json
from base64 import b64encode

import pytest

from sessile.testing.clock import T0, FakeClock
from sessile.wire.nats.endpoint import NatsEndpoint, StreamAddress
from sessile.wire.nats.lane import NatsLane
from sessile.wire.nats.messages import ACT, NOT_LEADER, OFFLINE, ApiError, StreamInfo, StreamMessage

SESSION = StreamMessage("s.one", b"new", 7, 60)


class Answer:
    """What a connection hands out."""

    def __init__(self, told):
        self.data, self.headers = json.dumps(told).encode(), {}


class TwoLeaders:
    """A connection over which two leaders answer, the old one first.

    Attributes:
        says: what the old one says of its sequence; "" for nothing.
        stored: the sequence, bytes and act that the new one has.
        after: how many messages the new one gets before it stores one; None for never.
    """

    is_open = True

    def __init__(self, says, after):
        self.says, self.after = says, after
        self.stored, self.count = (7, b"old", "before"), 0

    async def ask(self, subject, data, headers, limit):
        await asyncio.sleep(0)
        if "MSG.GET" in subject:
            seq, blob, act = self.stored
            found = {"subject": "s.one", "seq": seq, "data": b64encode(blob).decode()}
            return Answer({"message": found | {"hdrs": b64encode(act.encode()).decode()}})
        if not subject.startswith("s."):  # what is read is confirmed
            return Answer({"seq": 1})
        self.count += 1
        if self.count == self.after:
            self.stored = 8, data, f"{ACT}: {headers[ACT]}"
        why = f"wrong last sequence{self.says}"
        return Answer({"error": {"code": 400, "err_code": 10071, "description": why}})


async def store(connection):
    """Store a message through that connection."""
    clock = FakeClock(T0)
    lane = NatsLane(NatsEndpoint("here", timeout=1.0), clock)
    lane._connection = connection
    return await lane.store(StreamAddress("s", "t."), [SESSION])


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("says", [": 5", ": 0", ""])
def test_message_that_one_leader_refused_and_another_stored_is_stored(says, after):
    """At once, or a moment later: who is told that it was not would make its change once more."""
    assert asyncio.run(store(TwoLeaders(says, after))) == 8


@pytest.mark.parametrize("says", [": 5", ": 0", ""])
def test_message_that_nobody_stores_is_a_rivals_word(says):
    leaders = TwoLeaders(says, None)

    assert asyncio.run(store(leaders)) is None
    assert leaders.count == 2


def test_newer_message_is_a_rivals():
    """It costs no look: no leader that was cut off has one that is newer than what was read."""
    leaders = TwoLeaders(": 9", None)

    assert asyncio.run(store(leaders)) is None
    assert leaders.count == 1


class OldMember:
    """A connection over which a server answers that is too old for the stream, then its leader."""

    is_open = True

    def __init__(self, *told):
        self.told = list(told)

    async def ask(self, subject, data, headers, limit):
        await asyncio.sleep(0)
        return Answer(self.told.pop(0))


OFFLINE_ANSWER = {"code": 500, "err_code": OFFLINE, "description": "stream is offline"}
NOT_LEADER_ANSWER = {"code": 503, "description": NOT_LEADER}


def test_answer_of_a_server_that_is_too_old_for_the_stream_is_not_the_last_word():
    """It answers, though another one leads that it does not ask. Where none does it says why."""

    async def ask():
        lane = NatsLane(NatsEndpoint("here", timeout=1.0), FakeClock(T0))
        lane._connection = OldMember({"error": OFFLINE_ANSWER}, {"config": {"name": "s"}})
        return await lane.ask("$JS.API.STREAM.INFO.s", b"", StreamInfo)

    assert asyncio.run(ask()).config.name == "s"
    assert "update the servers that are too old" in str(ApiError(500, OFFLINE, "it is offline"))


def test_leader_without_a_number_for_stepping_down_is_asked_again():
    """As those before 2.12 are: it has stored nothing, and another one will."""
    assert asyncio.run(store(OldMember({"error": NOT_LEADER_ANSWER}, {"seq": 8}))) == 8
