"""Acts that do not depend on each other, as one: on an event loop they are under way at once."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from sessile.core.flow import Ask, Flow, arun, run

R = TypeVar("R")


def together(what: str, flows: Sequence[Callable[[], Flow[R]]]) -> Ask[list[R]]:
    """Return the Ask that finishes some flows; a thread finishes one after the other.

    Where one of them fails the others go on, and the first failure is raised.

    Args:
        what: its name in traces.
        flows: each makes one.
    """

    async def wait() -> list[R]:
        return list(await asyncio.gather(*map(_make_and_finish, flows)))

    return Ask(what, lambda: [run(make()) for make in flows], wait)


async def _make_and_finish(make: Callable[[], Flow[R]]) -> R:
    """Make a flow no sooner than its task runs: one that is cancelled before never does."""
    return await arun(make())
