"""How a value came to be in a session: assigned as a new object, or changed where it stands.

``core.mapping`` notes it and ``core.merge`` says what follows: rivals who change one list in place
both extend it, and of two who assign one the last writer's stands.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias, cast

import msgspec

from sessile.core.value import UNCHANGING, Scalar

Path: TypeAlias = tuple[Scalar | tuple[Any, ...] | frozenset[Any], ...]
"""A session's key, and the keys of the dicts that lead on from there."""

Items: TypeAlias = Callable[[Any], Iterable[tuple[Any, Any]]]
"""Returns what leads on from a value: names and what they stand for."""

CONTAINERS: Final = frozenset((list, dict, set))
"""Types whose values can be changed in place; as the store gives them, of no derived class."""


def is_container(value: object) -> bool:
    """Tell whether it is a list, a dict or a set, or will be one when it is read again."""
    return not CONTAINERS.isdisjoint(type(value).__mro__)


def dict_items(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return the items of a dict; of all else none, as merges go no deeper."""
    kind = type(value)
    if kind is dict:
        return cast("dict[Any, Any]", value).items()
    return dict(value).items() if issubclass(kind, dict) else ()


def containers(value: Any, items: Items = dict_items) -> tuple[object, ...]:
    """Return the lists, dicts and sets within a value, as they are told apart later."""
    return tuple(child for _, child in _walk(value, (), items))


def new_paths(
    value: Any, known: Iterable[object], path: Path, items: Items = dict_items
) -> list[Path]:
    """Return where in a value a list, dict or set stands that is none of those known."""
    ids = set(map(id, known))
    return [place for place, child in _walk(value, path, items) if id(child) not in ids]


def _walk(value: Any, path: Path, items: Items) -> Iterator[tuple[Path, object]]:
    for name, child in items(value):
        kind = type(child)
        if kind in UNCHANGING:
            continue
        place = (*path, name)
        if kind in CONTAINERS or is_container(child):
            yield place, child
        yield from _walk(child, place, items)


class Provenance(msgspec.Struct, frozen=True):
    """What is known of one value beside what it is.

    Attributes:
        assigned: it was set as a new object.
        begun: the default that the application was given in the place of a missing value.
        before: that default, encoded, as it was given; empty for none.
        parts: the lists, dicts and sets within it, as it was read.
    """

    assigned: bool = False
    begun: object = None
    before: bytes = b""
    parts: tuple[object, ...] = ()


AS_READ: Final = Provenance()
"""That of a value without parts of its own, changed in place if at all."""
