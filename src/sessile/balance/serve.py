"""Run a balancer until the process is asked to end. ``balancer`` does the work."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sessile.balance.balancer import Balancer


async def serve(balancer: Balancer, *, started: Callable[[Balancer], object] | None = None) -> None:
    """Run a balancer until SIGINT (Ctrl-C), SIGTERM or cancellation, then stop it gracefully.

    Args:
        balancer: not yet started.
        started: called once it listens, for instance to print its address.
    """
    asked = asyncio.Event()
    with _on_signals(asked):
        async with balancer:
            if started:
                started(balancer)
            await asked.wait()


@contextmanager
def _on_signals(asked: asyncio.Event) -> Iterator[None]:
    """Set the event on a signal. Off the main thread or on Windows, cancellation has to do."""
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []
    # Windows has no such handlers, and no thread but the main one may set any
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.set)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
