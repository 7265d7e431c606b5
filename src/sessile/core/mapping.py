"""The values of a session as a mapping that knows what was changed. ``core.session`` shows it.

Values are decoded on first access. ``core.changes`` notices what becomes of them.
"""

import marshal
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Self, TypeAlias, TypeVar, cast

from sessile.core.changes import SNAPSHOT, UNCHANGED, Changes, without
from sessile.core.merge import Delta, is_number, merge, plus
from sessile.core.provenance import CONTAINERS, Provenance, containers, is_container
from sessile.core.value import UNCHANGING, Encoded, Number, Value
from sessile.core.view import Upgrade, View, refresh
from sessile.errors import ConfigError, UnsupportedValue

T = TypeVar("T")
Updates: TypeAlias = "Mapping[str, Value]"


class Values(Changes, MutableMapping[str, Any]):
    """A mapping over encoded values.

    What is set is typed, as a ``Value``; what is read is ``Any``: the application knows what it has
    put there.

    Args:
        base: the values as stored; never changed.
        codec: to bytes and back.
        limit: how much there may be.

    Attributes:
        corrupt: keys whose stored bytes could not be read; they count as absent.
    """

    def as_stored(self) -> "Values":
        """Return the values as they were before anything was changed."""
        return Values(self._base, self._codec)

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
                snapshot = marshal.dumps(cast("Any", value), SNAPSHOT)
                self._snapshots = {**self._snapshots, key: snapshot}
            except ValueError:  # it does not know a type, as datetime
                self._mutable_out = True
            if type(value) is dict and not CONTAINERS.isdisjoint(map(type, value.values())):
                known = Provenance(parts=containers(value))
                self._provenance = {**self._provenance, key: known}
        return value

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return a value, or the default; an empty list given as one is what an append begins."""
        try:
            return self[key]
        except KeyError:
            kind = type(default)
            if kind in CONTAINERS or (kind not in UNCHANGING and is_container(default)):
                self._offer(key, default)
            return default

    def _offer(self, key: str, default: Value) -> None:
        """Note the default of a missing value that the application may set."""
        try:
            self._note_default(key, default, self._encode(key, default))
        except UnsupportedValue:
            return  # it cannot be set

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value; store the default where there is none, unless a rival stores another."""
        try:
            return self[key]
        except KeyError:
            return self.begin(key, default)

    def begin(self, key: str, default: Any) -> Any:
        """Store and return the default of a value that is missing."""
        self[key] = default
        self._note_default(key, default, self._set[key])
        return default

    def __setitem__(self, key: str, value: Value) -> None:
        blob = self._encode(key, value)
        self._take_room(key, blob)
        if type(value) not in UNCHANGING:
            self._mutable_out = True
            self._note_assignment(key, value, blob)
        elif self._provenance:
            self._provenance = without(self._provenance, key)
        self._set[key], self._live[key] = blob, value
        if key in self._removed:
            self._removed = self._removed - {key}
        self._forget(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._live.pop(key, None)
        self._set.pop(key, None)
        self._provenance = without(self._provenance, key)
        self._forget(key)
        if key in self._base:
            self._removed, self._gone = self._removed | {key}, self._gone | {key}

    def _forget(self, key: str) -> None:
        """Know a value no more by what it was before it was set or removed."""
        if self._snapshots or self._views or self._added:
            self._snapshots = without(self._snapshots, key)
            self._views = without(self._views, key)
            self._added = without(self._added, key)

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
        self._provenance = {}

    def keep_written(self) -> None:
        """Remove every value but those that were set since the base."""
        base = set(self._base)
        self._removed, self._gone = base - self._set.keys(), base
        self._live = {key: self._live[key] for key in self._set}
        self._added, self._snapshots, self._views = {}, {}, {}

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
            known.load(super().get(key, {}))
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

    def rebase(self, base: Encoded) -> None:
        """Go on from what the store holds now that the last delta is in it.

        What was changed while it was being saved is still to be saved. A list that was handed out
        stays the session's own, and holds what rivals put into it.
        """
        self._note_views()
        last, ours = self._last_delta, dict(self._encode_live())
        self._provenance = self._later_provenance()
        ours |= {key: self._encode(key, self._live[key]) for key in self._added if key in last.set}
        grown = {key: amount for key, amount in self._added.items() if key not in last.set}
        done = merge(self._base, self._base, last, self._codec)
        then = {k: blob for k, blob in {**self._base, **done.set}.items() if k not in done.removed}
        later = Delta(
            {key: blob for key, blob in ours.items() if blob != then.get(key)},
            frozenset(key for key in then if not self._has(key)),
            before=self._before(key for key in ours if key not in last.set),
            assigned=self._new_paths(ours),
        )
        merged = merge(then, base, later, self._codec)
        now = {**base, **merged.set}
        self._live = self._rebase_live(ours, now)
        added = _growth(grown, last.added)
        self._base, self._set, self._removed = base, merged.set, set(merged.removed)
        self._room = None
        self._added, self._last_delta, self._gone = {}, UNCHANGED, set()
        self._provenance = {**self._parts(), **self._provenance}
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

    def _rebase_live(self, ours: Encoded, now: Encoded) -> dict[str, Value]:
        """Return the live values as they are now; what was handed out stays the session's own."""
        kept = {}
        for key, value in self._live.items():
            if key in now and ours.get(key) == now[key]:
                kept[key] = value
            elif key in now and (key in ours or type(value) not in UNCHANGING):
                kept[key] = refresh(value, self._codec.decode(now[key]))
        return kept

    def _has(self, key: object) -> bool:
        return key in self._live or (key in self._base and key not in self._removed)

    def _readable(self, key: str) -> bool:
        """Tell whether a value that is there can be read; one that cannot counts as absent."""
        try:
            self[key]
        except KeyError:
            return False
        return True

    def _sum(self, key: str, a: Number, b: Number) -> Number:
        try:
            total = plus(a, b)
        except ArithmeticError:
            raise UnsupportedValue("the sum is no number that can be kept", key) from None
        blob = self._encode(key, total)
        return total if type(total) in UNCHANGING else cast("Number", self._codec.decode(blob))

    def _drop_corrupt(self, key: str) -> None:
        """Take a value that cannot be read for absent; a reader does not remove it."""
        self._base = {name: blob for name, blob in self._base.items() if name != key}
        self.corrupt += (key,)


def _growth(amounts: Mapping[str, Number], saved: Mapping[str, Number]) -> dict[str, Number]:
    """Return the part of each increment that came after it was saved."""
    return {
        key: plus(amount, -saved.get(key, 0))
        for key, amount in amounts.items()
        if amount != saved.get(key)
    }
