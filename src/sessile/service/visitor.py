"""Begin as a visitor: whoever came brought no ticket of a session that lives. ``open`` asks it."""

from functools import partial

import msgspec

from sessile.core.carrier import Carrier
from sessile.core.record import Record, RecordKind, login_of, replacement_of
from sessile.core.ticket import Key, Ticket
from sessile.service.clients import peek_client
from sessile.service.events import Expired, RefusalReason, Refused
from sessile.service.housekeeping import try_housekeeping
from sessile.service.transaction import Opened, Standing, Transaction
from sessile.stores.contract import Change, Corrupt


async def close_expired(
    transaction: Transaction, ticket: Ticket, found: Record | Corrupt | None
) -> Record | None:
    """Make it final that an idle session is over, before its client is told so.

    A request that is under way since before would save into it, and so bring it back. Return the
    record as such a one left it, if it was faster; None where the session is over.
    """
    context, now = transaction.context, transaction.now
    record = context.intact(found) if isinstance(found, Record) and now < found.until else None
    if record is None or record.kind is not RecordKind.SESSION:
        return None
    if record.live_at(now):
        return None  # by a policy that is stricter here: nobody else has to go by it yet
    if not (ticket.proves(record.digest) or (record.parent and ticket.proves(record.parent))):
        return None
    version = record.version + 1
    draft, written = context.sealer.seal(
        record, {}, frozenset(), version=version, until=record.idle_until
    )
    change = Change(draft, record.version, written)
    result = await try_housekeeping(transaction, partial(context.store.commit, change))
    newest = None if result is None else context.newest(result)
    return newest if newest is not None and context.policy.lives(newest, now) else None


def absent(
    transaction: Transaction, carrier: Carrier, ticket: Ticket, found: Record | Corrupt | None
) -> Transaction:
    """Begin as a visitor whose ticket has no record, or one whose time is over."""
    context = transaction.context
    record = context.intact(found)
    context.sealer.forget((ticket.key,))  # it may have ended elsewhere
    if record is None or record.kind is not RecordKind.SESSION or not ticket.proves(record.digest):
        return refuse(transaction, carrier, ticket.key, RefusalReason.UNKNOWN)
    if context.policy.is_ahead(record, transaction.now):
        context.log.tell_ahead(ticket.key)
    if context.has_hooks:
        client = peek_client(context, transaction.request)
        context.emit(Expired(transaction.now, ticket.key, record.owner, client=client))
    return transaction.begin(Opened(Standing.ANONYMOUS, carrier))


def begin_after_end(
    transaction: Transaction, carrier: Carrier, ticket: Ticket, record: Record
) -> Transaction:
    """Begin as a visitor whose session has ended; after its tombstone the request is stale."""
    transaction.context.sealer.forget((ticket.key,))
    if transaction.context.intact(record) is None or record.kind is not RecordKind.TOMBSTONE:
        return refuse(transaction, carrier, ticket.key, RefusalReason.UNKNOWN)
    _emit_refusal(transaction, ticket.key, RefusalReason.OVER)
    opened = Opened(Standing.STALE, carrier, ticket=ticket)
    if ticket.proves(record.digest):
        opened = msgspec.structs.replace(
            opened, replaced_by=replacement_of(record), login=login_of(record)
        )
    return transaction.begin(opened)


def refuse(
    transaction: Transaction, carrier: Carrier, key: Key | None, reason: RefusalReason
) -> Transaction:
    """Begin as a visitor who brought a ticket, and tell why it opens nothing."""
    _emit_refusal(transaction, key, reason)
    is_ambiguous = reason is RefusalReason.AMBIGUOUS
    return transaction.begin(Opened(Standing.ANONYMOUS, carrier, is_ambiguous=is_ambiguous))


def _emit_refusal(transaction: Transaction, key: Key | None, reason: RefusalReason) -> None:
    context = transaction.context
    if context.has_hooks:
        client = peek_client(context, transaction.request)
        context.emit(Refused(transaction.now, key, reason, client=client))
