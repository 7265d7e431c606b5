"""List the evidence of thefts by owner, so that there is no more of it than the newest of each.

Whoever can make thefts, as a user who replays used tickets of her own in a loop, fills no store.
``service.end`` ends the stolen session first, and leaves the evidence in its place.
"""

from contextlib import suppress
from typing import Final

import msgspec

from sessile.core.record import Record, RecordKind
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import StoreUnavailable
from sessile.service.context import Context
from sessile.service.subject_row import SubjectRow, read_row, write_row

MOST_EVIDENCE: Final = 20
"""Thefts of one user whose evidence is kept: beyond, the oldest goes for the newest."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[tuple[Key, Instant]]).decode


async def list_evidence(context: Context, kept: Record, now: Instant) -> None:
    """Enter evidence that was left into its owner's list; what is too old for the list goes.

    It goes before the list forgets it, so that none is left beside the list for want of an answer.
    A store that fails costs a line of the list: that one is kept for its time, and not counted.
    Who has lost so many races is older than a whole list of others, and goes itself.
    """
    if kept.owner is None:
        return
    with suppress(StoreUnavailable):
        for _ in range(MOST_EVIDENCE):
            row = await read_row(context, RecordKind.EVIDENCE_LIST, kept.owner, now)
            listed = [*_lines(row, now), (Key(kept.key), kept.until)]
            for key, _until in listed[:-MOST_EVIDENCE]:
                await context.store.delete(key)
            newest = listed[-MOST_EVIDENCE:]
            until = max(until for _, until in newest)
            if await write_row(context, row, _encode(newest), now, until):
                return
        await context.store.delete(Key(kept.key))


def _lines(row: SubjectRow, now: Instant) -> list[tuple[Key, Instant]]:
    """Return the evidence that a list names, oldest first, and until when each is kept."""
    try:
        lines = _decode(row.value) if row.value else []
    except msgspec.DecodeError:
        return []
    return [(key, until) for key, until in lines if now < until]
