"""What was changed in the values of one session. ``core.mapping`` shows them as a mapping.

Values that were handed out and could have been changed in place are compared with what they were
when the delta is asked for: that is how a nested change is noticed. ``core.provenance`` tells it
from an assignment.
"""

import marshal
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sessile.core.merge import Delta
from sessile.core.provenance import (
    AS_READ,
    CONTAINERS,
    Path,
    Provenance,
    containers,
    is_container,
    new_paths,
)
from sessile.core.size import SizeLimit, rough_size
from sessile.core.value import UNCHANGING, Codec, Encoded, Number, Value, is_text
from sessile.core.view import View
from sessile.errors import UnsupportedValue

V = TypeVar("V")

SNAPSHOT: Final = 2
"""marshal's format without the marks that tell how often a text is shared."""

DEFAULT_LIMIT: Final = SizeLimit()

UNCHANGED: Final = Delta()
"""The delta of whoever changed nothing."""


class Changes:
    """Encoded values, what was made of them, and what is to be saved.

    Args:
        base: the values as stored; never changed.
        codec: to bytes and back.
        limit: how much there may be.
    """

    # What most requests never need stands here, shared and unchanged, until a session has one of
    # its own: one is made for each request, which is a good part of what a read costs.
    corrupt: tuple[str, ...] = ()
    _added: Mapping[str, Number] = MappingProxyType({})
    _gone: AbstractSet[str] = frozenset()  # removed once, so that what is set again is a change
    _last_delta: Delta = UNCHANGED
    _last_provenance: Mapping[str, Provenance] = MappingProxyType({})  # of the last delta
    _mutable_out = False
    _provenance: Mapping[str, Provenance] = MappingProxyType({})
    _removed: AbstractSet[str] = frozenset()
    _room: int | None = None  # bytes left for what is set, at least; None until something is
    # Of what the application holds and can change in place: its bytes as it was read, to compare
    # with at little cost. ``_mutable_out`` tells whether there is any without such bytes. Marshal
    # is the quickest exact walk through a value there is. It is never asked to read anything.
    _snapshots: Mapping[str, bytes] = MappingProxyType({})
    _views: Mapping[str, View[Any]] = MappingProxyType({})

    def __init__(self, base: Encoded, codec: Codec, limit: SizeLimit = DEFAULT_LIMIT) -> None:
        self._base = base
        self._codec = codec
        self._limit = limit
        self._live: dict[str, Value] = {}
        self._set: dict[str, bytes] = {}

    @property
    def modified(self) -> bool:
        """Whether there is anything to save."""
        return bool(self._difference())

    def has_written(self, keys: frozenset[str] | None) -> bool:
        """Tell whether one of those keys was set, removed or added to; None is whatever changed."""
        if keys is None:
            return self.modified
        if not (self._set or self._removed or self._added):
            return False
        return not all(map(keys.isdisjoint, (self._set, self._removed, self._added)))

    def delta(self) -> Delta:
        """Return the changes since the base, nested ones included; ``UNCHANGED`` for none.

        Raises:
            UnsupportedValue: a nested change put something in that cannot be kept.
            SessionTooLarge: a nested change or an increment made the session larger than it may be.
        """
        delta = self._difference()
        if delta.added or (delta.set and (self._mutable_out or self._snapshots)):
            self._check_size(delta)  # of what was set alone it is known that it fits
        self._last_delta = delta
        if self._provenance:
            self._last_provenance = self._provenance
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
        return Delta(
            written,
            frozenset(self._removed),
            dict(self._added) if self._added else {},
            self._before(written) if self._views or self._provenance else {},
            self._new_paths(written) if in_place else frozenset(),
        )

    def _check_size(self, delta: Delta) -> None:
        written = delta.set
        if delta.added:
            sums = {key: self._encode(key, self._live[key]) for key in delta.added}
            written = {**written, **sums}
        self._limit.check(self._base, written, delta.removed)

    def _take_room(self, key: str, blob: bytes) -> None:
        """Refuse a value that is set and for which there is no room.

        What it replaces, and what was removed, is counted when the room runs out and not before.
        """
        limit, base = self._limit, self._base
        if self._room is None:
            self._room = limit.max_bytes - rough_size(base)
        self._room -= len(blob) + 4 * len(key)
        is_new = key not in base and key not in self._set
        if self._room < 0 or (is_new and len(base) + len(self._set) >= limit.max_keys):
            written = {**self._set, key: blob}
            limit.check(base, written, self._removed)
            self._room = limit.max_bytes - rough_size({**base, **written})

    def _is_as_read(self) -> bool:
        """Tell whether nothing that was handed out was changed in place, where that can be told."""
        snapshots = self._snapshots
        if not snapshots:
            return True
        held: map[Any] = map(self._live.get, snapshots)
        try:
            return list(map(marshal.dumps, held, repeat(SNAPSHOT))) == list(snapshots.values())
        except ValueError:  # something was put in that it does not know
            return False

    def _encode_live(self) -> Iterator[tuple[str, bytes]]:
        """Yield what was set, and what may have been changed in place."""
        for key, value in self._live.items():
            if type(value) not in UNCHANGING:
                yield key, self._encode(key, value)
            elif key in self._set:
                yield key, self._set[key]

    def _note_assignment(self, key: str, value: Value, blob: bytes) -> None:
        """Tell a new object from one that was handed out, changed and set again."""
        known = self._provenance.get(key, AS_READ)
        if type(value) not in CONTAINERS and not is_container(value):
            self._provenance = without(self._provenance, key)
        elif not value and key not in self._base:
            self._note_default(key, value, blob)
        elif value is not self._live.get(key) and value is not known.begun:
            new = Provenance(assigned=True, before=known.before)
            self._provenance = {**self._provenance, key: new}

    def _note_default(self, key: str, default: Value, blob: bytes) -> None:
        """Note what a missing value begins with, so that rivals who add to it both do."""
        known = Provenance(begun=default, before=b"" if key in self._base else blob)
        self._provenance = {**self._provenance, key: known}

    def _before(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values that the application was shown and that the base need not hold."""
        found = {}
        for key in keys:
            if key in self._views:
                found[key] = self._views[key].before
            elif key in self._provenance and key not in self._base:
                found[key] = self._provenance[key].before
        return {key: blob for key, blob in found.items() if blob}

    def _new_paths(self, keys: Iterable[str]) -> frozenset[Path]:
        """Return where in the values of those keys a list, dict or set is a new object."""
        paths: list[Path] = []
        for key in keys:
            known, live = self._provenance.get(key, AS_READ), self._live.get(key)
            if key in self._views and not known.assigned:
                paths += self._views[key].new_paths()
            elif known.assigned:
                paths.append((key,))
            elif isinstance(live, dict):
                paths += new_paths(live, known.parts, (key,))
        return frozenset(paths)

    def _later_provenance(self) -> dict[str, Provenance]:
        """Return the provenance that still holds now that the last delta was saved.

        What was assigned before and saved is as if it had been read.
        """
        last, saved = self._last_provenance, self._last_delta.set
        return {
            key: known
            for key, known in self._provenance.items()
            if (known.assigned or known.before) and (known is not last.get(key) or key not in saved)
        }

    def _parts(self) -> dict[str, Provenance]:
        """Return the provenance of all dicts that are held, as they are now."""
        found = {key: containers(value) for key, value in self._live.items()}
        return {key: Provenance(parts=parts) for key, parts in found.items() if parts}

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
        self._snapshots = without(self._snapshots, key)
        self._removed = self._removed - {key}

    def _encode(self, key: str, value: Value) -> bytes:
        if type(key) is not str:
            raise UnsupportedValue(f"a session key is a str, not {type(key).__name__}", str(key))
        if not is_text(key):
            raise UnsupportedValue("the key has a lone surrogate, which is no character", key)
        try:
            return self._codec.encode(value)
        except UnsupportedValue as error:
            raise error.for_key(key) from None


def without(mapping: Mapping[str, V], key: str) -> Mapping[str, V]:
    """Return a mapping without a key: itself, where it has none such."""
    if key not in mapping:
        return mapping
    return {name: value for name, value in mapping.items() if name != key}
