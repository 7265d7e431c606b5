"""The values of a session as a mapping that knows what was changed. ``core.session`` shows it.

Values are decoded on first access. Those that were handed out and could have been changed in place
are compared with what they were when the delta is asked for: that is how a nested change is
noticed.
"""

import marshal
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

from sessile.core.merge import Delta, is_number, merge, plus
from sessile.core.value import UNCHANGING, Codec, Encoded, Number, Value, is_text
from sessile.core.view import Upgrade, View, refresh
from sessile.errors import ConfigError, UnsupportedValue

_EXACT: Final = 2  # marshal's format without the marks that tell how often a text is shared
T = TypeVar("T")
V = TypeVar("V")
Updates: TypeAlias = "Mapping[str, Value]"


UNCHANGED: Final = Delta()
"""The delta of whoever changed nothing."""


class Values(MutableMapping[str, Any]):
    """A mapping over encoded values.

    What is set is typed, as a ``Value``; what is read is ``Any``: the application knows what it has
    put there.

    Args:
        base: the values as stored; never changed.
        codec: to bytes and back.

    Attributes:
        corrupt: keys whose stored bytes could not be read; they count as absent.
    """

    # What most requests never need stands here, shared and unchanged, until a session has one of
    # its own: one is made for each request, which is a good part of what a read costs.
    corrupt: tuple[str, ...] = ()
    _added: Mapping[str, Number] = MappingProxyType({})
    _gone: AbstractSet[str] = frozenset()  # removed once, so that what is set again is a change
    _last_delta: Delta = UNCHANGED
    _mutable_out = False
    _removed: AbstractSet[str] = frozenset()
    # Of what the application holds and can change in place: its bytes as it was read, to compare
    # with at little cost. ``_mutable_out`` tells whether there is any without such bytes. Marshal
    # is the quickest exact walk through a value there is. It is never asked to read anything.
    _snapshots: Mapping[str, bytes] = MappingProxyType({})
    _views: Mapping[str, View[Any]] = MappingProxyType({})

    def __init__(self, base: Encoded, codec: Codec) -> None:
        self._base = base
        self._codec = codec
        self._live: dict[str, Value] = {}
        self._set: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> Any:
        if key in self._views:
            self._note_view(key)
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
            try:
                snapshot = marshal.dumps(cast("Any", value), _EXACT)
                self._snapshots = {**self._snapshots, key: snapshot}
            except ValueError:  # it does not know a type, as datetime
                self._mutable_out = True
        return value

    def __setitem__(self, key: str, value: Value) -> None:
        self._set[key] = self._encode(key, value)
        self._live[key] = value
        if type(value) not in UNCHANGING:
            self._mutable_out = True
        if key in self._removed:
            self._removed = self._removed - {key}
        self._forget(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._live.pop(key, None)
        self._set.pop(key, None)
        self._forget(key)
        if key in self._base:
            self._removed, self._gone = self._removed | {key}, self._gone | {key}

    def _forget(self, key: str) -> None:
        """Know a value no more by what it was before it was set or removed."""
        if self._snapshots or self._views or self._added:
            self._snapshots = _without(self._snapshots, key)
            self._views = _without(self._views, key)
            self._added = _without(self._added, key)

    def __iter__(self) -> Iterator[str]:
        self._note_views()
        yield from [key for key in self._base if key not in self._removed and self._readable(key)]
        yield from [key for key in self._live if key not in self._base]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        if key in self._views:
            self._note_view(cast("str", key))
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
        """Remove every value."""
        self._removed, self._gone = set(self._base), set(self._base)
        self._live, self._set, self._added, self._snapshots, self._views = {}, {}, {}, {}, {}

    def increment(self, key: str, by: Number = 1) -> Number:
        """Add to a number and return the sum; parallel increments add up.

        A missing key counts from zero.

        Raises:
            UnsupportedValue: what stands there, or ``by``, is no int, float or Decimal.
        """
        current = self.get(key, 0)
        if not is_number(current) or not is_number(by):
            raise UnsupportedValue("increment takes an int, a float or a Decimal", key)
        total = self._sum(key, cast("Number", current), by)
        if key in self._set or key in self._removed:  # its value is ours already: no intent is left
            self[key] = total
            return total
        self._added = {**self._added, key: plus(self._added.get(key, 0), by)}
        self._live[key] = total
        return total

    def view(self, kind: type[T], key: str, version: int, upgrade: Upgrade | None) -> T:
        """Return the value of a key as an object whose changes are noticed; see ``core.view``."""
        known = self._views.get(key)
        if known is None:
            known = View(kind, key, version, upgrade)
            known.load(self.get(key, {}))
            self._enter_view(key, known)
        elif known.kind is not kind:
            raise ConfigError(
                f"session[{key!r}] is seen as {known.kind.__name__} already; "
                f"name another key: view({kind.__name__}, 'name')"
            )
        content: T = known.content
        return content

    def _enter_view(self, key: str, view: View[Any]) -> None:
        view.blob = self._encode(key, view.dump())
        base, value = self._base.get(key), self._live.get(key, {})
        unset = base is None and key not in self._set
        as_stored = unset or self._encode(key, value) == base
        view.before = view.blob if as_stored else b""
        self._views = {**self._views, key: view}

    def _note_views(self) -> None:
        for key in self._views:
            self._note_view(key)

    def _note_view(self, key: str) -> None:
        """Take what was changed in a view for a value that was set."""
        view = self._views[key]
        plain = view.dump()
        blob = self._encode(key, plain)
        if blob == view.blob:
            return
        view.check(plain)
        view.blob, self._live[key], self._mutable_out = blob, plain, True
        self._snapshots = _without(self._snapshots, key)
        self._removed = self._removed - {key}

    @property
    def modified(self) -> bool:
        """Whether there is anything to save."""
        return bool(self._difference())

    def delta(self) -> Delta:
        """Return the changes since the base, nested ones included; ``UNCHANGED`` for none.

        Raises:
            UnsupportedValue: a nested change put something in that cannot be kept.
        """
        self._last_delta = self._difference()
        return self._last_delta

    def changes_since_delta(self) -> list[str]:
        """Return the keys whose values were changed in place after the last delta was taken."""
        if self._views:
            self._note_views()
        if not self._mutable_out and not self._snapshots:
            return []  # nothing is out that could be changed in place
        if not self._mutable_out and not self._last_delta.set and self._is_as_read():
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
        self._note_views()
        last, ours = self._last_delta, dict(self._encode_live())
        ours |= {key: self._encode(key, self._live[key]) for key in self._added if key in last.set}
        grown = {key: amount for key, amount in self._added.items() if key not in last.set}
        done = merge(self._base, self._base, last, self._codec)
        then = {k: blob for k, blob in {**self._base, **done.set}.items() if k not in done.removed}
        later = Delta(
            {key: blob for key, blob in ours.items() if blob != then.get(key)},
            frozenset(key for key in then if not self._has(key)),
            before=self._views_before(key for key in ours if key not in last.set),
        )
        merged = merge(then, base, later, self._codec)
        now = {**base, **merged.set}
        self._live = self._rebase_live(ours, now)
        added = _growth(grown, last.added)
        self._base, self._set, self._removed = base, merged.set, set(merged.removed)
        self._added, self._last_delta, self._gone = {}, UNCHANGED, set()
        self._mutable_out, self._snapshots = self._mutable_out or bool(self._snapshots), {}
        for key, amount in added.items():
            self.increment(key, amount)
        self._refresh_views()

    def _refresh_views(self) -> None:
        """Let the views go on with what rivals put into their values.

        One whose value is gone, or does not fit any more, is none: the next ``view`` makes another.
        """
        views, self._views = self._views, {}
        for key, view in views.items():
            if key in self and view.refresh(self[key]):
                self._enter_view(key, view)

    def _views_before(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return, of those that are views, what they were before anything was changed in them."""
        views = self._views
        return {key: views[key].before for key in keys if key in views and views[key].before}

    def _rebase_live(self, ours: Encoded, now: Encoded) -> dict[str, Value]:
        """Return the live values as they are now; what was handed out stays the session's own."""
        kept = {}
        for key, value in self._live.items():
            if key in now and ours.get(key) == now[key]:
                kept[key] = value
            elif key in now and (key in ours or type(value) not in UNCHANGING):
                kept[key] = refresh(value, self._codec.decode(now[key]))
        return kept

    def _difference(self) -> Delta:
        if self._views:
            self._note_views()
        if (
            not (self._mutable_out or self._set or self._removed or self._added)
            and self._is_as_read()
        ):
            return UNCHANGED
        base, gone = self._base, self._gone
        in_place = self._mutable_out or self._snapshots
        ours = self._encode_live() if in_place else self._set.items()
        written = {k: blob for k, blob in ours if k in gone or blob != base.get(k)}
        if not (written or self._removed or self._added):
            return UNCHANGED
        before = self._views_before(written) if self._views else {}
        return Delta(written, frozenset(self._removed), dict(self._added), before)

    def _is_as_read(self) -> bool:
        """Tell whether nothing that was handed out was changed in place, where that can be told."""
        snapshots = self._snapshots
        if not snapshots:
            return True
        held: map[Any] = map(self._live.get, snapshots)
        try:
            return list(map(marshal.dumps, held, repeat(_EXACT))) == list(snapshots.values())
        except ValueError:  # something was put in that it does not know
            return False

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
            raise error.for_key(key) from None


def _growth(amounts: Mapping[str, Number], saved: Mapping[str, Number]) -> dict[str, Number]:
    """Return the part of each increment that came after it was saved."""
    return {
        key: plus(amount, -saved.get(key, 0))
        for key, amount in amounts.items()
        if amount != saved.get(key)
    }


def _without(mapping: Mapping[str, V], key: str) -> Mapping[str, V]:
    """Return a mapping without a key: itself, where it has none such."""
    if key not in mapping:
        return mapping
    return {name: value for name, value in mapping.items() if name != key}
