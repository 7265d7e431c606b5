"""The values of a session as a mapping that knows what was changed. ``core.session`` adds identity.

Values are decoded on first access. Those that were handed out and could have been changed in place
are encoded again when the delta is asked for, and compared: that is how a nested change is noticed.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Final, Self, TypeAlias, cast

from sessile.core.merge import Delta, is_number, plus
from sessile.core.value import UNCHANGING, Codec, Encoded, Number, Value
from sessile.errors import UnsupportedValue

_NOTHING: Final[Encoded] = {}
Updates: TypeAlias = "Mapping[str, Value]"


class Values(MutableMapping[str, Value]):
    """A mapping over encoded values.

    Args:
        base: the values as stored; never changed.
        codec: to bytes and back.

    Attributes:
        accessed: whether the application has looked at or changed anything.
        corrupt: keys whose stored bytes could not be read; they count as absent.
    """

    __slots__ = ("_added", "_base", "_codec", "_live", "_removed", "_set", "accessed", "corrupt")

    def __init__(self, base: Encoded, codec: Codec) -> None:
        self._base = base
        self._codec = codec
        self._live: dict[str, Value] = {}
        self._set: dict[str, bytes] = {}
        self._removed: set[str] = set()
        self._added: dict[str, Number] = {}
        self.accessed = False
        self.corrupt: tuple[str, ...] = ()

    def _writable(self) -> None:
        """Refuse a change that would be lost. ``core.session`` knows when."""

    def __getitem__(self, key: str) -> Value:
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
        return value

    def __setitem__(self, key: str, value: Value) -> None:
        self._writable()
        self.accessed = True
        self._set[key] = self._encode(key, value)
        self._live[key] = value
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

    def __iter__(self) -> Iterator[str]:
        self.accessed = True
        yield from [key for key in self._base if key not in self._removed]
        yield from [key for key in self._live if key not in self._base]

    def __len__(self) -> int:
        self.accessed = True
        new = sum(1 for key in self._live if key not in self._base)
        return len(self._base) - len(self._removed) + new

    def __contains__(self, key: object) -> bool:
        self.accessed = True
        return key in self._live or (key in self._base and key not in self._removed)

    def __ior__(self, other: "Updates") -> Self:
        self.update(other)
        return self

    def popitem(self) -> tuple[str, Value]:
        """Remove and return the newest item, as a dict does."""
        keys = list(self)
        if not keys:
            raise KeyError("the session is empty")
        return keys[-1], self.pop(keys[-1])

    def clear(self) -> None:
        """Remove every value. The session itself lives on; ``logout`` ends it."""
        self._writable()
        self.accessed = True
        self._removed = set(self._base)
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
        total = plus(cast("Number", current), by)
        self._encode(key, total)
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
        return bool(self.delta())

    @modified.setter
    def modified(self, _: bool) -> None:
        self.accessed = True

    def delta(self) -> Delta:
        """Return what has been changed since the base, nested changes included.

        Raises:
            UnsupportedValue: a nested change put something in that cannot be kept.
        """
        if not self._live and not self._removed:
            return _UNCHANGED
        written = {}
        for key, value in self._live.items():
            blob = self._set.get(key)
            if type(value) not in UNCHANGING:
                blob = self._encode(key, value)
            if blob is not None and blob != self._base.get(key):
                written[key] = blob
        return Delta(written, frozenset(self._removed), dict(self._added))

    def rebase(self, base: Encoded) -> None:
        """Start anew from values just saved."""
        self._base = base
        self._live, self._set, self._removed, self._added = {}, {}, set(), {}

    def _drop_corrupt(self, key: str) -> None:
        self._removed.add(key)
        self.corrupt += (key,)

    def _encode(self, key: str, value: Value) -> bytes:
        if type(key) is not str:
            raise UnsupportedValue(f"a session key is a str, not {type(key).__name__}", str(key))
        try:
            return self._codec.encode(value)
        except UnsupportedValue as error:
            raise error.named(key) from None


_UNCHANGED: Final = Delta()
