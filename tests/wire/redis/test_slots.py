"""Which slot a key has, and which of what a node says of the slots is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from sessile.wire.redis.redirection import parse_redirection
from sessile.wire.redis.slots import SlotMap, migrations, parse_slots, slot_of

HERE = ("10.0.0.1", 6379)


def node(host=b"10.0.0.2", port=6379, *more):
    """Return a node as Redis names it."""
    return [host, port, b"id", *more]


@given(st.binary() | st.lists(st.sampled_from([b"{", b"}", b"a", b"b"])).map(b"".join))
def test_slot_is_that_of_redis(key):
    """Keys and their tags, whole, empty or broken, are where Redis looks for them."""
    assert slot_of(key) == key_slot(key)


def test_text_is_where_its_bytes_are():
    """A key that was written as text is found as bytes."""
    assert slot_of("sessile:ü") == slot_of("sessile:ü".encode())


def test_map_is_read():
    """Primaries and replicas, with or without more that newer servers tell of a node."""
    rows = [
        [100, 16_383, node(b"shop-2.example", 7002, [b"hostname", b"x"])],
        [0, 99, node(b"::1", 7001), node(b"10.0.0.3", 7003)],
    ]
    found = parse_slots(rows, HERE)

    assert found.ranges == ((0, 99, ("::1", 7001)), (100, 16_383, ("shop-2.example", 7002)))
    assert found.primaries == (("::1", 7001), ("shop-2.example", 7002))
    assert found.replicas == (("10.0.0.3", 7003),)
    assert [found.owner(slot) for slot in (0, 99, 100)] == [("::1", 7001)] * 2 + [
        ("shop-2.example", 7002)
    ]


@pytest.mark.parametrize("host", [None, b""])
def test_node_without_a_host_is_where_it_was_asked(host):
    """A node that does not know its own address is the one at the address that we know."""
    assert parse_slots([[0, 9, node(host, 7001)]], HERE).primaries == (("10.0.0.1", 7001),)


def test_replica_without_a_name_is_left_out():
    """It is asked for nothing, so nothing is wrong."""
    assert parse_slots([[0, 9, node(), node(b"?")]], HERE) == SlotMap(((0, 9, ("10.0.0.2", 6379)),))


def test_primary_without_a_name_says_what_to_write():
    """A cluster that prefers host names, and has none, is told the setting."""
    with pytest.raises(ConnectionError, match="write cluster-announce-hostname"):
        parse_slots([[0, 9, node(b"?")]], HERE)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"OK",
        7,
        [],
        [None],
        [[]],
        [[0, 9]],
        [[0, 9, []]],
        [[0, 9, b"10.0.0.2"]],
        [[b"0", 9, node()]],
        [[0, None, node()]],
        [[9, 0, node()]],
        [[-1, 9, node()]],
        [[0, 16_384, node()]],
        [[0, 9, node()], [9, 12, node()]],
        [[0, 9, node()], [0, 9, node()]],
        [[0, 9, node(b"10.0.0.2", 0)]],
        [[0, 9, node(b"10.0.0.2", 65_536)]],
        [[0, 9, node(b"10.0.0.2", -1)]],
        [[0, 9, node(b"10.0.0.2", b"6379")]],
        [[0, 9, node(b"10.0.0.2", True)]],
        [[0, 9, node(7)]],
        [[0, 9, node([b"10.0.0.2"])]],
        [[0, 9, node(b"a b")]],
        [[0, 9, node(b"a\r\nb")]],
        [[0, 9, node(b"a/b")]],
        [[0, 9, node(b"\xff")]],
        [[0, 9, node(b"a" * 254)]],
        [[0, 9, node(), node(b"a b")]],
        [[n, n, node(b"n%d" % n)] for n in range(1001)],
        [[0, 9, node(), *(node(b"n%d" % n) for n in range(1000))]],
    ],
    ids=repr,
)
def test_hostile_map_is_refused(answer):
    """What is no map, names no places, contradicts itself or is too large is no map."""
    with pytest.raises(ConnectionError):
        parse_slots(answer, HERE)


def test_fingerprint_is_another_when_a_slot_has_moved():
    """Nothing but the primaries' slots is in it."""
    one = parse_slots([[0, 9, node()], [10, 19, node(b"b")]], HERE)
    same = parse_slots([[10, 19, node(b"b"), node(b"c")], [0, 9, node()]], HERE)
    moved = parse_slots([[0, 10, node()], [11, 19, node(b"b")]], HERE)

    assert one.fingerprint == same.fingerprint != moved.fingerprint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("MOVED 7 10.0.0.2:7001", ("10.0.0.2", 7001)),
        ("ASK 7 shop.example:7001", ("shop.example", 7001)),
        ("MOVED 7 2001:db8::1:7001", ("2001:db8::1", 7001)),
        ("MOVED 7 :7001", ("10.0.0.1", 7001)),
    ],
)
def test_redirection_is_read(text, place):
    """Names, addresses of both kinds, and no host at all, which is the one that was asked."""
    assert parse_redirection(text, 7, HERE) == place


@pytest.mark.parametrize(
    "text",
    [
        "MOVED",
        "MOVED 7",
        "MOVED 7 ",
        "MOVED 8 10.0.0.2:7001",
        "MOVED 07 10.0.0.2:7001",
        "MOVED 7 10.0.0.2",
        "MOVED 7 10.0.0.2:",
        "MOVED 7 10.0.0.2:0",
        "MOVED 7 10.0.0.2:65536",
        "MOVED 7 10.0.0.2:\N{ARABIC-INDIC DIGIT SEVEN}",
        "MOVED 7 10.0.0.2:7001 x",
        "MOVED 7 a b:7001",
        "MOVED 7 a@b:7001",
        "MOVED 7 ?:7001",
    ],
)
def test_hostile_redirection_is_refused(text):
    """Of another slot, or to no place: nobody goes there."""
    with pytest.raises(ConnectionError, match="its redirection is malformed"):
        parse_redirection(text, 7, HERE)


MINE = "a1 10.0.0.1:6379@16379{0} myself,master - 0 0 1 connected 0-9 [7->-b2] [8-<-b2] [9->-c3]\n"
OTHERS = """b2 10.0.0.2:7001@17001{0} master - 0 0 2 connected 10-20 [5->-a1]
c3 :0@0{1} master,noaddr - 0 0 3 disconnected
d4 10.0.0.4:x@y slave b2 0 0 2 connected
e5
"""


@pytest.mark.parametrize(
    ("said_by", "names", "target"),
    [
        (HERE, (",one", ",two"), ("10.0.0.2", 7001)),
        (HERE, (",,shard-id=1", ",,shard-id=2"), ("10.0.0.2", 7001)),
        (("one", 6379), (",one", ",two"), ("two", 7001)),
        (("one", 6379), (",one,shard-id=1", ",two,shard-id=2"), ("two", 7001)),
        (("one", 6379), (",one", ""), ("10.0.0.2", 7001)),
        (("one", 6379), ("", ""), ("10.0.0.2", 7001)),
    ],
)
def test_slots_on_their_way_are_read(said_by, names, target):
    """Nodes are called as the map calls them; one that has no address is at none of its own."""
    said = MINE.format(names[0]) + OTHERS.format(names[1], "")

    assert migrations(said.encode(), said_by) == [(7, target), (9, said_by)]


@pytest.mark.parametrize(
    "said", [b"", b"\n \n", b"a b c", b"\xff [7->-a]", b"a x myself - - - - - [7->-a]"]
)
def test_nodes_that_are_nonsense_move_nothing_anywhere(said):
    """Whoever says so is asked alone."""
    assert {place for _, place in migrations(said, HERE)} <= {HERE}
