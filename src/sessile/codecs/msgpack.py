"""Values as MessagePack with their exact types. ``core.mapping`` encodes and decodes one at a time.

What MessagePack lacks travels in extensions, one code a type. Equal values of one type give equal
bytes (sets are ordered by their bytes), so that an unchanged value is known by its encoding.
A value of a class derived from one of these types has the bytes of that type: ``codecs.plain``.
Nothing here ever makes an object of a class that the bytes name.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from sessile.codecs.plain import plain
from sessile.core.value import Value
from sessile.errors import UnsupportedValue

MAX_DEPTH: Final = 64
"""How many containers may stand in each other."""

MAX_SIZE: Final = 2**20
"""Bytes of one value: each request reads all values of its session, and each commit writes them."""

_INT64: Final = range(-(2**63), 2**64)

_pack: Final = msgspec.msgpack.Encoder().encode


class ValueCodec:
    """MessagePack with exact round trips for everything in ``core.value.Value``."""

    __slots__ = ()

    def encode(self, value: Value) -> bytes:
        """Return the value's bytes.

        Raises:
            UnsupportedValue: its type, size or depth would not come back as it is.
        """
        try:
            blob = _pack(_packable(value, 0))
        except (UnicodeEncodeError, OverflowError) as error:
            raise UnsupportedValue(f"{type(value).__name__}: {_why(error)}") from None
        if len(blob) > MAX_SIZE:
            raise UnsupportedValue(
                f"{type(value).__name__} of {len(blob):,} bytes: a session keeps {MAX_SIZE:,} "
                "under one key at most; keep the large thing elsewhere, and its name here"
            )
        return blob

    def decode(self, blob: bytes) -> Value:
        """Return the value.

        Raises:
            ValueError: these are not bytes that ``encode`` made.
        """
        try:
            value: Value = _unpack(blob)
        except (ArithmeticError, LookupError, OSError, RecursionError, TypeError) as error:
            raise ValueError(f"not an encoded value: {error}") from None
        return value


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "the text has a lone surrogate, which is no character; replace it"
    return "too large"


def _packable(value: Any, depth: int) -> Any:
    """Return the value in types of MessagePack, with extensions in place of all others."""
    kind = type(value)
    if kind in _NATIVE:
        return value
    handler = _HANDLERS.get(kind)
    if handler is None:
        return _packable(plain(value), depth)
    if depth > MAX_DEPTH:
        raise UnsupportedValue(f"nested deeper than {MAX_DEPTH} containers; store it flatter")
    return handler(value, depth + 1)


def _int(value: int, _: int) -> Any:
    if value in _INT64:
        return value
    size = (value.bit_length() + 8) // 8
    return msgspec.msgpack.Ext(_BIG, value.to_bytes(size, "big", signed=True))


def _list(value: list[Any], depth: int) -> Any:
    if all(type(item) in _NATIVE for item in value):
        return value
    return [_packable(item, depth) for item in value]


def _dict(value: dict[Any, Any], depth: int) -> Any:
    for key, item in value.items():
        if type(key) is not str or type(item) not in _NATIVE:
            break
    else:
        return value
    if all(type(key) in _NATIVE or (type(key) is int and key in _INT64) for key in value):
        return {key: _packable(item, depth) for key, item in value.items()}
    if not _KEYS.issuperset(map(type, value)):
        return _dict(_plain_keys(value), depth)
    return _pairs(value, depth)


def _plain_keys(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return a dict whose keys are of types that a key may have."""
    made = {plain(key) if type(key) not in _KEYS else key: item for key, item in value.items()}
    for key in made:
        if type(key) not in _KEYS:
            raise UnsupportedValue(
                f"{type(key).__name__} as a key in a dict cannot be kept; use str or int"
            )
    if len(made) < len(value):
        raise UnsupportedValue("two keys in a dict would come back as one")
    return made


def _pairs(value: dict[Any, Any], depth: int) -> Any:
    """Spell a dict whose keys are no plain MessagePack as a list of key, value, key, value."""
    flat = []
    for key, item in value.items():
        flat += [_packable(key, depth), _packable(item, depth)]
    return msgspec.msgpack.Ext(_PAIRS, _pack(flat))


def _tuple(value: tuple[Any, ...], depth: int) -> Any:
    return msgspec.msgpack.Ext(_TUPLE, _pack([_packable(item, depth) for item in value]))


def _set_handler(code: int) -> Callable[[Any, int], Any]:
    def handler(value: Any, depth: int) -> Any:
        items = sorted(_pack(_packable(item, depth)) for item in value)
        if not _KEYS.issuperset(map(type, value)) and len({*items}) < len(items):
            raise UnsupportedValue("two items of a set would come back as one")
        return msgspec.msgpack.Ext(code, _pack(items))

    return handler


def _text(code: int, to_text: Callable[[Any], str]) -> Callable[[Any, int], Any]:
    return lambda value, _: msgspec.msgpack.Ext(code, to_text(value).encode())


def _format_datetime(value: dt.datetime) -> str:
    """ISO 8601, the fold after ``#``, a named zone in brackets (RFC 9557)."""
    zone = value.tzinfo
    if zone is None or type(zone) is dt.timezone:
        return value.isoformat() + ("#" if value.fold else "")
    if isinstance(zone, ZoneInfo) and zone.key:
        naive = value.replace(tzinfo=None, fold=0).isoformat()
        return f"{naive}{'#' if value.fold else ''}[{zone.key}]"
    raise UnsupportedValue(
        f"a datetime in a {type(zone).__name__} cannot be kept; use datetime.timezone or ZoneInfo"
    )


def _read_datetime(text: str) -> dt.datetime:
    text, _, zone = text.removesuffix("]").partition("[")
    stamp = dt.datetime.fromisoformat(text.removesuffix("#"))
    if text.endswith("#"):
        stamp = stamp.replace(fold=1)
    return stamp.replace(tzinfo=ZoneInfo(zone)) if zone else stamp


def _format_time(value: dt.time) -> str:
    if value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        raise UnsupportedValue("a time in a named zone cannot be kept; use datetime.timezone")
    return value.isoformat() + ("#" if value.fold else "")


def _read_time(text: str) -> dt.time:
    stamp = dt.time.fromisoformat(text.removesuffix("#"))
    return stamp.replace(fold=1) if text.endswith("#") else stamp


def _format_timedelta(value: dt.timedelta) -> str:
    return f"{value.days},{value.seconds},{value.microseconds}"


def _read_timedelta(text: str) -> dt.timedelta:
    days, seconds, micros = text.split(",")
    return dt.timedelta(int(days), int(seconds), int(micros))


def _read_items(data: memoryview) -> list[Any]:
    items = _unpack(data)
    if not isinstance(items, list):
        raise ValueError("an extension that holds no list")  # noqa: TRY004 (a codec's one error)
    return items


def _read_pairs(data: memoryview) -> dict[Any, Any]:
    items = iter(_read_items(data))
    return dict(zip(items, items, strict=True))


def _read_parts(data: memoryview) -> list[Any]:
    return [_unpack(part) for part in _read_items(data)]


_BIG, _TUPLE, _SET, _FROZENSET, _DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _UUID, _PAIRS = (
    range(1, 12)
)

_NATIVE: Final = frozenset((type(None), bool, float, str, bytes))
_KEYS: Final = _NATIVE | {
    int, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, UUID, tuple, frozenset
}  # fmt: skip
_HANDLERS: Final[dict[type, Callable[[Any, int], Any]]] = {
    int: _int,
    list: _list,
    dict: _dict,
    tuple: _tuple,
    set: _set_handler(_SET),
    frozenset: _set_handler(_FROZENSET),
    dt.datetime: _text(_DATETIME, _format_datetime),
    dt.date: _text(_DATE, dt.date.isoformat),
    dt.time: _text(_TIME, _format_time),
    dt.timedelta: _text(_TIMEDELTA, _format_timedelta),
    Decimal: _text(_DECIMAL, str),
    UUID: lambda value, _: msgspec.msgpack.Ext(_UUID, value.bytes),
}
_READERS: Final[dict[int, Callable[[memoryview], Any]]] = {
    _BIG: lambda data: int.from_bytes(data, "big", signed=True),
    _TUPLE: lambda data: tuple(_read_items(data)),
    _SET: lambda data: set(_read_parts(data)),
    _FROZENSET: lambda data: frozenset(_read_parts(data)),
    _DATETIME: lambda data: _read_datetime(str(data, "utf-8")),
    _DATE: lambda data: dt.date.fromisoformat(str(data, "utf-8")),
    _TIME: lambda data: _read_time(str(data, "utf-8")),
    _TIMEDELTA: lambda data: _read_timedelta(str(data, "utf-8")),
    _DECIMAL: lambda data: Decimal(str(data, "utf-8")),
    _UUID: lambda data: UUID(bytes=bytes(data)),
    _PAIRS: _read_pairs,
}


def _read_extension(code: int, data: memoryview) -> Any:
    reader = _READERS.get(code)
    if reader is None:
        raise ValueError(f"unknown extension {code}")
    return reader(data)


_unpack: Final = msgspec.msgpack.Decoder(ext_hook=_read_extension).decode
