"""Who leads what: each node takes what it lacks, until all lead about as many."""

import json
import random
from collections import Counter

import pytest

from sessile.cluster.leaders import NodeLeads, stream_to_lead
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.messages import Replica, Replicas, StreamInfo


def stream(leader, *followers, **more):
    """Return what is told of a stream that these have."""
    state = {"current": True, **more}
    replicas = [Replica(name, **state) for name in followers]
    return StreamInfo(cluster=Replicas(leader, replicas))


def streams(leaders, names="abc", **more):
    """Return streams that all of these hold, with the leaders that are named."""
    return {
        str(number): stream(leader, *(name for name in names if name != leader), **more)
        for number, leader in enumerate(leaders)
    }


def test_node_that_came_back_takes_from_who_leads_most():
    assert stream_to_lead(streams("bbbccb"), "a") == "0"
    assert stream_to_lead(streams("ccbbbb"), "a") == "2"


@pytest.mark.parametrize("leaders", ["abc", "aabbcc", "aabbc", "ab", ""])
def test_what_is_even_stays(leaders):
    """One more than others is even: nobody takes it to and fro."""
    assert [stream_to_lead(streams(leaders), name) for name in "abc"] == [None] * 3


@pytest.mark.parametrize("state", [{"current": False}, {"offline": True}, {"active": 3 * 10**9}])
def test_node_takes_nothing_that_it_has_not(state):
    """Its election would fail, and the stream be without a leader for seconds.

    Nor does anybody take anything while a node is away, as one that restarts.
    """
    assert stream_to_lead(streams("bbbb", **state), "a") is None


def test_node_takes_nothing_that_is_not_on_it():
    found = streams("bbbb", "bcd") | {"last": stream("b", "a", "c")}
    assert stream_to_lead(found, "a") == "last"
    assert stream_to_lead(streams("bbbb", "bcd"), "a") is None


def test_stream_without_a_leader_is_left_alone():
    assert stream_to_lead(streams(["", "", "", "b"]), "a") is None


def test_streams_are_asked_about_page_by_page(monkeypatch):
    """However many there are; those of somebody else are left alone."""
    names = [f"{'SESSILE' if number % 2 else 'ORDERS'}_{number}" for number in range(2050)]

    def answer(leads, verb, data, kind):
        if verb == "STREAM.NAMES":
            start = json.loads(data)["offset"]
            return kind(streams=names[start : start + 1024], total=len(names))
        return stream("a", "b")

    monkeypatch.setattr(NodeLeads, "_ask", answer)
    found = NodeLeads(NatsEndpoint("node a"), "b")._streams()

    assert list(found) == [name for name in names if name.startswith("SESSILE")]


@pytest.mark.parametrize("seed", range(20))
def test_takes_end_with_all_even(seed):
    """Whoever begins, and in whatever order they look: in no more takes than there are streams."""
    dice = random.Random(seed)
    names = "abcde"[: dice.choice([3, 5])]
    leaders = [dice.choice(names[:2]) for _ in range(dice.randint(1, 24))]
    takes = 0
    while takes <= len(leaders):
        asked = dice.sample(names, len(names))
        found = [(name, stream_to_lead(streams(leaders, names), name)) for name in asked]
        wanted = [(name, taken) for name, taken in found if taken is not None]
        if not wanted:
            break
        name, taken = wanted[0]
        leaders[int(taken)] = name
        takes += 1
    counts = Counter(dict.fromkeys(names, 0))
    counts.update(leaders)

    assert max(counts.values()) - min(counts.values()) <= 1
    assert takes <= len(leaders)
