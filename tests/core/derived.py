"""Values of derived classes: every value again, in classes that know better than their bases."""

import datetime as dt
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo


class Loud:
    """What a derived class may do: say something else of itself, and hold more."""

    def __str__(self):
        return "loud"

    __repr__ = __format__ = __str__


def named(base):
    """A class derived from that one."""
    return type(f"My{base.__name__}", (Loud, base), {})


BASES = (
    str, int, float, bytes, list, tuple, dict, set, frozenset,
    dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, UUID,
)  # fmt: skip
KINDS = {base: named(base) for base in BASES}
MyZone = type("MyZone", (ZoneInfo,), {})


def derived(value):  # noqa: PLR0911  (one return a type)
    """Return the value in derived classes, whatever is in it too."""
    base = type(value)
    if base not in KINDS:
        return value
    kind = KINDS[base]
    if base is dict:
        return kind((derived(key), derived(item)) for key, item in value.items())
    if base in (list, tuple, set, frozenset):
        return kind(map(derived, value))
    if base in (dt.datetime, dt.time):
        return _of_clock(kind, value)
    if base is dt.date:
        return kind(value.year, value.month, value.day)
    if base is dt.timedelta:
        return kind(value.days, value.seconds, value.microseconds)
    return kind(bytes=value.bytes) if base is UUID else kind(value)


def _of_clock(kind, value):
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo):
        zone = MyZone(zone.key)
    day = (value.year, value.month, value.day) if isinstance(value, dt.datetime) else ()
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return kind(*day, *clock, zone, fold=value.fold)
