"""Open a record's values, which may be sealed; what does not open is told and counts as absent."""

from sessile.codecs.sealing import Forged
from sessile.core.record import Record
from sessile.core.ticket import Key
from sessile.core.value import Encoded, Instant
from sessile.service.events import Malformed
from sessile.service.parts import Parts


def opened(parts: Parts, record: Record, now: Instant) -> Encoded | None:
    """Return a record's plain values; None, and an event, when it was tampered with."""
    try:
        return parts.sealer.unseal(record)
    except Forged:
        parts.tell(Malformed(now, Key(record.key)))
        return None
