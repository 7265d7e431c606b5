"""Lock a session whose used ticket came back, where the policy says so, for ``service.open``.

Nothing is lost by it: its owner gives one factor, and goes on under a new id.
"""

from typing import Final

from sessile.core.identity import Lock
from sessile.core.record import Record, RecordKind
from sessile.core.ticket import Key
from sessile.core.trail import extend_trail, pack_trail
from sessile.errors import LostRace
from sessile.service.events import Replayed
from sessile.service.transaction import Transaction
from sessile.stores.contract import Change, Committed

_ATTEMPTS: Final = 128


async def lock_stolen(transaction: Transaction, record: Record) -> Record | None:
    """Return the session, locked for everybody who holds it; None where it has ended meanwhile.

    Where a step-up was faster it goes on under an id that the thief does not have.

    Raises:
        LostRace: rivals changed the session under every one of many attempts.
        StoreUnavailable: it could not be locked, so nobody is served.
    """
    context, now, client = transaction.context, transaction.now, transaction.client_beside(record)
    found: Record | None = record
    for _ in range(_ATTEMPTS):
        if (
            found is None
            or found.kind is not RecordKind.SESSION
            or not context.policy.lives(found, now)
        ):
            return None
        if found.replayed is not None:
            return found  # a rival saw it too
        trail = extend_trail(found.trail, now, client, f"locked: {Lock.REPLAY.value}")
        draft, written = context.sealer.seal(
            found, {}, frozenset(), version=found.version + 1, past=pack_trail(trail), replayed=now
        )
        result = await context.store.commit(Change(draft, found.version, written))
        if isinstance(result, Committed):
            key = Key(found.key)
            context.emit(Replayed(now, key, found.owner, found.client, found.until, client=client))
            return draft
        found = context.newest(result)
    raise LostRace(Key(record.key), attempts=_ATTEMPTS)
