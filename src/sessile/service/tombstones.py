"""Follow tombstones: from a session that was replaced to the one in which it goes on."""

from sessile.core.record import LONGEST_WALK, Record, replacement_of
from sessile.service.context import Context


async def follow_tombstones(context: Context, record: Record | None) -> Record | None:
    """Return the record to which tombstones lead from this one: itself where it is none.

    None where a step is missing, is not genuine, or is one too many.
    """
    for _ in range(LONGEST_WALK):
        after = None if record is None else replacement_of(record)
        if after is None:
            return record
        record = context.intact(await context.store.read(after))
    return None
