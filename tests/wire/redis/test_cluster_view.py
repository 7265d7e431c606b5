"""Who has which slot, as a node says it, and what all nodes have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.wire.redis.cluster_view import SlotOwner, Topology, agree, parse_view
from sessile.wire.redis.slots import SLOTS

HERE = ("10.0.0.1", 7001)
ONE = "a1 10.0.0.1:7001@17001 myself,master - 0 0 3 connected 0-99 101 [7->-b2] [9-<-b2]"
TWO = "b2 10.0.0.2:7002@17002,two master - 0 0 4 connected 102-16383"
REPLICA = "c3 10.0.0.3:7003@17003 slave a1 0 0 3 connected"
NEW = "d4 10.0.0.4:7004@17004 master - 0 0 0 connected"


def view(*rows, at=HERE):
    return parse_view("\n".join(rows).encode(), at)


def seen_by_two(*rows):
    """Return what the second node sees, which hands nothing over."""
    mine = [row.replace("myself,", "").partition(" [")[0] for row in rows]
    said = [r.replace(" master", " myself,master") if "10.0.0.2" in r else r for r in mine]
    return view(*said, at=("10.0.0.2", 7002))


def test_view_is_read():
    """Its own id, the owners of slots in order, what the node hands over, and no replica."""
    found = view(TWO, REPLICA, ONE, NEW)

    assert found.id == "a1"
    assert found.owners == (
        SlotOwner("a1", "3", ((0, 99), (101, 101))),
        SlotOwner("b2", "4", ((102, 16_383),)),
    )
    assert found.leaving == ((7, ("10.0.0.2", 7002)),)
    assert found.is_well


@pytest.mark.parametrize("flag", ["master,fail", "master,fail?", "slave", "master,noaddr"])
def test_owner_that_is_ill_is_seen(flag):
    """Whoever takes one that has slots for dead, or for a replica, is not well; of others it is."""
    assert not view(ONE, TWO.replace("master", flag)).is_well
    assert view(ONE, TWO, NEW.replace("master", flag)).is_well


@pytest.mark.parametrize(
    "said",
    [
        None, b"", b"OK", 7, TWO, f"{ONE}\n{ONE}", ONE.replace("0-99", "0-x"),
        ONE.replace("0-99", "0-16384"), ONE.replace("0-99", "9-0"),
        "\n".join([ONE, *[REPLICA] * 1000]),
    ],
)  # fmt: skip
def test_nonsense_is_refused(said):
    """A node that says it is no better than one that hangs up."""
    with pytest.raises(ConnectionError, match="malformed"):
        parse_view(said.encode() if isinstance(said, str) else said, HERE)


@given(st.binary() | st.text("0123-x[]<> \n@:,.myselfmaster").map(str.encode))
def test_whatever_is_said_is_read_or_refused(said):
    """No other error comes of it, and no slot is beyond the last."""
    try:
        found = parse_view(said, HERE)
    except ConnectionError:
        return
    assert len(Topology(found.owners, found.leaving).changers()) == SLOTS


def test_nodes_that_see_the_same_agree():
    """What each hands over is known to that one alone."""
    found = agree([view(ONE, TWO), seen_by_two(ONE, TWO)])

    assert found.ids == {"a1", "b2"}
    assert found.targets == {("10.0.0.2", 7002)}


@pytest.mark.parametrize(
    "other",
    [
        (ONE.replace("0-99", "1-99"), TWO),
        (ONE.replace(" 3 ", " 5 "), TWO),
        (ONE, TWO.replace("b2", "x9")),
        (ONE.replace("master", "master,fail?"), TWO),
        (TWO,),
    ],
)
def test_nodes_that_see_something_else_do_not_agree(other):
    """One that was replaced does not know it yet, and the others do."""
    assert agree([view(ONE, TWO), seen_by_two(*other)]) is None


BEFORE = Topology((SlotOwner("a1", "3", ((0, 9),)), SlotOwner("b2", "4", ((10, 11),))))


@pytest.mark.parametrize(
    ("after", "moved"),
    [
        (BEFORE, set()),
        (Topology((SlotOwner("a1", "3", ((0, 8),)), SlotOwner("b2", "4", ((9, 11),)))), {9}),
        (Topology((SlotOwner("a1", "3", ((0, 9),)), SlotOwner("b2", "5", ((10, 11),)))), {10, 11}),
        (Topology((SlotOwner("a1", "3", ((0, 9),)),)), {10, 11}),
        (Topology(BEFORE.owners, ((4, HERE),)), {4}),
    ],
)
def test_slots_that_have_moved_are_found(after, moved):
    """To another node, to the same one in another epoch, to nobody, or part of the way."""
    assert after.find_moves(BEFORE) == moved
    assert BEFORE.find_moves(after) == moved
