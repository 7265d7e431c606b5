"""End one session, whatever the reason, and tell so. ``theft`` ends a stolen one."""

from sessile.core.client import Client
from sessile.core.record import Record, remains
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.service.events import End, Ended
from sessile.service.parts import Parts


async def end_one(
    parts: Parts,
    key: Key,
    owner: str | None,
    reason: End,
    now: Instant,
    *,
    client: Client | None = None,
) -> Record | None:
    """End one session for that reason and return its last record; None when it had ended.

    Where its own client ended it, what is left tells late requests of that client from strangers.
    """
    left = remains(key, now) if reason in {End.LOGIN, End.LOGOUT} else None
    last = await parts.store.delete(key, owner, leaving=left)
    if last is None or last.over:
        return None
    parts.tell(Ended(now, key, reason, last.owner, client=client))
    return last
