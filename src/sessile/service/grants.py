"""Spend the grant that a step-up gave for a purpose: exactly once, whoever races for it."""

from sessile.core.change import Change, Committed, Conflict
from sessile.core.record import Record
from sessile.core.session import Session
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import LostRace, StepUpNeeded
from sessile.service.events import GrantUsed
from sessile.service.opening import ATTEMPTS
from sessile.service.parts import Parts
from sessile.service.unseal import opened


async def spend_grant(parts: Parts, session: Session, purpose: str) -> None:
    """Spend a grant, in the store, before anything is done for its sake.

    Raises:
        LostRace: rivals changed the session under every one of many attempts.
        StepUpNeeded: there is no such grant, it is too old, or somebody was faster.
        StoreUnavailable: nobody can tell.
    """
    record, now = session.record, parts.clock()
    for _ in range(ATTEMPTS):
        if record is None or not _holds(parts, record, session, purpose, now):
            raise StepUpNeeded(purpose=purpose)
        rest = {name: until for name, until in record.grants.items() if name != purpose}
        draft, written = parts.sealer.seal(
            record, {}, frozenset(), version=record.version + 1, grants=rest
        )
        answer = await parts.store.commit(Change(draft, record.version, written))
        if isinstance(answer, Committed):
            session.spent(purpose)
            parts.tell(GrantUsed(now, Key(record.key), record.owner, purpose))
            return
        record = answer.current if isinstance(answer, Conflict) else None
    raise LostRace(session.id, attempts=ATTEMPTS)


def _holds(parts: Parts, record: Record, session: Session, purpose: str, now: Instant) -> bool:
    """Tell whether that record, of the session in hand, has the grant."""
    if record.over or record.owner is None or record.owner != session.user:
        return False
    if not record.live_at(now) or parts.policy.locked(record, now):
        return False
    return now < record.grants.get(purpose, 0.0) and opened(parts, record, now) is not None
