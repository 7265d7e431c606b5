"""What a process remembers of a cluster's nodes, and for how long."""

import asyncio
import socket

import pytest

from sessile.core.flow import arun
from sessile.wire.commands.connection import Command
from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.nodes import ClusterNodes
from sessile.wire.redis.slot_route import SlotRoute
from sessile.wire.redis.slots import MOST_NODES, SlotMap
from wire.redis.clients import echo

A, B, C, D = (("10.0.0.1", port) for port in (7001, 7002, 7003, 7004))
WHOLE = SlotMap(((0, 8191, A), (8192, 16_383, B)), (C,))


class Clock:
    """A timer that a test moves."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """A timer at 0."""
    return Clock()


@pytest.fixture
def nodes(clock):
    """The nodes of a cluster with one seed, of which none is connected to."""
    return nodes_at(D, clock=clock)


def nodes_at(*seeds, clock=Clock()):  # noqa: B008
    """Return the nodes of a cluster with some seeds."""
    endpoint = Endpoint("redis+cluster://test", cluster=seeds, timeout=10.0)
    return ClusterNodes(endpoint, lambda *_: False, lookup=socket.getaddrinfo, timer=clock)


def places(some):
    """Return where nodes are."""
    return [None if node is None else node.place for node in some]


def test_map_says_whose_each_slot_is(nodes):
    """From its first slot to its last, and of nobody where it says nothing."""
    assert nodes.is_stale
    nodes.adopt(SlotMap(((5, 6, A), (8, 8, B))), nodes.node_at(D))

    assert places(nodes.owners[4:10]) == [None, A, A, None, B, None]
    assert not nodes.is_stale


def test_move_is_noted_until_the_next_map(nodes):
    """One slot is elsewhere at once, and the whole map is asked for, of the node that knows."""
    nodes.adopt(WHOLE, nodes.node_at(A))
    nodes.learn(5, D)

    assert places(nodes.owners[4:7]) == [A, D, A]
    assert nodes.is_stale
    assert nodes.candidates()[0].place == D


def test_who_is_doubtful_is_asked_last(nodes):
    """Each look begins with another node; those that were silent come after all others."""
    nodes.adopt(WHOLE, nodes.node_at(A))
    nodes.node_at(B).is_doubtful = True
    looks = [places(nodes.candidates()) for _ in range(6)]

    assert {look[-1] for look in looks} == {B}
    assert {look[0] for look in looks} >= {A, C}
    assert all(sorted(look) == [A, B, C, D] for look in looks)


def test_one_look_asks_a_few_and_the_next_one_others(clock):
    """However many nodes and seeds there are; all of them have their turn."""
    many = [("10.0.1.1", port) for port in range(7000, 7030)]
    seeds = [("seed.example", port) for port in range(7000, 7020)]
    nodes = nodes_at(*seeds, clock=clock)
    rows = tuple((at, at, place) for at, place in enumerate(many))
    nodes.adopt(SlotMap(rows), nodes.node_at(seeds[0]))
    looks = [places(nodes.candidates()) for _ in range(60)]

    assert {len(look) for look in looks} == {8}
    assert {place for look in looks for place in look} == {*many, *seeds}


def test_node_that_is_named_no_more_is_closed(nodes, clock):
    """Not at once: whoever asked it before may still wait for its answer."""
    nodes.adopt(WHOLE, nodes.node_at(A))
    left = nodes.node_at(C)
    only = SlotMap(((0, 16_383, A),))
    nodes.adopt(only, nodes.node_at(A))
    assert left in nodes.all()
    left.check_open()
    clock.now = 60.0
    nodes.adopt(only, nodes.node_at(A))

    assert places(nodes.all()) == [A]
    assert nodes.node_at(C) is not left


def test_node_that_is_named_again_is_the_same(nodes, clock):
    """While nodes start, each knows of others than the next one: that costs no connections."""
    part = SlotMap(((0, 16_383, A),))
    nodes.adopt(WHOLE, nodes.node_at(A))
    first = nodes.node_at(B)
    for _ in range(100):
        nodes.adopt(part, nodes.node_at(A))
        nodes.adopt(WHOLE, nodes.node_at(A))
    clock.now = 60.0
    nodes.adopt(WHOLE, nodes.node_at(A))

    assert sorted(places(nodes.all())) == [A, B]
    assert nodes.node_at(B) is first
    first.check_open()


def test_nodes_that_were_too_many_are_forgotten(nodes, clock):
    """Once nobody waits for them, a map with other nodes is used."""
    nodes.adopt(WHOLE, nodes.node_at(A))
    for port in range(3, 2 * MOST_NODES + 1):
        nodes.learn(5, ("10.9.9.9", port))
    nodes.adopt(WHOLE, nodes.node_at(A))
    clock.now = 60.0
    nodes.adopt(SlotMap(((0, 16_383, D),)), nodes.node_at(A))

    assert sorted(places(nodes.all())) == [A, B, D]


def test_redirections_name_only_so_many(nodes):
    """Who sends us to ever more nodes does not fill our memory."""
    nodes.adopt(WHOLE, nodes.node_at(A))
    for port in range(3, 2 * MOST_NODES + 1):
        nodes.learn(5, ("10.9.9.9", port))
    with pytest.raises(ConnectionError, match="more nodes than a cluster has"):
        nodes.learn(5, ("10.9.9.9", 1))

    nodes.adopt(WHOLE, nodes.node_at(A))
    assert places(nodes.owners[5:6]) == [A]


def test_asking_is_not_sent_without_its_command(own_redis):
    """Where its command was cancelled in the same turn, no other one is asked in its place."""

    async def scenario():
        place = ("127.0.0.1", own_redis.port)
        node = nodes_at(place).node_at(place)
        await arun(echo(node, 1))
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        packed = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
        route = SlotRoute(5)
        node.add(Command(packed, waiter, loop.time() + 5, Repeat.NEVER, route), is_asking=True)
        waiter.cancel()
        await arun(echo(node, 2))
        await node.close().wait()

    asyncio.run(scenario())
    assert own_redis.calls().keys() == {"echo"}
