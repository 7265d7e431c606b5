"""New records: ``commit`` stores those of anonymous visitors, ``regenerate`` those of users."""

from contextlib import suppress
from typing import Final

from sessile.core.client import NOBODY, Client
from sessile.core.identity import Identity
from sessile.core.policy import Policy
from sessile.core.record import FORMAT, LATE_TTL, Record
from sessile.core.state import SessionState
from sessile.core.ticket import Ticket
from sessile.core.trail import Trail, pack_trail
from sessile.core.value import Encoded, Instant
from sessile.errors import StoreUnavailable
from sessile.service.context import Context
from sessile.stores.contract import Capability

_EVERY: Final = 64
_BATCH: Final = 256


def new_record(
    context: Context,
    state: SessionState,
    ticket: Ticket,
    now: Instant,
    values: Encoded,
    *,
    client: Client = NOBODY,
    trail: Trail = (),
    other_address: str = "",
    continues: Record | None = None,
) -> Record:
    """Return the first record of a session, with those plain values.

    An anonymous visitor's ticket counts as seen: it has no parent whose return could be a replay.
    Of a user's it is noted when it is shown, so that a session that nobody holds is known as such:
    the answer of its login was lost.

    Args:
        context: the collaborators.
        state: who it belongs to.
        ticket: its ticket.
        now: when it is stored.
        values: its values.
        client: whose it is; of an anonymous visitor nothing is kept.
        trail: what was done so far.
        other_address: where that client was before, in the other address family.
        continues: the session that goes on in it, with its overall clock; None for a new one.
    """
    who, policy = state.identity, context.policy
    owned = who.owner is not None
    anonymous = not (owned or who.pending)
    record = Record(
        format=FORMAT,
        key=ticket.key,
        version=1,
        created=now if continues is None else continues.created,
        seen=now,
        idle_until=policy.idle_until(
            now, owned=owned, persistent=who.persistent, anonymous=anonymous
        ),
        until=_until(policy, who, now) if continues is None else continues.until,
        digest=ticket.digest,
        rotated=now,
        confirmed=now if anonymous else None,
        owner=who.owner,
        assurance=who.assurance,
        authenticated_at=who.authenticated_at,
        persistent=who.persistent,
        device=who.device if owned else "",
        client=client,
        other_address=other_address,
        factors=who.factors,
        pending=who.pending,
        grants=dict(who.grants),
        past=pack_trail(trail) if trail else b"",
    )
    return context.sealer.seal(record, dict(values), frozenset())[0]


def _until(policy: Policy, who: Identity, now: Instant) -> Instant:
    """Return when a new session ends at the latest: as the policy says, or its login if sooner."""
    if who.owner is None and who.pending is None and policy.anonymous_idle is not None:
        return now + policy.anonymous_absolute
    until = now + policy.absolute_for(persistent=who.persistent)
    return until if who.until is None else min(until, who.until)


async def sweep_sometimes(context: Context, now: Instant) -> None:
    """Remove some expired records now and then, where the store's server does not.

    Each 64th new session removes up to 256, so a table cannot outgrow its live sessions for long,
    with no job to schedule and any number of servers. No session fails for its sake. Those that are
    over for a short while stay, for requests that began before.
    """
    context.created += 1
    swept_by_server = Capability.NATIVE_EXPIRY in context.store.capabilities
    if context.created % _EVERY == 0 and not swept_by_server:
        with suppress(StoreUnavailable):
            await context.store.sweep(now - LATE_TTL, _BATCH)
