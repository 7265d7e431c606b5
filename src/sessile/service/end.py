"""End sessions, whatever the reason, and tell so. A stolen one leaves its evidence."""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from sessile.core.client import Client
from sessile.core.policy import OnReplay
from sessile.core.record import (
    LONGEST_WALK,
    Record,
    RecordKind,
    evidence,
    evolve,
    replacement_of,
    tombstone,
)
from sessile.core.ticket import Key
from sessile.core.trail import extend_trail
from sessile.core.value import Instant, Seconds
from sessile.errors import KeyTaken
from sessile.service.context import Context
from sessile.service.events import End, Ended, Mismatched, Replayed
from sessile.service.evidence import list_evidence
from sessile.service.owned import gather_owned
from sessile.service.transaction import Transaction
from sessile.stores.contract import Change, Committed, Corrupt
from sessile.wire.pause import pause

_LEFT: Final = -1_000  # the version of what an end leaves: no request expects it, or the next few
_ATTEMPTS: Final = 16
_MOST_REMOVED: Final = 1_000  # planted rows, for one login
_PAUSE: Final[Seconds] = 0.005  # after a page: longer than the store takes to remove one


async def end_one(
    context: Context,
    key: Key,
    owner: str | None,
    reason: End,
    now: Instant,
    *,
    client: Client | None = None,
) -> Record | None:
    """End one session for that reason and return its last record; None when it had ended.

    Where its own client ended it, a tombstone tells late requests of that client from strangers.
    One that went on in another meanwhile, by a step-up, is ended there.

    Args:
        context: the collaborators.
        key: the session's.
        owner: whose it is.
        reason: the reason.
        now: when.
        client: whose request it was.
    """
    own = reason is End.LOGOUT
    for _ in range(LONGEST_WALK):
        last = await _remove(context, key, owner, tombstone(key, now) if own else None)
        if last is not None and last.kind is RecordKind.SESSION:
            context.emit(Ended(now, key, reason, last.owner, client=client))
            return last
        after = None if last is None else replacement_of(last)
        if after is None:
            break
        key = after
    return None


async def _remove(
    context: Context, key: Key, owner: str | None, leaving: Record | None
) -> Record | None:
    """Remove a session and return its last record.

    Where it had ended, the record of its end, evidence above all, stays there and is returned.
    """
    if leaving is not None:
        leaving = context.sealer.prove(evolve(leaving, version=_LEFT))
    last = context.intact(await context.store.delete(key, owner, leaving=leaving))
    context.sealer.forget((key,))
    if last is not None and last.kind is not RecordKind.SESSION:
        await _put_back(context, last, leaving)
    return last


async def _put_back(context: Context, last: Record, leaving: Record | None) -> None:
    """Put the record of an earlier end back into its place.

    Where another end has been there meanwhile its tombstone may stay, but not in the place of
    evidence.
    """
    found, is_evidence = leaving, last.kind is RecordKind.EVIDENCE
    for _ in range(_ATTEMPTS):
        if found is None:
            with suppress(KeyTaken):
                await context.store.create(last)
                return
            found = context.intact(await context.store.read(Key(last.key)))
        elif found is not leaving and not (is_evidence and found.kind is RecordKind.TOMBSTONE):
            return
        else:
            again = context.sealer.prove(evolve(last, version=found.version + 1))
            result = await context.store.commit(Change(again, found.version))
            if isinstance(result, Committed):
                return
            found = context.newest(result)


async def end_owned(
    context: Context,
    owner: str,
    reason: End,
    now: Instant,
    *,
    keep: Collection[str] = (),
    before: Key | None = None,
    client: Client | None = None,
) -> int:
    """End an owner's sessions but those to keep; return how many ended.

    They end page by page, and between two pages others have their turn. One that goes on in another
    meanwhile, by a step-up, is on a later page.

    Args:
        context: the collaborators.
        owner: whose.
        reason: the reason.
        now: when.
        keep: those that stay.
        before: those alone that logged in earlier than this one.
        client: whose request it was.
    """
    ended = 0
    while True:
        page = await context.store.delete_owned(owner, keep=keep, before=before)
        context.sealer.forget(page.keys)
        for key in page.keys:
            context.emit(Ended(now, key, reason, owner, client=client))
        ended += len(page.keys)
        if not page.more:
            return ended
        await pause(_PAUSE)


async def remove_planted(context: Context, owner: str, now: Instant) -> bool:
    """Remove what is in an owner's index and is no session of theirs; tell whether anything was.

    A store counts what it finds there, and cannot tell who put it there, nor that the policy has
    become stricter. Of very many planted rows
    each call removes some, so that a later login finds room.
    """
    policy = context.policy

    def key_of_planted(found: Record | Corrupt) -> Key | None:
        record = context.intact(found)
        if record is not None and record.index_owner == owner and policy.lives(record, now):
            return None
        return Key(found.key)

    keys = await gather_owned(context, owner, key_of_planted, _MOST_REMOVED)
    for key in keys:
        await context.store.delete(key, owner)
    context.sealer.forget(keys)
    return bool(keys)


async def end_stolen(transaction: Transaction, record: Record, reason: End) -> None:
    """End the session for everyone who holds it; where a step-up was faster, where it goes on.

    Where the policy ends the owner's others too, those go first: if the store fails half way, the
    next request with that ticket finds the stolen one still there, and ends them all.
    """
    context, now, client = transaction.context, transaction.now, transaction.client
    stolen: Record | None = record
    for _ in range(LONGEST_WALK):
        if stolen is None or stolen.kind is not RecordKind.SESSION:
            return
        key = Key(stolen.key)
        trail = extend_trail(stolen.trail, now, client, f"ended: {reason.value}")
        kept = evidence(stolen, now, context.policy.evidence, trail)
        if _ends_others(transaction, stolen.owner):
            await _end_others(transaction, stolen)
        last = await _remove(context, key, stolen.owner, kept)
        if last is not None and last.kind is RecordKind.SESSION:
            _emit_theft(transaction, last, kept, reason)
            if last.owner is not None and _ends_others(transaction, last.owner):
                await end_owned(context, last.owner, End.THEFT, now, client=client)
            await list_evidence(context, kept, now)
            return
        after = None if last is None else replacement_of(last)
        found = None if after is None else await context.store.read(after)
        stolen = context.intact(found)
        if stolen is not None and not context.policy.lives(stolen, now):
            return


def _emit_theft(transaction: Transaction, last: Record, kept: Record, reason: End) -> None:
    context, now, client = transaction.context, transaction.now, transaction.client
    key, owner, expected = Key(last.key), last.owner, last.client
    if reason is End.REPLAY:
        context.emit(Replayed(now, key, owner, expected, kept.until, client=client))
    else:
        reaction = context.policy.binding.on_mismatch
        context.emit(Mismatched(now, key, owner, expected, reaction, client=client))
    context.emit(Ended(now, key, reason, owner, client=client))


def _ends_others(transaction: Transaction, owner: str | None) -> bool:
    return transaction.context.policy.on_replay is OnReplay.END_ALL and owner is not None


async def _end_others(transaction: Transaction, stolen: Record) -> None:
    """End the owner's other sessions, unless the stolen one went on in one of them meanwhile."""
    context, owner, key = transaction.context, stolen.owner or "", Key(stolen.key)
    keys = await gather_owned(context, owner, lambda found: Key(found.key))
    found = context.intact(await context.store.read(key))
    if found is None or found.kind is not RecordKind.SESSION:
        return
    for other in keys:
        if other != key:
            await end_one(
                context, other, owner, End.THEFT, transaction.now, client=transaction.client
            )
