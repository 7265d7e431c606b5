"""Instants for people (``5 minutes ago``) and for programs (``2026-01-31T12:00:00Z``)."""

from datetime import UTC, datetime
from typing import Final

from sessile.cli.printable import pluralize
from sessile.core.value import Instant

_LAST: Final = 253_402_300_799.0  # 9999-12-31T23:59:59Z
_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def timestamp(instant: Instant) -> str:
    """Return an instant as RFC 3339 has it, in UTC, to the second."""
    within = min(max(0.0, instant), _LAST)  # a record that was tampered with may say anything
    return datetime.fromtimestamp(within, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative_time(instant: Instant, now: Instant) -> str:
    """Return the distance of an instant from now, in its largest unit, as in ``5 minutes ago``."""
    distance = min(abs(instant - now), _LAST)
    for unit, size in _UNITS:
        if distance >= size:
            length = pluralize(int(distance // size), unit)
            return f"{length} ago" if instant < now else f"in {length}"
    return "now"
