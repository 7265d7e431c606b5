"""The values of a session as a mapping that knows what was changed. ``core.session`` adds identity.

Values are decoded on first access. Those that were handed out and could have been changed in place
are encoded again when the delta is asked for, and compared: that is how a nested change is noticed.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final, Self, TypeAlias, cast

from sessile.core.merge import Delta, is_number, merge, plus
from sessile.core.value import UNCHANGING, Codec, Encoded, Number, Scalar, Value, is_text
from sessile.errors import UnsupportedValue

_NOTHING: Final[Encoded] = {}
Updates: TypeAlias = "Mapping[str, Value]"


class Values(MutableMapping[str, Any]):
    """A mapping over encoded values.

    What is set is typed, as a ``Value``; what is read is ``Any``: the application knows what it has
    put there.

    Args:
        base: the values as stored; never changed.
        codec: to bytes and back.

    Attributes:
        accessed: whether the application has looked at or changed anything.
        corrupt: keys whose stored bytes could not be read; they count as absent.
    """

    __slots__ = (
        "_added", "_base", "_codec", "_gone", "_last_delta", "_live", "_mutable_out", "_removed",
        "_set", "accessed", "corrupt",
    )  # fmt: skip

    def __init__(self, base: Encoded, codec: Codec) -> None:
        self._base = base
        self._codec = codec
        self._live: dict[str, Value] = {}
        self._mutable_out = False  # whether the application holds a value that can change in place
        self._set: dict[str, bytes] = {}
        self._removed: set[str] = set()
        self._gone: set[str] = set()  # removed once, so that what is set again is a change
        self._added: dict[str, Number] = {}
        self._last_delta = _UNCHANGED
        self.accessed = False
        self.corrupt: tuple[str, ...] = ()

    def _writable(self) -> None:
        """Refuse a change that would be lost. ``core.session`` knows when."""

    def __getitem__(self, key: str) -> Any:
        self.accessed = True
        live = self._live
        if key in live:
            return live[key]
        if key in self._removed:
            raise KeyError(key)
        blob = self._base[key]
        try:
            value = live[key] = self._codec.decode(blob)
        except ValueError:
            self._drop_corrupt(key)
            raise KeyError(key) from None
        if type(value) not in UNCHANGING:
            self._mutable_out = True
        return value

    def __setitem__(self, key: str, value: Value) -> None:
        self._writable()
        self.accessed = True
        self._set[key] = self._encode(key, value)
        self._live[key] = value
        if type(value) not in UNCHANGING:
            self._mutable_out = True
        self._removed.discard(key)
        self._added.pop(key, None)

    def __delitem__(self, key: str) -> None:
        self._writable()
        if key not in self:
            raise KeyError(key)
        self._live.pop(key, None)
        self._set.pop(key, None)
        self._added.pop(key, None)
        if key in self._base:
            self._removed.add(key)
            self._gone.add(key)

    def __iter__(self) -> Iterator[str]:
        self.accessed = True
        yield from [key for key in self._base if key not in self._removed and self._readable(key)]
        yield from [key for key in self._live if key not in self._base]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        self.accessed = True
        return self._has(key) and self._readable(cast("str", key))

    def __ior__(self, other: "Updates") -> Self:
        self.update(other)
        return self

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last item."""
        keys = list(self)
        if not keys:
            raise KeyError("the session is empty")
        return keys[-1], self.pop(keys[-1])

    def clear(self) -> None:
        """Remove every value. The session itself lives on; ``logout`` ends it."""
        self._writable()
        self.accessed = True
        self._removed, self._gone = set(self._base), set(self._base)
        self._live, self._set, self._added = {}, {}, {}

    def increment(self, key: str, by: Number = 1) -> Number:
        """Add to a number and return the sum; parallel increments add up.

        A missing key counts from zero.

        Raises:
            UnsupportedValue: what stands there, or ``by``, is no int, float or Decimal.
        """
        self._writable()
        current = self.get(key, 0)
        if not is_number(current) or not is_number(by):
            raise UnsupportedValue("increment takes an int, a float or a Decimal", key)
        total = self._sum(key, cast("Number", current), by)
        if key in self._set or key in self._removed:  # its value is ours already: no intent is left
            self[key] = total
            return total
        self._added[key] = plus(self._added.get(key, 0), by)
        self._live[key] = total
        return total

    @property
    def modified(self) -> bool:
        """Whether there is anything to save. Setting it is allowed and does nothing.

        Frameworks teach people to write ``session.modified = True`` after a nested change; here
        nested changes are noticed without it.
        """
        self.accessed = True
        return bool(self._difference())

    @modified.setter
    def modified(self, _: bool) -> None:
        self.accessed = True

    def delta(self) -> Delta:
        """Return the changes since the base, nested ones included.

        Raises:
            UnsupportedValue: a nested change put something in that cannot be kept.
        """
        self._last_delta = self._difference()
        return self._last_delta

    def changes_since_delta(self) -> list[str]:
        """Return the keys whose values were changed in place after the last delta was taken."""
        if not self._mutable_out:
            return []
        base, taken = self._base, self._last_delta.set
        return [
            key
            for key, value in self._live.items()
            if type(value) not in UNCHANGING
            and self._encode(key, value) != taken.get(key, base.get(key))
        ]

    def rebase(self, base: Encoded) -> None:
        """Go on from what the store holds now that the last delta is in it.

        What was changed while it was being saved is still to be saved. A list that was handed out
        stays the session's own, and holds what rivals put into it.
        """
        last, ours = self._last_delta, dict(self._encode_live())
        ours |= {key: self._encode(key, self._live[key]) for key in self._added if key in last.set}
        grown = {key: amount for key, amount in self._added.items() if key not in last.set}
        done = merge(self._base, self._base, last, self._codec)
        then = {k: blob for k, blob in {**self._base, **done.set}.items() if k not in done.removed}
        later = Delta(
            {key: blob for key, blob in ours.items() if blob != then.get(key)},
            frozenset(key for key in then if not self._has(key)),
        )
        merged = merge(then, base, later, self._codec)
        now = {**base, **merged.set}
        self._live = self._rebase_live(ours, now)
        added = _growth(grown, last.added)
        self._base, self._set, self._removed = base, merged.set, set(merged.removed)
        self._added, self._last_delta, self._gone = {}, _UNCHANGED, set()
        for key, amount in added.items():
            self.increment(key, amount)

    def _rebase_live(self, ours: Encoded, now: Encoded) -> dict[str, Value]:
        """Return the live values as they are now; what was handed out stays the session's own."""
        kept = {}
        for key, value in self._live.items():
            if key in now and ours.get(key) == now[key]:
                kept[key] = value
            elif key in now and (key in ours or type(value) not in UNCHANGING):
                kept[key] = _refresh(value, self._codec.decode(now[key]))
        return kept

    def _difference(self) -> Delta:
        if not (self._mutable_out or self._set or self._removed or self._added):
            return _UNCHANGED
        base = self._base
        gone = self._gone
        written = {k: blob for k, blob in self._encode_live() if k in gone or blob != base.get(k)}
        return Delta(written, frozenset(self._removed), dict(self._added))

    def _has(self, key: object) -> bool:
        return key in self._live or (key in self._base and key not in self._removed)

    def _readable(self, key: str) -> bool:
        """Tell whether a value that is there can be read; one that cannot counts as absent."""
        try:
            self[key]
        except KeyError:
            return False
        return True

    def _encode_live(self) -> Iterator[tuple[str, bytes]]:
        """Yield what was set, and what may have been changed in place."""
        for key, value in self._live.items():
            if type(value) not in UNCHANGING:
                yield key, self._encode(key, value)
            elif key in self._set:
                yield key, self._set[key]

    def _sum(self, key: str, a: Number, b: Number) -> Number:
        try:
            total = plus(a, b)
        except ArithmeticError:
            raise UnsupportedValue("the sum is no number that can be kept", key) from None
        self._encode(key, total)
        return total

    def _drop_corrupt(self, key: str) -> None:
        """Take a value that cannot be read for absent; a reader does not remove it."""
        self._base = {name: blob for name, blob in self._base.items() if name != key}
        self.corrupt += (key,)

    def _encode(self, key: str, value: Value) -> bytes:
        if type(key) is not str:
            raise UnsupportedValue(f"a session key is a str, not {type(key).__name__}", str(key))
        if not is_text(key):
            raise UnsupportedValue("the key has a lone surrogate, which is no character", key)
        try:
            return self._codec.encode(value)
        except UnsupportedValue as error:
            raise error.named(key) from None


_UNCHANGED: Final = Delta()


def _refresh(held: Value, new: Value) -> Value:
    """Return the new value; in the object that the application holds, where it can change."""
    if type(held) is not type(new):
        return new
    if isinstance(held, list):
        held[:] = cast("list[Value]", new)
    elif isinstance(held, dict):
        held.clear()
        held.update(cast("dict[Scalar, Value]", new))
    elif isinstance(held, set):
        held.clear()
        held.update(cast("set[Scalar]", new))
    else:
        return new
    return held


def _growth(amounts: Mapping[str, Number], saved: Mapping[str, Number]) -> dict[str, Number]:
    """Return the part of each increment that came after it was saved."""
    return {
        key: plus(amount, -saved.get(key, 0))
        for key, amount in amounts.items()
        if amount != saved.get(key)
    }
