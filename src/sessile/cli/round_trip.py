"""A throw-away session through the whole of a store, for ``sessile doctor``."""

from collections.abc import Callable
from typing import Final

from sessile.core.record import FORMAT, Record, evolve
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.core.value import Instant, Seconds
from sessile.stores.contract import Change, Committed, Store

_LIFE: Final[Seconds] = 60.0
"""Should the deletion fail, the record is swept soon after."""


async def round_trip(store: Store, now: Instant, entropy: Callable[[int], bytes]) -> str | None:
    """Create, read, commit, read and delete a record; return what the store did wrong, if anything.

    Raises:
        StoreError: it did not answer, or refused.
    """
    record = _sample_record(Ticket.mint(entropy(ENTROPY)), now)
    key, changed = Key(record.key), evolve(record, version=2, seen=now + 1)
    await store.create(record)
    try:
        if await store.read(key) != record:
            return "what was created did not come back as it was"
        if not isinstance(await store.commit(Change(changed, expected=1)), Committed):
            return "a change to the newest version was refused"
        if await store.read(key) != changed:
            return "what was committed did not come back as it was"
    finally:
        await store.delete(key)
    return None if await store.read(key) is None else "what was deleted came back"


def _sample_record(ticket: Ticket, now: Instant) -> Record:
    return Record(
        format=FORMAT,
        key=ticket.key,
        version=1,
        created=now,
        seen=now,
        idle_until=now + _LIFE,
        until=now + _LIFE,
        digest=ticket.digest,
        rotated=now,
        device="sessile doctor",
    )
