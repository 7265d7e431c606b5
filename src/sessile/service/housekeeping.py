"""Housekeeping: what is due by the clock alone, and the note that a ticket was seen.

It may wait while a store can be read and not written. ``open`` and ``commit`` do it; whatever
somebody asked for, and the end of a session whose ticket was replayed, does not wait.

A file that another process keeps locked, a full disk, a Redis that is out of memory or has become
a replica: their sessions can be read, so a page that changes nothing is served. A later request
does what is due. Until then the idle clock stands still, the ticket is not replaced, and the one
before it is still handed its successor.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from sessile.core.flow import Flow
from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.service.events import Work
from sessile.service.instrument import emit_failure
from sessile.service.transaction import Transaction

R = TypeVar("R")

PAUSE: Final[Seconds] = 5.0
"""How long none is tried after one has failed: each may wait for the store's whole time limit."""


async def try_housekeeping(transaction: Transaction, work: Callable[[], Flow[R]]) -> R | None:
    """Do what may wait; None where the store does not take it now, and an event says so.

    Args:
        transaction: whose request it is.
        work: begins the flow; not called within the pause.
    """
    context = transaction.context
    if context.timer() < context.rests_until:
        return None
    try:
        return await work()
    except StoreUnavailable as error:
        context.rests_until = context.timer() + PAUSE
        context.log.tell_failure(Work.SAVE, error)
        emit_failure(context, context.clock(), transaction.request, error)
        return None
