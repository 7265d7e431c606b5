"""Weakened services and the promises they break: what every table of mutations is made with."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sessile.errors import SessionError, StoreUnavailable
from sessile.stores.memory import MemoryStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.accounts import Accounts
from sessile.testing.promises.bindings import Bindings
from sessile.testing.promises.concurrency import Concurrency
from sessile.testing.promises.events import Events
from sessile.testing.promises.grants import Grants
from sessile.testing.promises.integrity import Integrity
from sessile.testing.promises.interruptions import Interruptions
from sessile.testing.promises.lifetimes import Lifetimes
from sessile.testing.promises.locks import Locks
from sessile.testing.promises.outages import Outages
from sessile.testing.promises.principals import Principals
from sessile.testing.promises.proofs import Proofs
from sessile.testing.promises.replay_locks import ReplayLocks
from sessile.testing.promises.retries import Retries
from sessile.testing.promises.stale import StaleTickets
from sessile.testing.promises.thefts import Thefts
from sessile.testing.promises.tickets import Tickets
from sessile.testing.promises.two_addresses import TwoAddresses
from sessile.testing.promises.unrotated import UnrotatedRequests
from sessile.testing.promises.watching import Watching
from sessile.testing.promises.watching_feeds import WatchingFeeds

FAILURES = (
    AssertionError,
    pytest.fail.Exception,  # nothing was raised where something had to be
    ValueError,  # the one event that was to be told is none, or two
    SessionError,  # refused where nothing was to be
    StoreUnavailable,  # an outage that was to be passed over
)
"""How a promise of a defence fails."""


class Promises(
    Concurrency, Tickets, StaleTickets, Lifetimes, Bindings, Locks, Proofs, Grants, Thefts,
    Accounts, Events, Integrity, Outages, Interruptions, Principals, Retries, UnrotatedRequests,
    ReplayLocks, TwoAddresses, Watching, WatchingFeeds,
):  # fmt: skip
    """All promises that the service keeps over any store."""


@dataclass(frozen=True)
class Mutation:
    """A weakened service, and a promise it breaks.

    Attributes:
        weaken: takes a ``MonkeyPatch`` and removes one thing with it.
        promise: the name of the promise; or a test, where it needs an event loop of its own.
        arguments: what the promise is asked with.
        store: makes the store that it is asked over.
        failures: how it may fail.
    """

    weaken: Callable
    promise: str | Callable
    arguments: dict
    store: type
    failures: tuple

    def ask(self):
        """Ask the promise of the service as it stands."""
        if callable(self.promise):
            self.promise(**self.arguments)
            return
        promise = getattr(Promises(), f"test_{self.promise}")
        promise(self.store(), Blocking(), **self.arguments)


class Table(list):
    """Mutations of one part of the service."""

    def __init__(self, *failures):
        super().__init__()
        self.failures = failures or FAILURES

    def breaks(self, promise, *, store=MemoryStore, **arguments):
        """Enter a weakened service under a promise, asked with these arguments."""

        def enter(weaken):
            mutation = Mutation(weaken, promise, arguments, store, self.failures)
            name = getattr(promise, "__name__", promise)
            self.append(pytest.param(mutation, id=f"{weaken.__name__}: {name}"))
            return weaken

        return enter
