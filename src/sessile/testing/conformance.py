"""Test your own store: every promise of ``stores.contract``, in both colours, in three lines.

pytest and hypothesis are all it takes (``pip install sessile[testing]``)::

    # test_my_store.py
    from sessile.testing.conformance import StoreContract
    from sessile.testing.place import Backend, Place

    class Folder(Place):
        def open(self):
            return MyStore(self.folder / "sessions.db")

    class TestMyStore(StoreContract, backends=[Backend("mine", MyStore, Folder)]): ...

What your place can show besides (a dump of its bytes, a server to stop, a second prefix) it offers
by overriding more of ``Place``; each method brings the promises that need it. A promise that your
store's ``capabilities`` or your place do not cover is not collected; ``matrix.summary`` lists
those, and pytest prints the same table at its end. ``SESSILE_PROFILE=deep`` lets the model search.

``StoreContract`` asks about the store alone. ``SessionContract`` asks, besides, whether sessile's
own service keeps its promises over it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest

from sessile.stores.contract import Store
from sessile.testing import matrix
from sessile.testing.drive import COLOURS, Drive
from sessile.testing.place import Backend, Place
from sessile.testing.promises.accounts import Accounts
from sessile.testing.promises.bindings import Bindings
from sessile.testing.promises.bounds import OwnerBounds
from sessile.testing.promises.concurrency import Concurrency
from sessile.testing.promises.creating import Creating
from sessile.testing.promises.deleting import Deleting
from sessile.testing.promises.events import Events
from sessile.testing.promises.everybody import Everybody
from sessile.testing.promises.failure import Failure
from sessile.testing.promises.feeds import Feeds
from sessile.testing.promises.fidelity import Fidelity
from sessile.testing.promises.grants import Grants
from sessile.testing.promises.integrity import Integrity
from sessile.testing.promises.interruptions import Interruptions
from sessile.testing.promises.lifecycle import Lifecycle
from sessile.testing.promises.lifetimes import Lifetimes
from sessile.testing.promises.limits import OwnerLimits
from sessile.testing.promises.locks import Locks
from sessile.testing.promises.malformed import MalformedRows
from sessile.testing.promises.neighbours import Neighbours
from sessile.testing.promises.outages import Outages
from sessile.testing.promises.owners import Owners
from sessile.testing.promises.principals import Principals
from sessile.testing.promises.proofs import Proofs
from sessile.testing.promises.reading import Reading
from sessile.testing.promises.replacing import Replacing
from sessile.testing.promises.replay_locks import ReplayLocks
from sessile.testing.promises.retries import Retries
from sessile.testing.promises.scanning import Scanning
from sessile.testing.promises.secrecy import Secrecy
from sessile.testing.promises.sharing import Sharing
from sessile.testing.promises.sizes import Sizes
from sessile.testing.promises.stale import StaleTickets
from sessile.testing.promises.stateful import Stateful
from sessile.testing.promises.sweeping import Sweeping
from sessile.testing.promises.thefts import Thefts
from sessile.testing.promises.tickets import Tickets
from sessile.testing.promises.two_addresses import TwoAddresses
from sessile.testing.promises.unrotated import UnrotatedRequests
from sessile.testing.promises.versions import Versions
from sessile.testing.promises.watching import Watching
from sessile.testing.promises.watching_feeds import WatchingFeeds

Promise: TypeAlias = Callable[..., None]


def _promises(contract: type) -> Iterator[tuple[str, Promise]]:
    """Yield the promises of a contract, group by group, its own last."""
    for group in (*contract.__mro__[1:], contract):
        for name, promise in vars(group).items():
            if name.startswith("test_") and promise is not None:
                yield name, promise


class StoreContract(
    Reading, MalformedRows, Fidelity, Creating, Versions, Deleting, Owners, OwnerLimits,
    OwnerBounds, Replacing, Everybody, Scanning, Sizes, Sweeping, Sharing, Neighbours, Secrecy,
    Lifecycle, Failure, Feeds, Stateful,
):  # fmt: skip
    """What every store promises. Subclass it with ``backends=[...]``; pytest does the rest.

    Attributes:
        backends: what is asked.
        promises: everything that could be asked, by name, in the order of the groups.
    """

    backends: ClassVar[tuple[Backend, ...]] = ()
    promises: ClassVar[dict[str, Promise]] = {}

    def __init_subclass__(
        cls, *, backends: Iterable[Backend], groups: Collection[type] = (), **kwargs: Any
    ) -> None:
        """Take the backends, and leave out the promises that none of them is asked.

        Where groups of promises are named, no others are asked.
        """
        super().__init_subclass__(**kwargs)
        cls.backends = tuple(backends)
        whole = dict(_promises(cls))
        names = {name for group in groups for name in vars(group)} if groups else whole.keys()
        cls.promises = {name: promise for name, promise in whole.items() if name in names}
        for name, promise in whole.items():
            is_asked = name in names and not all(b.lacks(promise) for b in cls.backends)
            if cls.backends and not is_asked:
                setattr(cls, name, None)  # pytest collects callables only

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Ask a promise of each backend that it applies to, in each colour it is driven in."""
        matrix.include(metafunc.config, type(self))
        asked = [b for b in self.backends if not b.lacks(metafunc.function)]
        if "backend" in metafunc.fixturenames:
            metafunc.parametrize("backend", asked, ids=[backend.name for backend in asked])
        if "colour" in metafunc.fixturenames:
            colours = self.colours_of(metafunc.function)
            metafunc.parametrize("colour", [COLOURS[name] for name in colours], ids=colours)

    def colours_of(self, promise: Promise) -> Sequence[str]:
        """Return the colours that a promise is asked in."""
        return tuple(COLOURS)

    @pytest.fixture
    def place(self, backend: Backend, tmp_path: Path) -> Iterator[Place]:
        """Where this test's store keeps its data."""
        place = backend.place(tmp_path)
        yield place
        place.leave()

    @pytest.fixture
    def drive(self, colour: type[Drive]) -> Iterator[Drive]:
        """Finishes flows in one of the colours."""
        drive = colour()
        yield drive
        drive.close()

    @pytest.fixture
    def store(self, place: Place, drive: Drive) -> Iterator[Store]:
        """The store under test, fresh and empty."""
        store = place.open()
        yield store
        drive(store.close())

    @pytest.fixture
    def other(self, store: Store, place: Place, drive: Drive) -> Iterator[Store]:
        """A second handle on the same data."""
        other = place.open()
        yield other
        drive(other.close())

    @pytest.fixture
    def neighbour(self, place: Place, drive: Drive) -> Iterator[Store]:
        """A store on the same server or file, under another prefix."""
        neighbour = place.neighbour()
        yield neighbour
        drive(neighbour.close())


class SessionContract(
    StoreContract, Concurrency, Tickets, StaleTickets, Lifetimes, Bindings, Locks, Proofs, Grants,
    Thefts, Accounts, Events, Integrity, Outages, Interruptions, Principals, Retries,
    UnrotatedRequests, ReplayLocks, TwoAddresses, Watching, WatchingFeeds, backends=(),
):  # fmt: skip
    """What sessile's service promises on top of a store that keeps the store's contract.

    For our own suite and for the curious: it asks nothing more of a store. Subclass it in the same
    way.

    Attributes:
        service_colours: those in which the service is asked over a store. Its code is the same in
            both, so where a store is far away one of them may do.
    """

    service_colours: ClassVar[Sequence[str]] = tuple(COLOURS)

    def colours_of(self, promise: Promise) -> Sequence[str]:
        """Return both for what the store itself promises."""
        is_of_store = hasattr(StoreContract, promise.__name__)
        return super().colours_of(promise) if is_of_store else self.service_colours
