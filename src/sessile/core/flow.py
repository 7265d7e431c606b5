"""Flows: one truth for blocking and async. Stores and service write them, ``web`` finishes them.

A flow is an ``async def`` that awaits an ``Ask`` (one act of I/O, told in both colours) or another
flow, and nothing else. ``run`` finishes it on this thread; ``arun`` finishes it on the event loop.
Between two Asks a flow is pure, so a test can stop it at each of them and let a rival run.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

R = TypeVar("R")

Flow: TypeAlias = Coroutine[Any, Any, R]


class Ask(msgspec.Struct, Generic[R], eq=False):
    """One act of I/O: named, told in both colours, performed by a shell.

    A struct, because one is made for each act and a struct costs no call of Python's.

    Attributes:
        what: the act in a word or two, for traces and tests: ``"redis GET"``.
        block: performs it on the calling thread.
        wait: performs it on the running event loop; None where ``block`` is so quick, microseconds
            and never a wait, that it is performed in place in either colour.
    """

    what: str
    block: Callable[[], R]
    wait: Callable[[], Awaitable[R]] | None = None

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
                reply = _only_ask(ask).block()
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
    """Finish a flow on the event loop. Whatever is no Ask belongs to the loop, and is handed to it.

    A plain async store therefore works here; ``run`` names it in a ``TypeError``.
    """
    send = flow.send
    try:
        ask = send(None)
        while True:
            try:
                if type(ask) is not Ask:
                    reply = await _Foreign(ask)
                elif ask.wait is None:
                    reply = ask.block()
                else:
                    reply = await ask.wait()
            except BaseException as error:  # noqa: BLE001  (also cancellation: the flow must see it)
                ask = flow.throw(error)
            else:
                ask = send(reply)
    except StopIteration as end:
        result: R = end.value
        return result
    finally:
        flow.close()


class _Foreign:
    """What somebody else's awaitable yields, passed on to the loop as it is."""

    __slots__ = ("_yielded",)

    def __init__(self, yielded: object) -> None:
        self._yielded = yielded

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._yielded)


def _only_ask(asked: object) -> Ask[Any]:
    if isinstance(asked, Ask):
        return asked
    raise TypeError(
        f"a blocking flow cannot wait for {asked!r}: this store is async only; "
        "use it from ASGI, or give each act of I/O as an Ask"
    )
