"""Three-way merge: what two requests did to one session, both kept. Pure; ``service.commit`` asks.

Per key: a key that only one side changed keeps that change. Where both changed it, lists that were
extended keep both extensions, dicts recurse, sets unite, and of two scalars the last writer wins.
An increment is an intent, not a value: it is added to whatever stands there.
"""

from decimal import Decimal
from typing import Final, cast

import msgspec

from sessile.core.value import Codec, Encoded, Number, Scalar, Value


class Delta(msgspec.Struct, frozen=True):
    """What one request did.

    Attributes:
        set: the values it set or changed, encoded.
        removed: the keys it removed.
        added: the increments it asked for.
        before: of values set through a view, what that showed before it was changed: the defaults
            of its class, or the fields of its present layout, which the base need not hold.
    """

    set: dict[str, bytes] = {}
    removed: frozenset[str] = frozenset()
    added: dict[str, Number] = {}
    before: dict[str, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self.set or self.removed or self.added)

    def __repr__(self) -> str:
        return f"<Delta of {len(self.set) + len(self.removed) + len(self.added)} keys>"


class Merged(msgspec.Struct, frozen=True):
    """What is to be written over the record as the store holds it.

    Attributes:
        set: key to encoded value.
        removed: keys that go.
    """

    set: dict[str, bytes]
    removed: frozenset[str]

    def __repr__(self) -> str:
        return f"<Merged of {len(self.set) + len(self.removed)} keys>"


def merge(base: Encoded, theirs: Encoded, ours: Delta, codec: Codec) -> Merged:
    """Return the changes of our delta, made from ``base``, on top of ``theirs``."""
    if theirs is base and not ours.added:  # nobody was faster: most commits
        return Merged(ours.set, ours.removed)
    written = {
        key: blob if theirs.get(key) == base.get(key) else _blend(key, base, theirs, ours, codec)
        for key, blob in ours.set.items()
    }
    for key, amount in ours.added.items():
        written[key] = codec.encode(plus(_number(theirs.get(key), codec), amount))
    for key in ours.removed & base.keys() & theirs.keys():
        left = _new_items(base[key], theirs[key], codec)
        if left:
            written[key] = codec.encode(left)
    return Merged(written, frozenset(k for k in ours.removed if k in theirs and k not in written))


def _blend(key: str, base: Encoded, theirs: Encoded, ours: Delta, codec: Codec) -> bytes:
    """Merge a key that both sides changed; what cannot be read counts as absent."""
    blob = ours.set[key]
    if key not in theirs:
        left = _new_items(base[key], blob, codec)
        return codec.encode(left) if left else blob
    our, their = codec.decode(blob), _read(theirs[key], codec)
    was = _read(ours.before.get(key, base.get(key)), codec)
    if was is None:
        was = _nothing_like(our)
    return codec.encode(merge_value(was, their, our))


def _new_items(was: bytes, now: bytes, codec: Codec) -> list[Value]:
    """Return the items one side appended to a list that the other removed; empty for all else.

    Messages are taken by removing their list: one that came in meanwhile waits for the next page.
    """
    if was == now:
        return []
    old, new = _read(was, codec), _read(now, codec)
    extended = isinstance(old, list) and isinstance(new, list) and same(new[: len(old)], old)
    return cast("list[Value]", new)[len(cast("list[Value]", old)) :] if extended else []


def _read(blob: bytes | None, codec: Codec) -> Value:
    try:
        return None if blob is None else codec.decode(blob)
    except ValueError:
        return None


def _nothing_like(value: Value) -> Value:
    return type(value)() if isinstance(value, list | dict | set | frozenset) else None


def merge_value(was: Value, their: Value, our: Value) -> Value:
    """Merge one value that was ``was`` and that both sides changed; ``our`` is the last writer."""
    if isinstance(was, list) and isinstance(their, list) and isinstance(our, list):
        return _merge_lists(was, their, our)
    if isinstance(was, dict) and isinstance(their, dict) and isinstance(our, dict):
        return _merge_dicts(was, their, our)
    for kind in (set, frozenset):
        if isinstance(was, kind) and isinstance(their, kind) and isinstance(our, kind):
            return cast("Value", kind((their - (was - our)) | (our - was)))
    return our


def _merge_lists(was: list[Value], their: list[Value], our: list[Value]) -> list[Value]:
    """Keep every extension; where one side only extended, the other side's edit stands below it."""
    n = len(was)
    if same(our[:n], was):
        return their + our[n:]
    if same(their[:n], was):
        return our + their[n:]
    return our


def _merge_dicts(
    was: dict[Scalar, Value], their: dict[Scalar, Value], our: dict[Scalar, Value]
) -> dict[Scalar, Value]:
    merged = {
        key: _merge_item(key, was, their, our) for key in their if key in our or key not in was
    }
    merged.update((key, our[key]) for key in our if key not in their and not _keeps(key, was, our))
    return merged


def _keeps(key: Scalar, was: dict[Scalar, Value], side: dict[Scalar, Value]) -> bool:
    """Tell whether that side left the item as it was."""
    return key in was and same(side[key], was[key])


def _merge_item(
    key: Scalar, was: dict[Scalar, Value], their: dict[Scalar, Value], our: dict[Scalar, Value]
) -> Value:
    if key not in our or _keeps(key, was, our):
        return their[key]
    if _keeps(key, was, their):
        return our[key]
    return merge_value(was.get(key, _nothing_like(our[key])), their[key], our[key])


def same(a: Value, b: Value) -> bool:
    """Tell whether two values are the same to the last bit: 1 and True differ, 0.0 and -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        b = cast("list[Value]", b)
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        b = cast("dict[Scalar, Value]", b)
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    # repr tells what == does not, signs, digits and zones, and cannot fail as == of an sNaN does
    return a == b if isinstance(a, set | frozenset) else repr(a) == repr(b)


_ZERO: Final = 0


def _number(blob: bytes | None, codec: Codec) -> Number:
    value = _read(blob, codec)
    return cast("Number", value) if is_number(value) else _ZERO


def is_number(value: object) -> bool:
    """Tell whether a value can be incremented: int, float or Decimal, and no bool."""
    return type(value) in (int, float, Decimal)


def plus(a: Number, b: Number) -> Number:
    """Add two numbers of any kinds that ``increment`` takes; Decimal beats float beats int."""
    if isinstance(a, Decimal) and isinstance(b, float):
        return a + Decimal(repr(b))
    if isinstance(a, float) and isinstance(b, Decimal):
        return Decimal(repr(a)) + b
    return a + b  # type: ignore[operator]
