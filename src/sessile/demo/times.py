"""Format times for people and machines. Pure; ``page`` and ``deadlines`` use it."""

from datetime import UTC, datetime
from typing import Final

from sessile.core.value import Instant, Seconds

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def span(seconds: Seconds) -> str:
    """Return a length of time in its two largest units, as in ``"1 h 5 min"``."""
    left, counts = max(int(seconds), 0), []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        counts.append((count, unit))
    while len(counts) > 1 and not counts[0][0]:
        del counts[0]
    return " ".join(f"{count} {unit}" for count, unit in counts[:2] if count) or "0 s"


def ago(then: Instant, now: Instant) -> str:
    """Return how long ago that was."""
    return "just now" if now - then < 2 else f"{span(now - then)} ago"


def stamp(instant: Instant) -> str:
    """Return the moment itself, as ISO 8601 writes it."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
