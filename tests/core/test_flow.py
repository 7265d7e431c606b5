"""Flows: one truth, finished in two colours."""

import asyncio

import pytest

from sessile.core.flow import Ask, arun, run
from sessile.testing.drive import COLOURS


def ask(reply, log=None):
    """Return an Ask that answers, or raises, in either colour and says in which."""

    def block():
        if log is not None:
            log.append("block")
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def wait():
        await asyncio.sleep(0)
        if log is not None:
            log.append("wait")
        if isinstance(reply, BaseException):
            raise reply
        return reply

    return Ask("test ask", block, wait)


async def total(*replies):
    """Add the answers of several Asks, through a flow within the flow."""

    async def one(reply):
        return await ask(reply)

    return sum([await one(reply) for reply in replies])


@pytest.fixture(params=COLOURS.values(), ids=COLOURS)
def drive(request):
    drive = request.param()
    yield drive
    drive.close()


def test_flow_returns_its_result(drive):
    """A flow of flows of Asks gives the same result in both colours."""
    assert drive(total(1, 2, 3)) == 6
    assert drive(total()) == 0


def test_each_colour_performs_its_own_half():
    """``run`` blocks and ``arun`` waits, and neither does the other's part."""
    log = []

    async def flow():
        await ask(None, log)

    run(flow())
    asyncio.run(arun(flow()))

    assert log == ["block", "wait"]


def test_error_reaches_the_flow_and_its_caller(drive):
    """What an Ask raises is raised where the flow awaits it, and comes out if nobody handles it."""

    async def handled():
        try:
            await ask(KeyError("gone"))
        except KeyError:
            return await ask("handled")
        raise AssertionError

    assert drive(handled()) == "handled"
    with pytest.raises(ZeroDivisionError):
        drive(total(1, ZeroDivisionError()))


def test_flow_may_raise_another_error(drive):
    """A flow that translates an error keeps the first one as its cause."""

    async def translated():
        try:
            await ask(OSError("wire"))
        except OSError as error:
            raise ValueError("ours") from error

    with pytest.raises(ValueError, match="ours") as raised:
        drive(translated())
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize("error", [StopIteration(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_no_error_is_swallowed_when_blocking(error):
    """Not even those that end loops and programs are taken for a result."""

    async def flow():
        return int(await ask(error))

    with pytest.raises((type(error), RuntimeError)):
        run(flow())


def test_cleanup_of_a_flow_runs(drive):
    """``finally`` blocks run, and may ask, also when the flow fails."""
    log = []

    async def flow():
        try:
            await ask(ZeroDivisionError())
        finally:
            log.append(await ask("cleaned"))

    with pytest.raises(ZeroDivisionError):
        drive(flow())
    assert log == ["cleaned"]


def test_cancellation_reaches_the_flow():
    """A cancelled task cancels the Ask under way, and the flow's ``finally`` still asks."""
    log = []

    async def forever():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("ask cancelled")
            raise

    async def flow():
        try:
            await Ask("forever", lambda: None, forever)
        finally:
            log.append(await ask("cleaned"))

    async def scenario():
        task = asyncio.create_task(arun(flow()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert log == ["ask cancelled", "cleaned"]


def test_stranger_is_named_when_blocking():
    """A flow that awaits what only a loop can do is told so, where it awaits it."""

    async def flow():
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="this store is async only"):
        run(flow())


def test_stranger_is_left_to_the_loop():
    """A plain async store works in an async application."""

    async def flow():
        await asyncio.sleep(0)
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 41)
        return await future + await ask(1)

    assert asyncio.run(arun(flow())) == 42


def test_unfinished_flow_is_closed():
    """A flow that was left behind by an interrupt does not go on later."""
    log = []

    async def flow():
        try:
            await ask(KeyboardInterrupt())
        except KeyboardInterrupt:
            log.append("seen")
            raise

    with pytest.raises(KeyboardInterrupt):
        run(flow())
    assert log == ["seen"]


def test_traceback_shows_the_flow(drive):
    """The traceback of a failed Ask leads through the flow that awaited it."""

    async def the_use_case():
        await ask(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError) as raised:
        drive(the_use_case())
    assert "the_use_case" in [entry.name for entry in raised.traceback]


def test_ask_names_itself():
    """An Ask shows what it does in traces."""
    assert repr(ask(1)) == "<Ask test ask>"


def test_flows_of_one_loop_take_turns():
    """A flow that waits lets others run: nothing blocks the loop."""

    async def turns(log, name):
        for n in range(2):
            await ask(None)
            log.append(f"{name}{n}")

    async def scenario():
        log = []
        flows = [turns(log, "a"), turns(log, "b")]
        await asyncio.gather(*map(arun, flows))
        return log

    assert asyncio.run(scenario()) == ["a0", "b0", "a1", "b1"]


def test_awaitable_of_any_kind_will_do():
    """``wait`` may return a future as well as a coroutine."""

    async def scenario():
        loop = asyncio.get_running_loop()

        def wait():
            future = loop.create_future()
            loop.call_soon(future.set_result, 7)
            return future

        block = lambda: 0  # noqa: E731  (half of an Ask)

        async def flow():
            return await Ask("future", block, wait)

        return await arun(flow())

    assert asyncio.run(scenario()) == 7
