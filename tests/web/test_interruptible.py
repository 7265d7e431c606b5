"""A call that is taken out of its wait: it returns the last word, and its task is as before."""

import asyncio

import pytest

from sessile.web.interruptible import Interruptible


async def forever():
    await asyncio.Event().wait()


def begin(wait):
    """Begin a call in a task of its own; give both."""
    call = Interruptible(wait)
    return call, asyncio.create_task(call.call())


def test_call_returns_what_it_waited_for():
    """As long as nobody interrupts it."""

    async def scene():
        async def answer():
            await asyncio.sleep(0)
            return "answer"

        call, task = begin(answer)
        assert await task == "answer"
        call.interrupt("last")
        assert await call.call() == "last"

    asyncio.run(scene())


@pytest.mark.parametrize("number", [1, 3])
def test_calls_that_wait_return_the_last_word(number):
    """However many tasks wait."""

    async def scene():
        call = Interruptible(forever)
        tasks = [asyncio.create_task(call.call()) for _ in range(number)]
        await asyncio.sleep(0)
        call.interrupt("last")
        assert await asyncio.gather(*tasks) == ["last"] * number

    asyncio.run(scene())


def test_call_that_does_not_heed_it_returns_the_last_word_too():
    """Some servers catch a cancellation; what they return then is nobody's."""
    cancelling = []

    async def deaf():
        try:
            await forever()
        except asyncio.CancelledError:
            return "something"

    async def scene():
        call = Interruptible(deaf)

        async def use():
            result = await call.call()
            cancelling.append(asyncio.current_task().cancelling())
            return result

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        call.interrupt("last")
        assert await task == "last"

    asyncio.run(scene())

    assert cancelling == [0]


def test_answer_that_comes_in_the_same_moment_is_passed_over():
    """The end is the end."""

    async def scene():
        came = asyncio.get_running_loop().create_future()

        async def answer():
            return await came

        call, task = begin(answer)
        await asyncio.sleep(0)
        came.set_result("answer")
        call.interrupt("last")
        assert await task == "last"

    asyncio.run(scene())


@pytest.mark.parametrize("first", ["interrupt", "cancel"])
def test_cancellation_by_others_counts(first):
    """Whichever came first."""

    async def scene():
        call, task = begin(forever)
        await asyncio.sleep(0)
        acts = [lambda: call.interrupt("last"), task.cancel]
        for act in acts if first == "interrupt" else acts[::-1]:
            act()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())


def test_cancellation_that_was_under_way_before_is_none_of_ours():
    """A task that cleans up while it is cancelled may still be interrupted."""
    results = []

    async def scene():
        call = Interruptible(forever)

        async def use():
            try:
                await forever()
            finally:
                results.append(await call.call())

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        call.interrupt("last")
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())

    assert results == ["last"]


def test_error_of_the_call_goes_on():
    """And the task is forgotten: it is not cancelled later."""

    async def fail():
        raise OSError("broken")

    async def scene():
        call = Interruptible(fail)
        with pytest.raises(OSError, match="broken"):
            await call.call()
        call.interrupt("last")
        await asyncio.sleep(0)
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(scene())
