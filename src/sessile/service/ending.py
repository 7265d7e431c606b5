"""End sessions, whatever the reason, and tell so. ``theft`` ends a stolen one."""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from sessile.core.change import Change
from sessile.core.client import Client
from sessile.core.record import Record, evolve, heir_of, remains
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Instant
from sessile.errors import KeyTaken
from sessile.service.events import End, Ended
from sessile.service.parts import Parts

_LISTINGS: Final = 16


async def end_one(
    parts: Parts,
    key: Key,
    owner: str | None,
    reason: End,
    now: Instant,
    *,
    client: Client | None = None,
    heir: Key | None = None,
    ticket: Ticket | None = None,
) -> Record | None:
    """End one session for that reason and return its last record; None when it had ended.

    Where its own client ended it, what is left tells late requests of that client from strangers.
    One that went on in another meanwhile, by a step-up, is ended there.

    Args:
        parts: the collaborators.
        key: which.
        owner: whose.
        reason: why.
        now: when.
        client: whose request it was.
        heir: in which session it goes on.
        ticket: what was presented for it, so that a late logout with it is known.
    """
    own = reason in {End.LOGIN, End.LOGOUT}
    last, after = None, key if heir is None else None
    if heir is not None:
        digest = bytes(32) if ticket is None else ticket.digest
        last = await remove(parts, key, owner, remains(key, now, heir, digest))
    while after is not None:
        key = after
        last = await remove(parts, key, owner, remains(key, now) if own else None)
        after = None if last is None else heir_of(last)
    if last is None or last.over:
        return None
    parts.tell(Ended(now, key, reason, last.owner, client=client))
    return last


async def remove(parts: Parts, key: Key, owner: str | None, left: Record | None) -> Record | None:
    """Remove a session and return its last record.

    Where it had ended, what its end left under the key, evidence above all, stays there and is
    returned.
    """
    last = await parts.store.delete(key, owner, leaving=left)
    if last is not None and last.over:
        await _put_back(parts, last, left)
    return last


async def _put_back(parts: Parts, last: Record, left: Record | None) -> None:
    if left is None:
        with suppress(KeyTaken):
            await parts.store.create(last)
    else:
        await parts.store.commit(Change(evolve(last, version=left.version + 1), left.version))


async def end_owned(
    parts: Parts,
    owner: str,
    reason: End,
    now: Instant,
    *,
    keep: Collection[str] = (),
    client: Client | None = None,
) -> int:
    """End an owner's sessions but those to keep; return how many ended.

    Where one was not what was listed any more, because a rival had replaced it, they are listed
    once more.
    """
    ended = 0
    for _ in range(_LISTINGS):
        found = await parts.store.owned_by(owner, now)
        keys = [record.key for record in found if record.key not in keep]
        lasts = [await end_one(parts, Key(key), owner, reason, now, client=client) for key in keys]
        ended += len(lasts) - lasts.count(None)
        if keys == [last and last.key for last in lasts]:
            break
    return ended
