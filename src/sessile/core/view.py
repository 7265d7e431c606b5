"""A typed view of one value of a session: a dataclass, a msgspec Struct or a pydantic model.

The value itself is a plain dict of its fields, and so it is merged field by field, may be read
without the class, and outlives a change of it. ``core.mapping`` notices what was changed in a view.
"""

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast
from uuid import UUID

import msgspec

from sessile.core.merge import same
from sessile.core.provenance import Path, containers, dict_items, new_paths
from sessile.core.value import UNCHANGING, Scalar, Value
from sessile.errors import ConfigError, UnsupportedValue, ViewMismatch

T = TypeVar("T")

Upgrade: TypeAlias = Callable[[int, dict[str, Any]], Mapping[str, Any]]
"""Returns the fields of the present version, given those of another one and its number."""

_VERSION: Final = "_version"  # among the fields, where it is not 1; no field has this name
_QUOTED: Final = re.compile(r"`(?:\$\.)?(\w+)")  # a name in an error of msgspec
_KEPT: Final = (bytes, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, UUID)


class View(Generic[T]):
    """One object, and how it is made of a stored value and turned into one.

    Args:
        kind: the class.
        key: the session's key, for errors.
        version: the number of the class's present layout.
        upgrade: what makes the fields of this layout of those of another; None for none.

    Attributes:
        kind: the class.
        content: the object that the application holds.
        blob: its encoded value, as far as the session knows it.
        before: its encoded value as it was made of a stored one, before anything was changed in it;
            empty where it was made of another one.

    Raises:
        ConfigError: it is no such class, the version no number from 1, or ``upgrade`` no function.
    """

    __slots__ = (
        "_fields",
        "_key",
        "_parts",
        "_upgrade",
        "_version",
        "before",
        "blob",
        "content",
        "kind",
    )

    content: T

    def __init__(self, kind: type[T], key: str, version: int, upgrade: Upgrade | None) -> None:
        if type(version) is not int or version < 1:
            raise ConfigError(f"version={version!r}: write a whole number from 1")
        if upgrade is not None and not callable(upgrade):
            raise ConfigError(f"upgrade={upgrade!r}: write a function of a version and its fields")
        self._fields = _fields(kind)
        self._key = key
        self._upgrade = upgrade
        self._version = version
        self.before = self.blob = b""
        self.kind = kind

    def load(self, stored: Value) -> None:
        """Make the object of a stored value; of an empty one with the defaults of its class.

        Raises:
            ViewMismatch: the value does not fit the class.
        """
        self.content = self._make(stored)
        self._parts = containers(self.content, _items)

    def refresh(self, stored: Value) -> bool:
        """Put a newer value into the object that the application holds; False if it takes none.

        What is the same stays, and a list, dict or set takes the new content in itself: whoever
        holds one goes on with it.
        """
        try:
            new = self._make(stored)
        except (ConfigError, ViewMismatch):  # the next ``view`` says so, not the one who saves
            return False
        for name in self._fields:
            held, value = getattr(self.content, name), getattr(new, name)
            if not same(_plain(held), _plain(value)) and refresh(held, value) is not held:
                try:
                    setattr(self.content, name, value)
                except (AttributeError, TypeError, ValueError):  # frozen, each in its own words
                    return False
        self._parts = containers(self.content, _items)
        return True

    def new_paths(self) -> list[Path]:
        """Return where in the value a list, dict or set was put into the object as a new one."""
        return new_paths(self.content, self._parts, (self._key,), _items)

    def dump(self) -> Value:
        """Return the value to store."""
        plain = _dump(self.content, self._fields)
        if self._version != 1:
            plain[_VERSION] = self._version
        return plain

    def check(self, plain: Value) -> None:
        """Make sure that what is to be stored could be read again.

        Raises:
            UnsupportedValue: somebody has put something in that the class does not take.
        """
        try:
            self._make(plain)
        except ViewMismatch:
            why = f"what was put into it does not fit the fields of {self.kind.__name__}"
            raise UnsupportedValue(why, self._key) from None

    def _make(self, stored: Value) -> T:
        if not isinstance(stored, dict):
            raise ViewMismatch(self._key, self.kind.__name__, f"it is a {type(stored).__name__}")
        given: dict[Any, Any] = stored
        fields = {name: one for name, one in given.items() if name != _VERSION}
        version: Any = given.get(_VERSION, 1) if fields else self._version
        if version != self._version:
            fields = self._upgrade_fields(version, fields)
        try:
            return _convert(fields, self.kind)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            if not fields:
                raise ConfigError(f"view({self.kind!r}): give each field a default") from None
            where = _place(error, self._fields)
            why = f"it does not fit the fields of version {self._version}{where}"
            raise ViewMismatch(self._key, self.kind.__name__, why) from _nameless(error)

    def _upgrade_fields(self, version: Any, fields: dict[Any, Any]) -> dict[Any, Any]:
        """Return the fields of this layout, given those of another one."""
        if self._upgrade is None:  # to guess would drop the fields that only the other one has
            why = f"it is of version {version!r}, the class of {self._version}"
            raise ViewMismatch(self._key, self.kind.__name__, why)
        made = self._upgrade(version, fields)
        if not isinstance(made, Mapping):
            raise ConfigError(f"upgrade returned a {type(made).__name__}; return a dict of fields")
        return dict(made)


def refresh(held: Any, new: Any) -> Any:
    """Return the new value; in the object that the application holds, where it can change."""
    if not isinstance(held, type(new)):
        return new
    try:
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
    except (AttributeError, TypeError):  # a derived class that cannot change
        return new
    return held


def _fields(kind: object) -> Mapping[str, str]:
    names = _names(kind) if isinstance(kind, type) else None
    if names is None:
        raise ConfigError(
            f"view({kind!r}): write a dataclass, a msgspec Struct or a pydantic model"
        )
    if _VERSION in names.values():
        raise ConfigError(f"view({kind!r}): rename its field {_VERSION!r}")
    return names


def _convert(fields: Mapping[Any, Any], kind: type[T]) -> T:
    if _is_pydantic(kind):
        made: T = cast("Any", kind).model_validate(fields)
        return made
    try:
        return msgspec.convert(fields, kind, builtin_types=_KEPT)
    except TypeError as error:  # of the class alone: it says nothing of what is stored
        raise ConfigError(f"view({kind!r}): {error}") from None


def _is_pydantic(kind: type) -> bool:
    """Tell so by its methods: the library need not be there."""
    return hasattr(kind, "model_validate") and hasattr(kind, "model_fields")


def _plain(value: Any) -> Any:
    """Return a value without classes of the application: objects are dicts of their fields."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return kind(map(_plain, value))
    names = _names(type(value))
    return value if names is None else _dump(value, names)


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return the items of a dict, or the fields of an object: the ways on from a value."""
    kind = type(value)
    if kind in UNCHANGING:
        return ()
    if issubclass(kind, dict):
        return dict_items(value)
    names = _names(kind) or {}
    return [(stored, getattr(value, name)) for name, stored in names.items()]


def _dump(content: object, names: Mapping[str, str]) -> dict[str, Any]:
    """Return an object's fields under the names they are stored by, with a Struct's tag."""
    plain = {stored: _plain(getattr(content, name)) for name, stored in names.items()}
    if isinstance(content, msgspec.Struct):
        config = content.__struct_config__
        if config.tag_field is not None:
            plain[config.tag_field] = config.tag
    return plain


def _names(kind: type) -> Mapping[str, str] | None:
    """Return the names of a class's fields, each with the one it is stored by.

    None where it is no class of that sort.
    """
    if dataclasses.is_dataclass(kind):
        return {field.name: field.name for field in dataclasses.fields(kind)}
    if issubclass(kind, msgspec.Struct):
        return dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    return _pydantic_names(cast("Any", kind)) if _is_pydantic(kind) else None


def _pydantic_names(kind: Any) -> Mapping[str, str]:
    """Return them; one that cannot be read by its name would be lost, and is refused."""
    config = kind.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    for name, field in kind.model_fields.items():
        if field.validation_alias is not None and not by_name:
            raise ConfigError(
                f"view({kind!r}): its field {name!r} has an alias; write "
                "model_config = ConfigDict(populate_by_name=True)"
            )
    return {name: name for name in kind.model_fields}


def _place(error: Exception, fields: Mapping[str, str]) -> str:
    """Tell at which field an error is, if it says so: the name alone, never what is stored."""
    if hasattr(error, "errors"):  # pydantic
        places = [place for line in error.errors() for place in line["loc"][:1]]
    else:
        places = _QUOTED.findall(str(error))
    named = [place for place in places if place in fields.values()]
    return f", at {named[-1]}" if named else ""


def _nameless(error: Exception) -> Exception:
    """Return an error of the same kind without its text, which may quote what was stored."""
    return msgspec.ValidationError(f"{type(error).__name__}, whose text may quote a stored value")
