"""Tell a stale ticket from a stolen one: by the client that brings it. ``service.open`` acts on it.

The ticket itself cannot tell (see ``core.verdict``). A thief on the same network with the same
browser is taken for the session's own client, until the stale window of the policy is over.
"""

from typing import Final

import msgspec

from sessile.core.client import Client
from sessile.core.record import Record
from sessile.core.ticket import Key
from sessile.core.trail import CLIENT_CHANGED, TURNED_AWAY, TrailEntry
from sessile.core.value import Instant
from sessile.service.events import StaleTicket
from sessile.service.transaction import Opened, Transaction

_OF_OTHERS: Final = frozenset((CLIENT_CHANGED, TURNED_AWAY))


def is_own_client(transaction: Transaction, record: Record, since: Instant) -> bool:
    """Tell whether a request comes from the session's own client, and no other one was seen.

    Args:
        transaction: the request.
        record: of the session.
        since: when the ticket that it came with gave way.
    """
    policy, client = transaction.context.policy, transaction.client_beside(record)
    binding, since = policy.binding, since - policy.clock_skew  # a line by the slowest server
    if not binding.holds(record.client, client, record.settled_address):
        return False
    lines = (line for line in record.trail if line.what in _OF_OTHERS and line.at >= since)
    return all(binding.holds(_client_of(line, client), client) for line in lines)


def serve_late(transaction: Transaction, opened: Opened, record: Record) -> Transaction:
    """Begin a request that was held back: it may write, and is never handed a ticket."""
    if not opened.unrotated:  # where old tickets are expected nobody has to hear of them
        tell_stale(transaction, record, returned=False)
    return transaction.begin(msgspec.structs.replace(opened, unrotated=True))


def tell_stale(transaction: Transaction, record: Record, *, returned: bool) -> None:
    """Tell that a stale ticket was served, and whether the current one was handed over."""
    client, now = transaction.client_beside(record), transaction.now
    event = StaleTicket(now, Key(record.key), record.owner, returned, client=client)
    transaction.context.emit(event)


def _client_of(line: TrailEntry, came: Client) -> Client:
    """Return the client of a line, which keeps no more of it than its address and its device."""
    browser = came.browser if line.device == came.device else line.device.partition(" on ")[0]
    return Client(line.address, browser)
