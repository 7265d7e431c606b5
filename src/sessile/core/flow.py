"""Flows: one truth for blocking and async. Stores and service write them, ``web`` finishes them.

A flow is an ``async def`` that awaits an ``Ask`` (one act of I/O, told in both colours) or another
flow, and nothing else. ``run`` finishes it on this thread; ``arun`` finishes it on the event loop.
Between two Asks a flow is pure, so a test can stop it at each of them and let a rival run.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeAlias, TypeVar

R = TypeVar("R")

Flow: TypeAlias = Coroutine[Any, Any, R]


class Ask(Generic[R]):
    """One act of I/O: named, told in both colours, performed by a shell.

    Args:
        what: the act in a word or two, for traces and tests: ``"redis GET"``.
        block: performs it on the calling thread.
        wait: performs it on the running event loop; None where ``block`` is so quick, microseconds
            and never a wait, that it is performed in place in either colour.
    """

    __slots__ = ("block", "wait", "what")

    def __init__(
        self, what: str, block: Callable[[], R], wait: Callable[[], Awaitable[R]] | None = None
    ) -> None:
        self.what = what
        self.block = block
        self.wait = wait

    def __await__(self) -> Generator["Ask[R]", Any, R]:
        reply: R = yield self
        return reply

    def __repr__(self) -> str:
        return f"<Ask {self.what}>"


def run(flow: Flow[R]) -> R:
    """Finish a flow here and now, performing each Ask on this thread.

    Raises:
        TypeError: the flow awaited something that only an event loop can perform.
    """
    send = flow.send
    try:
        ask = send(None)
        while True:
            try:
                reply = _known(ask).block()
            except BaseException as error:  # noqa: BLE001  (the flow decides; nothing is swallowed)
                ask = flow.throw(error)
            else:
                ask = send(reply)
    except StopIteration as end:
        result: R = end.value
        return result
    finally:
        flow.close()


async def arun(flow: Flow[R]) -> R:
    """Finish a flow on the event loop. An awaited stranger is handed to the loop as it is."""
    return await Driven(flow)


class Driven(Generic[R]):
    """A flow as an awaitable, a little leaner than ``arun`` for those who await it at once.

    Only Asks are performed; what else the flow yields belongs to the loop.
    """

    __slots__ = ("flow",)

    def __init__(self, flow: Flow[R]) -> None:
        self.flow = flow

    def __await__(self) -> Generator[Any, Any, R]:
        flow = self.flow
        send = flow.send
        try:
            asked = send(None)
            while True:
                try:
                    if type(asked) is not Ask:
                        reply = yield asked
                    elif asked.wait is None:
                        reply = asked.block()
                    else:
                        reply = yield from asked.wait().__await__()
                except BaseException as error:  # noqa: BLE001  (also cancellation: the flow must see it)
                    asked = flow.throw(error)
                else:
                    asked = send(reply)
        except StopIteration as end:
            result: R = end.value
            return result
        finally:
            flow.close()


def _known(asked: object) -> Ask[Any]:
    if isinstance(asked, Ask):
        return asked
    raise TypeError(
        f"a blocking flow cannot wait for {asked!r}: this store is async only; "
        "use it from ASGI, or give each act of I/O as an Ask"
    )
