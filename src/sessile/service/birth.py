"""New records: what a session starts with. ``commit`` stores the anonymous, ``login`` the owned."""

from contextlib import suppress
from typing import Final

from sessile.core.change import Capability
from sessile.core.record import FORMAT, Record
from sessile.core.session import Session
from sessile.core.ticket import Ticket
from sessile.core.value import Encoded, Instant
from sessile.errors import StoreUnavailable
from sessile.service.parts import Parts

_EVERY: Final = 64
_BATCH: Final = 256


def born(parts: Parts, session: Session, ticket: Ticket, now: Instant, values: Encoded) -> Record:
    """Return the first record of a session, with those plain values.

    Its ticket counts as seen: it has no parent whose return could be a replay.
    """
    persistent = session.persistent
    record = Record(
        format=FORMAT,
        key=ticket.key,
        version=1,
        created=now,
        seen=now,
        idle_until=now + parts.policy.idle_for(persistent=persistent),
        until=now + parts.policy.absolute_for(persistent=persistent),
        digest=ticket.digest,
        rotated=now,
        confirmed=now,
        owner=session.user,
        assurance=session.assurance,
        authenticated_at=None if session.user is None else now,
        persistent=persistent,
        device=session.device,
    )
    return parts.vault.store(record, dict(values), frozenset())[0]


async def tidy(parts: Parts, now: Instant) -> None:
    """Remove some expired records now and then, where the store's server does not.

    Each 64th birth removes up to 256, so a table cannot outgrow its live sessions for long, with
    no job to schedule and any number of servers. A birth does not fail for its sake.
    """
    parts.created += 1
    if parts.created % _EVERY == 0 and Capability.NATIVE_EXPIRY not in parts.store.capabilities:
        with suppress(StoreUnavailable):
            await parts.store.sweep(now, _BATCH)
