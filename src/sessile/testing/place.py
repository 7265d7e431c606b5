"""Where the store of one test keeps its data, and what a backend can show of itself.

``conformance`` opens stores here; ``needs`` is how a promise says what it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sessile.core.value import Instant
from sessile.stores.contract import Capability, Key, Store

F = TypeVar("F", bound=Callable[..., object])
Need: TypeAlias = Capability | type | Callable[..., object]
"""Something that a promise takes: of a store, or of its place."""


class Place:
    """A fresh, empty place for the data of one test.

    Subclass it for a backend: ``open`` is needed, everything else is offered by overriding it. A
    promise that takes what a place does not offer is not collected, and the matrix says so.

    Args:
        folder: an empty directory of this test's own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> Store:
        """Open a store here. Opened again, it is a second handle on the same data."""
        raise NotImplementedError

    def leave(self) -> None:
        """Give back what the place took; the stores in it are closed already."""

    def neighbour(self) -> Store:
        """Open a store beside this one: the same server or file, another prefix.

        Choose the prefix so that the two are easily mixed up, as ``a`` and ``a:``.
        """
        raise NotImplementedError

    def open_with_password(self, password: str) -> Store:
        """Open a store that is reached with a password, which its server does not take."""
        raise NotImplementedError

    def dump(self) -> bytes:
        """Return every byte that the backend holds of this place."""
        raise NotImplementedError

    def spoil(self, key: Key, blob: bytes) -> None:
        """Put these bytes where the row of that key, which exists, keeps its record."""
        raise NotImplementedError

    def server_expiry(self, key: Key) -> Instant:
        """Return the time at which the server itself will remove the row of that key."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the server; the data may be lost. ``start`` follows."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server that was stopped."""
        raise NotImplementedError

    def freeze(self) -> None:
        """Make the server take new writes and never answer them. ``thaw`` follows."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let the frozen server go on."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of store under test.

    Args:
        name: as it stands in the ids of tests and at the head of its column.
        store: its class; the capabilities it declares decide what it is asked.
        place: where it keeps its data.
    """

    name: str
    store: type[Any]
    place: type[Place]

    def lacks(self, promise: Callable[..., object]) -> str | None:
        """Return why this backend is not asked that promise; None when it is."""
        takes: tuple[Need, ...] = getattr(promise, "takes", ())
        for need in takes:
            if isinstance(need, Capability):
                if need not in self.store.capabilities:
                    return f"has no {need.name}"
            elif isinstance(need, type):
                if not issubclass(self.store, need):
                    return f"is no {need.__name__}"
            elif getattr(self.place, need.__name__) is need:
                return f"has a place without {need.__name__}()"
        excused: Capability = getattr(promise, "excused", Capability(0))
        found = excused & self.store.capabilities
        return f"has {found.name}" if found else None


def needs(*takes: Need) -> Callable[[F], F]:
    """Ask a promise only of stores with these capabilities, at places that offer these methods.

    ``@needs(Capability.OWNERS, Place.spoil)``; an ability is a protocol, as ``HasSize``.
    """

    def mark(promise: F) -> F:
        promise.takes = takes  # type: ignore[attr-defined]
        return promise

    return mark


def unless(excused: Capability) -> Callable[[F], F]:
    """Do not ask a promise of stores with one of these capabilities."""

    def mark(promise: F) -> F:
        promise.excused = excused  # type: ignore[attr-defined]
        return promise

    return mark
