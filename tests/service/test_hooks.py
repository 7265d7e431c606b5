"""Whoever listens to events: blocking or async, well behaved or not."""

import asyncio
import logging
from functools import partial

import pytest

from sessile import Sessions
from sessile.core.request import PlainRequest
from sessile.service import events
from sessile.service.instrument import instrument
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore

EVENT = events.LoggedIn(0.0, "iLI9UbL0Zm4BcQESZuYy", "alice")


def tell_blocking(sessions):
    context_of(sessions).emit(EVENT)
    sessions.sync.close()


def tell_async(sessions):
    async def request():
        context_of(sessions).emit(EVENT)
        await sessions.close()

    asyncio.run(request())


@pytest.fixture(params=[tell_blocking, tell_async], ids=["blocking", "async"])
def tell(request):
    """Tell hooks of one event and close, in either colour."""
    return lambda *hooks: request.param(Sessions(store=MemoryStore(), hooks=hooks))


class Listener:
    """An object whose call is a coroutine function."""

    def __init__(self, told):
        self._told = told

    async def __call__(self, event):
        await asyncio.sleep(0)
        self._told.append(event)


async def listen(told, event):
    await asyncio.sleep(0)
    told.append(event)


def hand_on(told, event):
    return listen(told, event)


@pytest.mark.parametrize(
    "hook_to",
    [
        lambda told: told.append,
        lambda told: partial(listen, told),
        lambda told: partial(hand_on, told),
        Listener,
    ],
    ids=["blocking", "coroutine function", "returns an awaitable", "object"],
)
def test_every_hook_is_told(hook_to, tell):
    """A hook may be a plain function, a coroutine function, or return what can be awaited."""
    told = []
    tell(hook_to(told), hook_to(told))

    assert told == [EVENT, EVENT]


def test_blocking_hook_is_told_at_once():
    """A plain hook has done its work when ``emit`` returns."""
    told = []
    sessions = Sessions(store=MemoryStore(), hooks=[told.append])
    context_of(sessions).emit(EVENT)

    assert told == [EVENT]


def test_what_a_hook_returns_does_not_matter(tell, caplog):
    """A hook that returns a number or a text has not failed."""
    tell(lambda event: 42, lambda event: "done")

    assert caplog.text == ""


def test_failing_async_hook_harms_no_one(tell, caplog):
    """An async hook that raises is reported by its name, without its words or the event's."""
    told = []

    async def bad(event):
        await asyncio.sleep(0)
        raise RuntimeError(f"the secret of {event.owner} is 42")

    with caplog.at_level(logging.DEBUG):
        tell(bad, partial(listen, told))
    (record,) = (r for r in caplog.records if r.levelno >= logging.WARNING)

    assert told == [EVENT]
    assert record.name == "sessile"
    assert "bad" in record.getMessage()
    assert record.exc_info is None
    assert not {"42", "alice"} & set(record.getMessage().split())


def test_time_is_told_to_timers_alone(drive):
    """A hook with ``timed = True`` is told of every event and of the time; others are not."""
    told, heard = [], []

    class Timer:
        timed = True
        __call__ = staticmethod(heard.append)

    sessions = Sessions(store=MemoryStore(), hooks=[told.append, Timer()])

    async def nothing():
        context_of(sessions).emit(EVENT)

    drive(instrument(context_of(sessions), events.Work.SAVE, PlainRequest(), nothing()))

    assert told == [EVENT]
    assert heard[0] == EVENT
    assert [(event.work, event.failed) for event in heard[1:]] == [(events.Work.SAVE, False)]


def test_dropped_hooks_are_reported(caplog):
    """Hooks that were dropped are in the log, with their number."""
    sessions = Sessions(store=MemoryStore(), hooks=[partial(listen, [])])
    sessions.sync.close()
    context_of(sessions).emit(EVENT)

    assert "1 async hooks were dropped" in caplog.text
