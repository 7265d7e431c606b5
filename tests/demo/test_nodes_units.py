"""The small decisions about the demo's nodes, and the wires between them."""

import asyncio
from zlib import crc32

import pytest

from sessile.cluster.local import needs_node
from sessile.cluster.users import NodeUser
from sessile.core.ticket import ENTROPY, Ticket
from sessile.demo.fleet.message import FleetView
from sessile.demo.fleet.port import find_ports
from sessile.demo.nodes.config import DemoNodeConfig
from sessile.demo.nodes.status import (
    CopyPhase,
    NodePhase,
    NodesStatus,
    NodeStatus,
    StreamStatus,
)
from sessile.demo.nodes.wire import HostWire
from sessile.wire.nats.messages import Replica, Replicas, StreamConfig, StreamInfo, StreamState

LONG = 30.0
ALL = frozenset("ABC")


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("replicated://", True),
        ("replicated:///shop?timeout=2", True),
        ("nats://", True),
        ("backup://?copies=3", True),
        ("replicated://one,two,three", False),
        ("nats://localhost", False),
        ("redis://", False),
        ("lmdb:///sessions.lmdb", False),
    ],
)
def test_url_without_a_host_takes_nodes_of_ours(url, ours):
    """Of those schemes whose servers are nodes; whoever names one runs it."""
    assert needs_node(url) is ours


def stream(leader="B", **replicas):
    """Return what a leader says of its stream; its replicas are (current, offline, lag)."""
    found = [
        Replica(name, current, offline, lag=lag)
        for name, (current, offline, lag) in replicas.items()
    ]
    config = StreamConfig("SESSILE_shop_2")
    return StreamStatus.of(
        StreamInfo(config=config, cluster=Replicas(leader, found), state=StreamState(messages=7))
    )


def phases(status):
    return {copy.node: copy.phase for copy in status.copies}


def test_leader_tells_who_has_copies():
    """In the order of their names, with what the last one lacks."""
    status = stream(C=(False, False, 12), A=(True, False, 0))

    assert (status.shard, status.leader, status.lag, status.messages) == ("shop_2", "B", 12, 7)
    assert list(phases(status).items()) == [
        ("A", CopyPhase.CURRENT),
        ("B", CopyPhase.LEADS),
        ("C", CopyPhase.BEHIND),
    ]
    assert phases(stream(A=(True, True, 3)))["A"] is CopyPhase.AWAY


def test_answer_of_nobody_is_no_status():
    """Without a leader, or where there is no stream, nothing is known."""
    assert stream(leader="") is None
    assert StreamStatus.of(StreamInfo()) is None


def test_whoever_cannot_be_reached_is_away_at_once():
    """The leader has not noticed it yet; and one that is away itself leads no more."""
    status = stream(A=(True, False, 0), C=(True, False, 0))

    without_c = status.among(frozenset("AB"), is_told=True)
    without_b = status.among(frozenset("AC"), is_told=True)
    unheard = status.among(ALL, is_told=False)

    assert (without_c.leader, phases(without_c)["C"]) == ("B", CopyPhase.AWAY)
    assert (without_b.leader, phases(without_b)["B"]) == ("", CopyPhase.AWAY)
    assert (unheard.leader, phases(unheard)["B"]) == ("", CopyPhase.CURRENT)


@pytest.mark.parametrize(
    ("node", "word"),
    [
        (NodeStatus("A", NodePhase.DOWN, leaders=("B",)), ""),
        (NodeStatus("A", NodePhase.STARTING), ""),
        (NodeStatus("A", NodePhase.UP), "hears of no leader"),
        (NodeStatus("A", NodePhase.UP, leaders=("B",)), "hears that B leads"),
        (NodeStatus("A", NodePhase.UP, leaders=("C", "B", "B")), "hears that B and C lead"),
        (
            NodeStatus("A", NodePhase.UP, is_apart=True, leaders=("A",)),
            "takes itself for the leader, and can store nothing",
        ),
    ],
)
def test_node_says_what_it_knows_of_leaders(node, word):
    """One that is cut off and led believes for a while that it does."""
    assert node.word == word


def test_server_can_store_where_every_stream_has_a_leader():
    """One that is cut off cannot, whoever leads; without nodes nobody knows."""
    nodes = tuple(NodeStatus(name, NodePhase.UP, is_apart=name == "C") for name in "ABC")
    told = stream(A=(True, False, 0))
    settled = NodesStatus(nodes, (told,))
    unsettled = NodesStatus(nodes, (told, told.among(ALL, is_told=False)))

    assert [settled.can_store(name) for name in "ABCD"] == [True, True, False, True]
    assert not unsettled.can_store("A")
    assert FleetView((), affinity=None).can_store("A")


def test_session_is_in_the_stream_that_its_shard_is():
    """As its ticket says, whatever order they were told in; where one has all, in that."""
    ticket = Ticket.mint(bytes(range(ENTROPY)))
    names = [f"SESSILE_shop_{number}" for number in (10, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9)]
    shards = NodesStatus((), tuple(StreamStatus(name, "A", (), 0) for name in names))
    whole = NodesStatus((), (StreamStatus("SESSILE_shop", "A", (), 0),))

    assert shards.stream_of(ticket.reveal()) == f"SESSILE_shop_{crc32(ticket.key.encode()) % 11}"
    assert whole.stream_of(ticket.reveal()) == "SESSILE_shop"
    assert (shards.stream_of("none"), shards.stream_of(None)) == ("", "")


def test_node_of_the_demo_tells_nobody_where_it_is():
    """Else a node would find another one round the wire; and the page asks which streams are."""
    peers = "A=127.0.0.1:7001,B=127.0.0.1:7002,C=127.0.0.1:7003"
    config = DemoNodeConfig("A", peers, 7000, "/nowhere", "127.0.0.1:9")

    told = config.node().text([NodeUser("worker", "one")], NodeUser("keeper", "other"))

    assert '"advertise": "127.0.0.1:9"' in told
    assert '"listen": "127.0.0.1:7001"' in told
    assert told.count("$JS.API.STREAM.NAMES") == 2  # whoever keeps leaders even asks as well


def test_ports_are_distinct_and_free():
    """A program that binds them finds each free, and so does another one."""
    ports = find_ports(50)

    assert len(set(ports)) == 50


def test_wire_that_is_cut_says_nothing_until_it_is_mended():
    """Bytes, ends and whoever comes meanwhile wait; then all come through, in their order."""

    async def echo(reader, writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def go():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        wire = HostWire(server.sockets[0].getsockname()[1])
        await wire.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"one")
        before = await reader.readexactly(3)
        wire.cut()
        writer.write(b"two")
        late = await asyncio.open_connection("127.0.0.1", wire.port)
        late[1].write(b"late")
        for _ in range(50):
            await asyncio.sleep(0)
        answers = [
            asyncio.create_task(reader.readexactly(3)),
            asyncio.create_task(late[0].readexactly(4)),
        ]
        silent = not (await asyncio.wait(answers, timeout=0.2))[0]
        wire.mend()
        after = await asyncio.gather(*answers)
        writer.write_eof()
        ended = await reader.read()
        await wire.close()
        gone = await late[0].read()
        late[1].close()
        writer.close()
        server.close()
        return before, silent, after, ended, gone

    found = asyncio.run(asyncio.wait_for(go(), LONG))

    assert found == (b"one", True, [b"two", b"late"], b"", b"")


def test_wire_to_nobody_hangs_up():
    """Where no node listens, whoever comes by the wire is told so by its end."""

    async def go():
        (port,) = find_ports(1)
        wire = HostWire(port)
        await wire.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()
            await wire.close()

    assert asyncio.run(asyncio.wait_for(go(), LONG)) == b""
