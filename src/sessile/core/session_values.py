"""The values of the session that an application holds. ``core.session`` adds whose they are.

``core.state`` is behind them. Whatever an application calls, here or there, notes that the answer
depends on the session.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from sessile.core.attributes import advise_setter
from sessile.core.state import SessionState
from sessile.core.value import Number, Value
from sessile.core.view import Upgrade

T = TypeVar("T")

FLASHES: Final = "_flashes"


class SessionValues(MutableMapping[str, Any]):
    """A mapping whose changes are stored when the request is committed.

    What is set is typed, as a ``Value``; what is read is ``Any``: the application knows what it has
    put there.

    Args:
        state: what the service knows of the session.
    """

    __slots__ = ("_held",)
    _held: SessionState

    def __init__(self, state: SessionState) -> None:
        object.__setattr__(self, "_held", state)  # without asking, as ours below would

    if not TYPE_CHECKING:  # to a checker any attribute could be set then

        def __setattr__(self, name: str, value: object) -> None:
            """Set what can be set, as ``modified``; say of anything else what to write instead."""
            if hasattr(getattr(type(self), name, None), "__set__"):
                try:
                    object.__setattr__(self, name, value)
                except AttributeError:
                    pass
                else:
                    return
            raise AttributeError(advise_setter(type(self), name), name=name, obj=self)

    @property
    def _state(self) -> SessionState:
        """What is behind it, from here on known to have been looked at."""
        state = self._held
        state.accessed = True
        return state

    def _open_state(self) -> SessionState:
        """Return the state for a change; refuse one that would be lost."""
        state = self._state
        state.check_open()
        return state

    def __getitem__(self, key: str) -> Any:
        return self._state.values[key]

    def __setitem__(self, key: str, value: Value) -> None:
        self._open_state().values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._open_state().values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.values)

    def __len__(self) -> int:
        return len(self._state.values)

    def __contains__(self, key: object) -> bool:
        return key in self._state.values

    def __ior__(self, other: Mapping[str, Value]) -> Self:
        self.update(other)
        return self

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return a value, or the default.

        An empty list, dict or set as the default is what parallel requests begin with that then
        assign one: they keep each other's items, as those do that change a stored one.
        """
        return self._state.values.get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value; store the default where there is none, unless a rival stores another."""
        try:
            return self._state.values[key]
        except KeyError:
            return self._open_state().values.begin(key, default)

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last item."""
        return self._open_state().values.popitem()

    def clear(self) -> None:
        """Remove every value."""
        self._open_state().values.clear()

    def flash(self, message: str, category: str = "message") -> None:
        """Leave a message for the next page. Parallel flashes are all kept."""
        self.setdefault(FLASHES, []).append((category, message))

    def flashes(self) -> list[tuple[str, str]]:
        """Take the waiting messages, as (category, message), oldest first."""
        if FLASHES not in self:
            return []
        return cast("list[tuple[str, str]]", self.pop(FLASHES))

    def increment(self, key: str, by: Number = 1) -> Number:
        """Add to a number and return the sum; parallel increments add up.

        A missing key counts from zero.

        Raises:
            UnsupportedValue: what stands there, or ``by``, is no int, float or Decimal.
        """
        return self._open_state().values.increment(key, by)

    def view(
        self,
        kind: type[T],
        key: str | None = None,
        *,
        version: int = 1,
        upgrade: Upgrade | None = None,
    ) -> T:
        """Return a value as an object of your own class, whose changes are noticed and merged.

        As in ``cart = session.view(Cart)`` and ``cart.items.append("socks")``. What is stored is a
        plain dict of its fields, under ``"cart"``; parallel requests that change different fields
        keep both. Where nothing is stored the class begins with its defaults, and nothing is stored
        until something is changed.

        Args:
            kind: a dataclass, a msgspec Struct or a pydantic model; each field has a default.
            key: where it is kept; None takes the name of the class in lower case.
            version: the number of the layout of its fields, one more with each change of it.
            upgrade: called with the version and the fields of a value of another layout; returns
                the fields of this one.

        Raises:
            ConfigError: it is no such class, or the key is seen as another one.
            ViewMismatch: what is stored does not fit. What was put into the object and would not
                fit is an ``UnsupportedValue`` when it is saved.
        """
        return self._state.values.view(kind, key or kind.__name__.lower(), version, upgrade)

    @property
    def modified(self) -> bool:
        """Whether there is anything to save. Setting it is allowed and does nothing.

        Frameworks teach people to write ``session.modified = True`` after a nested change; here
        nested changes are noticed without it.
        """
        return self._state.values.modified

    @modified.setter
    def modified(self, _: bool) -> None:
        self._state.accessed = True  # as any other use of the session
