"""Follow tombstones: from a session that was replaced to the one in which it goes on."""

from sessile.core.record import LONGEST_WALK, Record, login_of, replacement_of
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
