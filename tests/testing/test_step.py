"""Stepping: a flow stops where it is told, and its rival runs at every such place."""

import contextlib

import pytest

from sessile.core.flow import Ask
from sessile.errors import StoreUnavailable
from sessile.testing.drive import COLOURS
from sessile.testing.step import Outcome, Stepped, interleavings, interruptions


def write(log, what):
    """Return an Ask that writes a word into a log, in either colour."""

    def block():
        log.append(what)
        return what

    async def wait():
        return block()

    return Ask(what, block, wait)


def writer(*words):
    """Return a flow that writes words one by one."""

    async def flow(log):
        return "".join([await write(log, word) for word in words])

    return flow


@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_rival_runs_at_every_stopping_point(colour):
    """B runs whole before each Ask of A, and after its end, each time in a world of its own."""
    drive = colour()
    try:
        meetings = list(interleavings(list, writer("1", "2"), writer("a", "b"), drive=drive))
    finally:
        drive.close()

    assert [(met.stop, "".join(met.world)) for met in meetings] == [
        ("before 1", "ab12"),
        ("before 2", "1ab2"),
        ("after the last", "12ab"),
    ]
    assert {(met.a.get(), met.b.get()) for met in meetings} == {("12", "ab")}


@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_every_ask_fails_in_turn(colour):
    """Each is carried out and its answer lost, or is not, in a world of its own."""
    drive = colour()
    try:
        cuts = list(interruptions(list, writer("1", "2"), drive=drive))
    finally:
        drive.close()

    assert [(cut.stop, cut.is_done, cut.world) for cut in cuts] == [
        ("after 1", True, ["1"]),
        ("instead of 1", False, []),
        ("after 2", True, ["1", "2"]),
        ("instead of 2", False, ["1"]),
    ]
    assert {type(cut.outcome.error) for cut in cuts} == {StoreUnavailable}


def test_flow_that_shrugs_off_a_failure_goes_on():
    """What an interruption comes to is the flow's to say."""

    async def flow(log):
        with contextlib.suppress(StoreUnavailable):
            await write(log, "1")
        return await write(log, "2")

    assert [(cut.world, cut.outcome.value) for cut in interruptions(list, flow)][:2] == [
        (["1", "2"], "2"),
        (["2"], "2"),
    ]


def test_flow_without_an_ask_cannot_fail():
    """Nothing is asked of the store, so nothing is interrupted."""
    assert list(interruptions(list, writer())) == []


def test_flow_without_an_ask_has_one_meeting():
    """A flow that asks for nothing can only be met before or after, which is the same."""
    assert [met.stop for met in interleavings(list, writer(), writer("a"))] == ["after the last"]


def test_lost_update_is_found():
    """A read and a write that are two Asks lose a rival's update at exactly one stopping point."""

    async def increment(box):
        seen = await Ask("read", lambda: box[0], None)
        await Ask("write", lambda: box.__setitem__(0, seen + 1), None)

    lost = [
        met.stop for met in interleavings(lambda: [0], increment, increment) if met.world != [2]
    ]
    assert lost == ["before write"]


def test_errors_are_outcomes():
    """A flow that fails has an outcome like any other, and the rival goes on."""

    async def failing(log):
        await write(log, "1")
        raise KeyError("gone")

    meetings = list(interleavings(list, failing, writer("a")))
    assert [met.b.get() for met in meetings] == ["a", "a"]
    for met in meetings:
        assert isinstance(met.a.error, KeyError)
        with pytest.raises(KeyError, match="gone"):
            met.a.get()


def test_error_of_an_ask_reaches_its_flow():
    """What an Ask raises is raised inside the stepped flow, which may handle it."""

    def fails():
        raise OSError

    async def flow():
        try:
            await Ask("fails", fails, None)
        except OSError:
            return "handled"
        return "not reached"

    assert Stepped(flow()).finish() == Outcome("handled")


def test_flow_goes_on_one_ask_at_a_time():
    """Nothing is performed before its step, and what stands next is known."""
    log = []
    stepped = Stepped(writer("1", "2")(log))

    assert (stepped.ask.what, log) == ("1", [])
    stepped.step()
    assert (stepped.ask.what, log) == ("2", ["1"])
    stepped.step()
    assert (stepped.ask, stepped.outcome, log) == (None, Outcome("12"), ["1", "2"])
    with pytest.raises(RuntimeError, match="has ended"):
        stepped.step()


def test_result_may_be_none():
    """A flow that returns nothing has ended all the same."""

    async def flow():
        return None

    assert Stepped(flow()).finish() == Outcome(None)
    assert Stepped(flow()).finish().get() is None
