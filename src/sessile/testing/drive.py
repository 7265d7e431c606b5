"""Finish flows in either colour, so that a promise is written once. ``conformance`` tries both."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Final, Protocol, TypeVar

from sessile.core.flow import Flow, arun, run

R = TypeVar("R")


class Drive(Protocol):
    """Finishes flows: ``drive(store.read(key, now))``."""

    def __call__(self, flow: Flow[R]) -> R:
        """Finish one flow and return its result."""
        ...

    def together(self, flows: Iterable[Flow[R]]) -> list[R | BaseException]:
        """Finish rival flows at the same time; return each result, or what it raised."""
        ...

    def close(self) -> None:
        """Give back threads and loops."""
        ...


class Blocking:
    """The colour of WSGI: ``run`` on this thread, rivals each on a thread of their own."""

    def __call__(self, flow: Flow[R]) -> R:
        """Finish one flow on this thread."""
        return run(flow)

    def together(self, flows: Iterable[Flow[R]]) -> list[R | BaseException]:
        """Let a thread for each flow wait at one barrier, then race."""
        rivals = list(flows)
        start = Barrier(len(rivals))

        def race(flow: Flow[R]) -> R:
            start.wait()
            return run(flow)

        with ThreadPoolExecutor(len(rivals)) as pool:
            races = [pool.submit(race, flow) for flow in rivals]
        return [done.exception() or done.result() for done in races]

    def close(self) -> None:
        """Do nothing: threads end with their race."""


class Async:
    """The colour of ASGI: ``arun`` on one loop that lives as long as the test."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def __call__(self, flow: Flow[R]) -> R:
        """Finish one flow on the loop."""
        return self._runner.run(arun(flow))

    def together(self, flows: Iterable[Flow[R]]) -> list[R | BaseException]:
        """Gather the flows as tasks of the loop."""

        async def gather() -> list[R | BaseException]:
            return await asyncio.gather(*map(arun, flows), return_exceptions=True)

        return self._runner.run(gather())

    def close(self) -> None:
        """Close the loop."""
        self._runner.close()


COLOURS: Final[dict[str, type[Any]]] = {"blocking": Blocking, "async": Async}
"""Both shells of a flow; every promise that asks for ``drive`` is tried in each."""
