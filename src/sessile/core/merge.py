"""Three-way merge: what two requests did to one session, both kept. Pure; ``service.commit`` asks.

Theory. The earlier one's result stands in the store; what the later one did is put on top. What it
changed in place is a difference, and is added to what stands there: lists keep both extensions,
dicts recurse, sets unite. What it assigned is a result, and stands as it was assigned, unless it
holds all that was there before: then it is a difference too, and equal results stand once. Of two
scalars the last writer's stands. An increment is an intent, not a value: it is added to whatever
stands there.

The table in docs/how-it-works.md has a row for each kind of change, and a test that runs it.
"""

from decimal import Decimal
from typing import Final, TypeAlias, cast

import msgspec

from sessile.core.provenance import Path
from sessile.core.value import Codec, Encoded, Number, Scalar, Value


class Delta(msgspec.Struct, frozen=True):
    """What one request did.

    Attributes:
        set: the values it set or changed, encoded.
        removed: the keys it removed.
        added: the increments it asked for.
        before: what the application was shown of a value that the base need not hold: the default
            it asked for; of a view those of its class, or the fields of its present layout.
        assigned: where a list, dict or set was set as a new object. What is in one is as new.
    """

    set: dict[str, bytes] = {}
    removed: frozenset[str] = frozenset()
    added: dict[str, Number] = {}
    before: dict[str, bytes] = {}
    assigned: frozenset[Path] = frozenset()

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
    if blob == theirs[key] and (key,) in ours.assigned:
        return blob
    our, their = codec.decode(blob), _read(theirs[key], codec)
    if blob == ours.before.get(key) and their is not None:  # ours is a default, theirs a value
        return theirs[key]
    was = _read(ours.before.get(key, base.get(key)), codec)
    return codec.encode(merge_value(was, their, our, ours.assigned, (key,)))


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


_Dict: TypeAlias = dict[Scalar, Value]
_NONE: Final[frozenset[Path]] = frozenset()


def merge_value(
    was: Value,
    their: Value,
    our: Value,
    assigned: frozenset[Path] = _NONE,
    path: Path = (),
) -> Value:
    """Merge one value that was ``was`` and that both sides changed; ``our`` is the last writer.

    Args:
        was: what it was; None for nothing.
        their: what stands there.
        our: what is to be there.
        assigned: where, from the path on, a list, dict or set is a new object.
        path: where the value stands.
    """
    if path in assigned or isinstance(our, frozenset):  # which cannot be changed in place
        return _merge_assigned(was, their, our)
    if was is None:
        was = _nothing_like(our)
    if isinstance(was, list) and isinstance(their, list) and isinstance(our, list):
        return _merge_lists(was, their, our)
    if isinstance(was, set) and isinstance(their, set) and isinstance(our, set):
        return (their - (was - our)) | (our - was)
    if isinstance(was, dict) and isinstance(their, dict) and isinstance(our, dict):
        return _merge_dicts(was, their, our, assigned, path)
    return our


def _nothing_like(value: Value) -> Value:
    return type(value)() if isinstance(value, list | dict | set) else None


def _merge_assigned(was: Value, their: Value, our: Value) -> Value:
    """Merge a value that was assigned: the last writer's, unless it holds all that was there."""
    if same(their, our):
        return their
    if isinstance(was, list) and isinstance(their, list) and isinstance(our, list):
        return _merge_lists(was, their, our) if same(our[: len(was)], was) else our
    if isinstance(was, dict) and isinstance(their, dict) and isinstance(our, dict):
        return _merge_dicts(was, their, our, None) if was.keys() <= our.keys() else our
    for kind in (set, frozenset):
        if isinstance(was, kind) and isinstance(their, kind) and isinstance(our, kind):
            return cast("Value", kind(their | (our - was))) if was <= our else our
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
    was: _Dict, their: _Dict, our: _Dict, assigned: frozenset[Path] | None, path: Path = ()
) -> _Dict:
    """Merge item by item; where all is assigned there are no paths to tell so."""
    merged = {}
    for key, value in their.items():
        if key not in our:
            if key not in was:
                merged[key] = value
        elif _keeps(key, was, our):
            merged[key] = value
        elif _keeps(key, was, their):
            merged[key] = our[key]
        elif assigned is None:
            merged[key] = _merge_assigned(was.get(key), value, our[key])
        elif key in was:
            merged[key] = merge_value(was[key], value, our[key], assigned, (*path, key))
        else:
            merged[key] = _merge_begun(value, our[key])
    merged.update((key, our[key]) for key in our if key not in their and not _keeps(key, was, our))
    return merged


def _merge_begun(their: Value, our: Value) -> Value:
    """Merge what both put into a dict where nothing was: joined, and equal results stand once.

    Nobody can tell ``d["k"] = ["x"]`` from ``d.setdefault("k", []).append("x")`` here, and what is
    joined loses nothing.
    """
    return their if same(their, our) else merge_value(None, their, our)


def _keeps(key: Scalar, was: _Dict, side: _Dict) -> bool:
    """Tell whether that side left the item as it was."""
    return key in was and same(side[key], was[key])


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
    if type(a) is int:  # a very long one has no repr
        return a == b
    # repr tells what == does not, signs, digits and zones, and cannot fail as == of an sNaN does
    return a == b if isinstance(a, set | frozenset) else repr(a) == repr(b)


_ZERO: Final = 0


def _number(blob: bytes | None, codec: Codec) -> Number:
    value = _read(blob, codec)
    return cast("Number", value) if is_number(value) else _ZERO


def is_number(value: object) -> bool:
    """Tell whether a value can be incremented: int, float or Decimal, and no bool."""
    kind = type(value)
    return kind is not bool and issubclass(kind, int | float | Decimal)


def plus(a: Number, b: Number) -> Number:
    """Add two numbers of any kinds that ``increment`` takes; Decimal beats float beats int."""
    if isinstance(a, Decimal) and isinstance(b, float):
        return a + Decimal(repr(b))
    if isinstance(a, float) and isinstance(b, Decimal):
        return Decimal(repr(a)) + b
    return a + b  # type: ignore[operator]
