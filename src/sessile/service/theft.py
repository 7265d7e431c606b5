"""End a session that was stolen, and keep the evidence: whose it was, and its trail."""

from sessile.core.change import Capability
from sessile.core.policy import Theft
from sessile.core.record import Record, evidence, heir_of
from sessile.core.ticket import Key
from sessile.core.trail import extend_trail
from sessile.service.ending import end_owned, remove
from sessile.service.events import End, Ended, Mismatched, Replayed
from sessile.service.parts import Parts
from sessile.service.visit import Visit


async def end_stolen(parts: Parts, visit: Visit, record: Record, reason: End) -> Visit:
    """End the session for everyone who holds it; return the anonymous visit of who came now."""
    now, key, client = visit.now, Key(record.key), visit.client
    trail = extend_trail(record.trail, now, client, f"ended: {reason.value}")
    kept = evidence(record, now, parts.policy.evidence, trail)
    kept, _ = parts.sealer.seal(kept, {}, frozenset())
    last = await remove(parts, key, record.owner, kept)
    heir = None if last is None else heir_of(last)
    after = None if heir is None else await parts.store.read(heir, now)
    if after is not None and not after.over:  # a rival's step-up was faster; it went on there
        return await end_stolen(parts, visit, after, reason)
    if last is not None and not last.over:
        if reason is End.REPLAY:
            parts.tell(Replayed(now, key, last.owner, last.client, kept.until, client=client))
        else:
            reaction = parts.policy.binding.mismatch
            parts.tell(Mismatched(now, key, last.owner, last.client, reaction, client=client))
        parts.tell(Ended(now, key, reason, last.owner, client=client))
        await _end_others(parts, visit, last.owner)
    return visit.anonymous()


async def _end_others(parts: Parts, visit: Visit, owner: str | None) -> None:
    """End the owner's other sessions, where the policy says so."""
    if parts.policy.theft is not Theft.END_ALL or owner is None:
        return
    if Capability.OWNERS in parts.store.capabilities:
        await end_owned(parts, owner, End.THEFT, visit.now, client=visit.client)
