"""Values of derived classes as what they are derived from. ``codecs.msgpack`` keeps those.

Libraries hand out kinds of dict, str and tuple: Authlib a ``UserInfo``, MarkupSafe a ``Markup``,
Django a ``SafeString``, and applications members of a ``StrEnum``. What class it was, and what its
objects hold beside the value, is not kept.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sessile.errors import UnsupportedValue


def plain(value: object) -> Any:
    """Return the value as one of the type that its class is derived from.

    A container's items stay what they are. Where a class says itself what is in it, as an
    ``OrderedDict`` does with its order, that is asked.

    Raises:
        UnsupportedValue: it is derived from no type that can be kept.
    """
    for kind in type(value).__mro__:  # not isinstance, to which a proxy lies
        if kind in _BASES:
            return _BASES[kind](kind, value)
    raise UnsupportedValue(
        f"{type(value).__name__} cannot be kept; store None, bool, int, float, str, bytes, list, "
        "tuple, dict, set, frozenset, datetime, date, time, timedelta, Decimal or UUID"
    )


def _clock(value: Any) -> tuple[Any, ...]:
    return value.hour, value.minute, value.second, value.microsecond, value.tzinfo


def _date(kind: Any, value: Any) -> Any:
    return kind(value.year, value.month, value.day)


def _datetime(kind: Any, value: Any) -> Any:
    return kind(value.year, value.month, value.day, *_clock(value), fold=value.fold)


def _time(kind: Any, value: Any) -> Any:
    return kind(*_clock(value), fold=value.fold)


def _timedelta(kind: Any, value: Any) -> Any:
    """Make one of the stored numbers: a derived class may count its days otherwise."""
    parts = (kind.days, kind.seconds, kind.microseconds)
    return kind(*(part.__get__(value) for part in parts))


def _make(kind: Any, value: Any) -> Any:
    return kind(value)


# Each is given the type, and names none: who freezes the time of a test replaces a module's names.
_BASES: Final[dict[type, Callable[[Any, Any], Any]]] = {
    str: lambda kind, value: kind.__str__(value),  # str(value) asks the derived class what to say
    int: lambda kind, value: kind.__int__(value),
    float: lambda kind, value: kind.__float__(value),
    bytes: lambda kind, value: kind.__bytes__(value),
    list: _make,
    tuple: _make,
    dict: _make,
    set: _make,
    frozenset: _make,
    dt.datetime: _datetime,
    dt.date: _date,
    dt.time: _time,
    dt.timedelta: _timedelta,
    Decimal: _make,
    UUID: lambda kind, value: kind(bytes=value.bytes),
}
