"""Follow tombstones: from a session that was replaced to the one in which it goes on."""

from sessile.core.record import LONGEST_WALK, Record, login_of, replacement_of, retry_of
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Instant
from sessile.service.context import Context


async def follow_tombstones(
    context: Context, record: Record | None, *, logins: bool = False
) -> Record | None:
    """Return the record to which tombstones lead from this one: itself where it is none.

    None where a step is missing, is not genuine, or is one too many.

    Args:
        context: the collaborators.
        record: where to begin.
        logins: whether to go on where a login took a session's place, in which it does not go on.
    """
    for _ in range(LONGEST_WALK):
        after = None if record is None else replacement_of(record)
        if after is None and logins and record is not None:
            after = login_of(record)
        if after is None:
            return record
        record = context.intact(await context.store.read(after))
    return None


async def follow_retries(
    context: Context, ticket: Ticket, record: Record, now: Instant
) -> tuple[Ticket, Record | None]:
    """Return the ticket and the record of the newest login that was made in the place of this one.

    As far as it goes: each step is genuine, and its ticket follows from the one before. No record
    where the newest one has ended since.

    Args:
        context: the collaborators.
        ticket: the presented one.
        record: a tombstone, as it was read.
        now: the time of the request.
    """
    for _ in range(LONGEST_WALK):
        after = retry_of(record)
        if after is None or context.intact(record) is None or not ticket.proves(record.digest):
            break
        found = context.intact(await context.store.read(after))
        if found is None or not context.policy.lives(found, now):
            return ticket, None
        ticket, record = _retry(context, ticket, found), found
    return ticket, record


def _retry(context: Context, lost: Ticket, found: Record) -> Ticket:
    """Return the ticket of a login in the place of a lost one, under the secret it was made with.

    Where it was rotated since, that is any: ``core.verdict`` walks from there.
    """
    tickets = [lost.retry(Key(found.key), secret) for secret in context.ring]
    return next((one for one in tickets if one.proves(found.digest)), tickets[0])
