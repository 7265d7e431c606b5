"""Log in: a new session under its owner, the old one ended, and nobody's change lost between."""

from sessile.core.change import Change, Full
from sessile.core.merge import Delta, merge
from sessile.core.record import Record, remains
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Encoded, Instant
from sessile.errors import LimitReached
from sessile.service import events
from sessile.service.birth import born, tidy
from sessile.service.events import End, Ended, LoggedIn
from sessile.service.opening import opened
from sessile.service.parts import Parts
from sessile.service.visit import Visit


async def log_in(parts: Parts, visit: Visit, now: Instant) -> Ticket:
    """Carry out ``session.login`` and return the new ticket.

    The heir exists before the old session goes; both limits and the index are the store's one act.

    Raises:
        LimitReached: the owner has enough sessions and the policy refuses more.
    """
    session = visit.session
    ticket, delta = session.fresh(), session.delta()
    record = born(parts, session, ticket, now, applied(parts, visit.values, visit.values, delta))
    await _claim(parts, visit, record, now)
    parts.tell(LoggedIn(now, ticket.key, record.owner or ""))
    if visit.record is not None:
        record = await _end_predecessor(parts, visit, record, delta, now)
    await tidy(parts, now)
    visit.record = record
    return ticket


def applied(parts: Parts, base: Encoded, theirs: Encoded, delta: Delta) -> dict[str, bytes]:
    """Return their values with our delta, made from ``base``, merged in."""
    merged = merge(base, theirs, delta, parts.codec)
    kept = {key: blob for key, blob in theirs.items() if key not in merged.removed}
    return kept | merged.set


async def _claim(parts: Parts, visit: Visit, record: Record, now: Instant) -> None:
    """Store the record within the owner's limit, and end what is over it."""
    policy, owner = parts.policy, record.owner or ""
    replacing = None if visit.record is None else Key(visit.record.key)
    claimed = await parts.store.claim(
        record, now, limit=policy.limit, excess=policy.excess, replacing=replacing
    )
    if isinstance(claimed, Full):
        parts.tell(events.LimitReached(now, None, owner))
        raise LimitReached(policy.limit or 0)
    for key in claimed.excess:
        await end_one(parts, key, owner, End.LIMIT, now)


async def _end_predecessor(
    parts: Parts, visit: Visit, record: Record, delta: Delta, now: Instant
) -> Record:
    """End the session that the visit came with; what rivals wrote into it meanwhile moves over."""
    old = visit.record
    assert old is not None
    last = await end_one(parts, Key(old.key), old.owner, End.LOGIN, now)
    if last is None or last.version == old.version or not visit.session.inherits:
        return record
    theirs = opened(parts, last, now)
    if theirs is None:
        return record
    return await _moved_over(parts, record, applied(parts, visit.values, theirs, delta))


async def _moved_over(parts: Parts, record: Record, values: dict[str, bytes]) -> Record:
    """Replace the heir's values. Nobody holds its ticket yet, so only its end could interfere."""
    gone = frozenset(record.data) - values.keys()
    draft, written = parts.vault.store(record, values, gone, version=record.version + 1)
    await parts.store.commit(Change(draft, record.version, written, gone))
    return draft


async def end_one(
    parts: Parts, key: Key, owner: str | None, reason: End, now: Instant
) -> Record | None:
    """End one session for that reason and return its last record; None when it had ended.

    Where its own client ended it, what is left tells late requests of that client from strangers.
    """
    left = remains(key, now) if reason in {End.LOGIN, End.LOGOUT} else None
    last = await parts.store.delete(key, owner, leaving=left)
    if last is None or last.over:
        return None
    parts.tell(Ended(now, key, reason, last.owner))
    return last
