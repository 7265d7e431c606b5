"""Tell whether a session still lives for those who have it open. It is no sign of life.

An application asks by ``session.alive()``; ``service.watch`` asks by itself.
"""

from sessile.core.life import OpenSession, open_life
from sessile.core.record import SESSION, Record
from sessile.core.state import SessionState
from sessile.service.context import Context
from sessile.service.tombstones import follow_tombstones


async def find_alive(context: Context, session: OpenSession) -> Record | None:
    """Return the record of a session that lives, and opens, for its owner; None for any other.

    It may have gone on under another key, as by a step-up. A login begins another one.

    Raises:
        StoreUnavailable: the store did not answer, so nobody can tell.
    """
    found = context.intact(await context.store.read(session.key))
    record, now = await follow_tombstones(context, found), context.clock()
    if record is None or record.kind is not SESSION or record.owner != session.owner:
        return None
    if not context.policy.lives(record, now) or context.policy.is_locked(record, now):
        return None
    return record


async def is_alive(context: Context, state: SessionState) -> bool:
    """Tell whether the session of a request is still there for its client; nobody's never is.

    Raises:
        StoreUnavailable: the store did not answer, so nobody can tell.
    """
    life = open_life(context.policy, state)
    return life is not None and await find_alive(context, life.session) is not None
