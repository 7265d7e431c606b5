"""Acts that do not depend on each other, as one: on an event loop they are under way at once."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from sessile.core.flow import Ask, Flow, arun, run

R = TypeVar("R")
T = TypeVar("T")

_AT_ONCE: Final = 100


def together(what: str, flows: Sequence[Callable[[], Flow[R]]]) -> Ask[list[R]]:
    """Return the Ask that finishes some flows; a thread finishes one after the other.

    The first failure is raised. On an event loop the others go on; a thread begins no further one.

    Args:
        what: its name in traces.
        flows: each makes one.
    """

    async def wait() -> list[R]:
        return list(await asyncio.gather(*map(_make_and_finish, flows)))

    return Ask(what, lambda: [run(make()) for make in flows], wait)


async def for_each(what: str, items: Sequence[T], flow: Callable[[T], Flow[R]]) -> list[R]:
    """Finish a flow for each item, a hundred at once, and return the results in their order."""
    found: list[R] = []
    for at in range(0, len(items), _AT_ONCE):
        found += await together(what, [partial(flow, item) for item in items[at : at + _AT_ONCE]])
    return found


async def _make_and_finish(make: Callable[[], Flow[R]]) -> R:
    """Make a flow no sooner than its task runs: one that is cancelled before never does."""
    return await arun(make())
