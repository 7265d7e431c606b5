"""When rounds over the nodes of a cluster vouch, and for what; with nodes that a test plays."""

import socket

import pytest

from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.wire.feed.connection import BEAT
from sessile.wire.redis.cluster_tracking import DISAGREEMENT, ClusterTracking
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.slots import SlotMap
from sessile.wire.redis.tracking import Invalidation

A, B, C = ("a", 1), ("b", 2), ("c", 3)
IDS = {A: "a1", B: "b2", C: "c3"}


class Played:
    """A cluster, as its nodes see it, and a client of it.

    Attributes:
        has: the slots of each node that has any, as text.
        epochs: of the nodes.
        leaving: what a node is handing over: slot and node.
        flags: what all say of a node, beside that it is a primary.
        lies: nodes that see another ``has``.
        silent: nodes that answer nothing.
    """

    def __init__(self):
        self.has = {A: "0-8191", B: "8192-16383"}
        self.epochs = {A: 1, B: 2, C: 0}
        self.leaving, self.flags, self.lies, self.silent = {}, {}, {}, set()
        self.nodes = {place: PlayedNode(self, place) for place in IDS}
        self.maps = 0

    async def slot_map(self):
        """Return where the slots are."""
        self.maps += 1
        ranges = [(*map(int, text.split("-")), place) for place, text in self.has.items()]
        return SlotMap(tuple(sorted(ranges)))

    def at(self, place):
        """Return the client of a node."""
        return self.nodes[place]

    def describe(self, asked):
        """Return what a node says."""
        rows, has = [], self.lies.get(asked, self.has)
        for place, id_ in IDS.items():
            flags = ["myself"] * (place == asked) + ["master", *self.flags.get(place, ())]
            slots = [has[place]] if place in has else []
            if place == asked and place in self.leaving:
                slot, to = self.leaving[place]
                slots.append(f"[{slot}->-{IDS[to]}]")
            where = f"{place[0]}:{place[1]}@9"
            said = (id_, where, ",".join(flags), "-", 0, 0, self.epochs[place], "connected")
            rows.append(" ".join(map(str, (*said, *slots))))
        return "\n".join(rows).encode()


class PlayedNode:
    """A node, its client, and the connection to it: always there to be read."""

    def __init__(self, cluster, place):
        self.cluster, self.place = cluster, place
        self.endpoint = Endpoint(f"redis+cluster://{place[0]}", timeout=1.0)
        self.says, self.is_open, self.opened = [], False, 0
        self._here, there = socket.socketpair()
        there.send(b"x")
        self._there = there

    def track(self, prefix, timer):
        self.is_open, self.opened, self.says = True, self.opened + 1, []
        return self

    def fileno(self):
        return self._here.fileno()

    def send(self, packed):
        if self.place not in self.cluster.silent:
            self.says.append(self.cluster.describe(self.place))

    def receive(self, until):
        if not self.says:
            raise TimeoutError
        return self.says.pop(0)

    def close(self):
        self.is_open = False

    def leave(self):
        self._here.close()
        self._there.close()


@pytest.fixture
def cluster():
    cluster = Played()
    yield cluster
    for node in cluster.nodes.values():
        node.leave()


@pytest.fixture
def clock():
    return FakeClock(1000.0)


@pytest.fixture
def tracking(cluster, clock):
    return ClusterTracking(cluster, Endpoint("redis+cluster://", timeout=1.0), "s:{", clock)


def go_round(tracking, clock):
    """Have a round gone; return what it tells."""
    clock.advance(BEAT)
    return tracking.wait(0.0)


def vouched(tracking, clock, rounds=2):
    """Return for what time the last of a few rounds vouches."""
    return [go_round(tracking, clock) for _ in range(rounds)][-1].as_of


def test_every_owner_is_heard_before_it_is_open(cluster, tracking):
    """And no other node."""
    assert [node.is_open for node in cluster.nodes.values()] == [True, True, False]


def test_round_vouches_for_what_was_before_the_one_before(tracking, clock):
    """Not before it was asked twice."""
    began = clock()

    assert go_round(tracking, clock).as_of == began
    assert go_round(tracking, clock).as_of == began + BEAT


def test_names_are_told_at_once(cluster, tracking, clock):
    """Of whatever node, between two rounds as well."""
    go_round(tracking, clock)
    for place in (A, B):
        cluster.nodes[place].says.append(Invalidation([b"s:{" + place[0].encode()]))

    news = tracking.wait(0.0)

    assert sorted(news.names) == [b"s:{a", b"s:{b"]
    assert news.as_of is None


def test_emptied_node_may_have_changed_anything(cluster, tracking, clock):
    """Whatever else is told with it."""
    cluster.nodes[A].says += [Invalidation([b"s:{x"]), Invalidation(None), Invalidation([b"s:{y"])]

    assert go_round(tracking, clock).names is None


def test_nothing_is_vouched_for_while_a_node_is_silent(cluster, tracking, clock):
    """After the time limit of a command it is given up, and the node is named."""
    go_round(tracking, clock)
    cluster.silent = {B}
    assert go_round(tracking, clock).as_of is None
    clock.advance(1.0)
    tracking.wait(0.0)
    clock.advance(0.1)

    with pytest.raises(StoreUnavailable, match="no answer within 1 s"):
        tracking.wait(0.0)


@pytest.mark.parametrize(
    "trouble",
    [
        {"lies": {A: {A: "0-8191", C: "8192-16383"}}},
        {"lies": {B: {A: "0-8190", B: "8191-16383"}}},
        {"flags": {B: ["fail?"]}},
        {"flags": {A: ["fail"]}},
    ],
)
def test_nothing_is_vouched_for_while_nodes_do_not_agree(cluster, tracking, clock, trouble):
    """Nor while one takes another for dead; in the end the connections are given up."""
    for name, value in trouble.items():
        setattr(cluster, name, value)
    for _ in range(int(DISAGREEMENT / BEAT) - 1):
        assert vouched(tracking, clock, 1) is None

    with pytest.raises(StoreUnavailable, match="do not agree"):
        vouched(tracking, clock, 3)


def test_moved_slots_are_named_once_before_anything_is_vouched_for(cluster, tracking, clock):
    """To a node that is heard already; the others keep theirs."""
    vouched(tracking, clock)
    cluster.has, cluster.epochs = {A: "0-8189", B: "8190-16383"}, {A: 1, B: 3, C: 0}
    before = clock()
    news = go_round(tracking, clock)

    assert news.slots == set(range(8190, 16_384))  # the epoch of all that B has is another one
    assert news.as_of == before
    assert go_round(tracking, clock).slots == set()


def test_node_that_takes_slots_over_is_heard_first(cluster, tracking, clock):
    """Its slots are named when it is, and nothing is vouched for until two rounds asked it."""
    vouched(tracking, clock)
    cluster.has, cluster.epochs[C] = {A: "0-8191", C: "8192-16383"}, 7
    news = go_round(tracking, clock)
    assert (news.slots, news.as_of) == (set(), None)
    assert cluster.nodes[C].is_open
    news = tracking.wait(0.0)

    assert (news.slots, news.as_of) == (set(range(8192, 16_384)), None)
    assert not cluster.nodes[B].is_open
    assert vouched(tracking, clock, 1) == clock() - BEAT


def test_node_that_slots_are_handed_to_is_heard_as_well(cluster, tracking, clock):
    """Though it has none yet; whoever comes after the hand-over asks there."""
    vouched(tracking, clock)
    cluster.leaving = {A: (77, C)}
    assert go_round(tracking, clock).as_of is None
    assert cluster.nodes[C].is_open
    assert tracking.wait(0.0).slots == {77}
    assert vouched(tracking, clock) is not None
    cluster.leaving = {}
    news = go_round(tracking, clock)

    assert news.slots == {77}
    assert not cluster.nodes[C].is_open


def test_slot_that_went_and_came_back_is_named(cluster, tracking, clock):
    """Between two rounds that agreed nobody may have heard where it was."""
    vouched(tracking, clock)
    cluster.flags = {B: ["fail"]}
    go_round(tracking, clock)
    cluster.flags, cluster.epochs[B] = {}, 9

    assert go_round(tracking, clock).slots == set(range(8192, 16_384))


def test_map_that_is_older_than_the_nodes_is_asked_for_again(cluster):
    """A first map may come from a node that is behind: nothing is open before all are heard."""
    newer, cluster.has = cluster.has, {A: "0-16383"}

    class Late(FakeClock):
        def __call__(self):
            cluster.lies = {} if cluster.maps > 1 else {A: newer}
            cluster.has = newer if cluster.maps else cluster.has
            self.advance(0.01)
            return super().__call__()

    late = Late(1000.0)
    ClusterTracking(cluster, Endpoint("redis+cluster://", timeout=1.0), "s:{", late)

    assert [cluster.nodes[place].opened for place in IDS] == [1, 1, 0]


def test_node_that_talks_nonsense_is_given_up(cluster, tracking, clock):
    """As one that hangs up."""
    cluster.nodes[A].says.append(b"nonsense")

    with pytest.raises(StoreUnavailable, match="CLUSTER NODES is malformed"):
        go_round(tracking, clock)


def test_failure_to_open_leaves_no_connection(cluster):
    """What was connected before it is closed."""
    cluster.silent = {B}

    class Runs(FakeClock):
        def __call__(self):
            self.advance(0.1)
            return super().__call__()

    with pytest.raises(StoreUnavailable, match="no answer"):
        ClusterTracking(cluster, Endpoint("redis+cluster://", timeout=1.0), "s:{", Runs(1000.0))

    assert not any(node.is_open for node in cluster.nodes.values())
