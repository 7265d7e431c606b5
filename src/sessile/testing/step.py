"""Stop a flow before each of its Asks: a rival runs there, or the answer gets lost. No luck needed.

Between two Asks a flow is pure, so a rival that runs whole at every stopping point has run at every
point that matters, and an outage that was at every Ask was wherever one can be. ``drive`` has the
colours in which Asks are performed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from sessile.core.flow import Ask, Flow, run
from sessile.errors import StoreUnavailable

W = TypeVar("W")
A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """How a flow ended.

    Attributes:
        value: what it returned, where it returned.
        error: what it raised, or None.
    """

    value: R | None = None
    error: BaseException | None = None

    def get(self) -> R:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # R may itself be None


@dataclass(frozen=True, slots=True)
class Meeting(Generic[W, A, B]):
    """One way in which two flows met.

    Attributes:
        stop: where the first one stood: ``"before sqlite COMMIT"``, ``"after the last"``.
        world: what both worked on.
        a: how the one that was stopped ended.
        b: how the one that ran whole in between ended.
    """

    stop: str
    world: W
    a: Outcome[A]
    b: Outcome[B]


@dataclass(frozen=True, slots=True)
class Interruption(Generic[W, A]):
    """One way in which a store failed a flow.

    Attributes:
        stop: what failed: ``"after redis replace"`` was carried out and its answer lost,
            ``"instead of redis replace"`` was not.
        is_done: whether it was carried out.
        world: what the flow worked on.
        outcome: how the flow ended.
    """

    stop: str
    is_done: bool
    world: W
    outcome: Outcome[A]


class Stepped(Generic[R]):
    """A flow that goes on one Ask at a time.

    Args:
        flow: it runs up to its first Ask at once.
        drive: performs the Asks, in its colour.

    Attributes:
        ask: the Ask it stands before; None when it has ended.
        outcome: how it ended; None until then.
    """

    def __init__(self, flow: Flow[R], drive: Callable[[Flow[Any]], Any] = run) -> None:
        self._flow = flow
        self._drive = drive
        self.ask: Ask[Any] | None = None
        self.outcome: Outcome[R] | None = None
        self._resume(flow.send, None)

    def step(self) -> None:
        """Perform the Ask it stands before, and go on to the next one or to the end."""
        ask = self._next()
        try:
            reply = self._drive(_perform(ask))
        except BaseException as error:  # noqa: BLE001  (the flow decides what an error means)
            self._resume(self._flow.throw, error)
        else:
            self._resume(self._flow.send, reply)

    def fail(self, error: BaseException, *, is_done: bool) -> None:
        """Raise an error in the place of the answer to the Ask it stands before.

        Args:
            error: what the flow is told.
            is_done: whether the act is carried out before.
        """
        if is_done:
            self._drive(_perform(self._next()))
        self._resume(self._flow.throw, error)

    def finish(self) -> Outcome[R]:
        """Go on to the end."""
        while self.outcome is None:
            self.step()
        return self.outcome

    def _next(self) -> Ask[Any]:
        if self.ask is None:
            raise RuntimeError("this flow has ended; there is no Ask left to perform")
        return self.ask

    def _resume(self, act: Callable[[Any], Any], value: object) -> None:
        self.ask = None
        try:
            self.ask = act(value)
        except StopIteration as end:
            self.outcome = Outcome(value=end.value)
        except BaseException as error:  # noqa: BLE001  (an outcome like any other)
            self.outcome = Outcome(error=error)


def interleavings(
    make_world: Callable[[], W],
    flow_a: Callable[[W], Flow[A]],
    flow_b: Callable[[W], Flow[B]],
    *,
    drive: Callable[[Flow[Any]], Any] = run,
) -> Iterator[Meeting[W, A, B]]:
    """Yield every meeting of two flows in which B runs whole at a stopping point of A.

    A is stopped before its first Ask, before its second, and so on; last, B runs after A's end.
    Each meeting has a world of its own. Swap the flows to stop the other one.
    """
    for asks in count():
        world = make_world()
        a = Stepped(flow_a(world), drive)
        for _ in range(asks):
            if a.ask is not None:  # a flow that waits for a server may be shorter now
                a.step()
        stop = "after the last" if a.ask is None else f"before {a.ask.what}"
        b = Stepped(flow_b(world), drive).finish()
        yield Meeting(stop, world, a.finish(), b)
        if stop == "after the last":
            return


def interruptions(
    make_world: Callable[[], W],
    flow: Callable[[W], Flow[A]],
    *,
    drive: Callable[[Flow[Any]], Any] = run,
) -> Iterator[Interruption[W, A]]:
    """Yield every way in which the store fails one Ask of a flow, whose client learns nothing.

    Its first Ask fails, then its second, and so on, each once after it was carried out and once in
    its place. Each interruption has a world of its own.
    """
    for asks in count():
        for is_done in (True, False):
            world = make_world()
            stepped = Stepped(flow(world), drive)
            for _ in range(asks):
                if stepped.ask is not None:  # a flow that waits for a server may be shorter now
                    stepped.step()
            if stepped.ask is None:
                return
            if stepped.ask.what.endswith("close"):  # has no answer that could be lost
                stepped.finish()
                break
            stop = f"{'after' if is_done else 'instead of'} {stepped.ask.what}"
            stepped.fail(StoreUnavailable("the store", "its answer was lost"), is_done=is_done)
            yield Interruption(stop, is_done, world, stepped.finish())


async def _perform(ask: Ask[R]) -> R:
    """Perform one Ask as a flow of its own, so that any driver can."""
    return await ask
