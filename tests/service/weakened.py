"""Weakened services and the promises they break: what both tables of them are made with."""

import pytest

from sessile.errors import SessionError
from sessile.stores.memory import MemoryStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.accounts import Accounts
from sessile.testing.promises.bindings import Bindings
from sessile.testing.promises.events import Events
from sessile.testing.promises.locks import Locks
from sessile.testing.promises.proofs import Proofs
from sessile.testing.promises.thefts import Thefts

FAILURES = (
    AssertionError,
    pytest.fail.Exception,  # nothing was raised where something had to be
    ValueError,  # the one event that was to be told is none, or two
    SessionError,  # refused where nothing was to be
)
"""How a promise fails."""


class Promises(Bindings, Locks, Proofs, Thefts, Accounts, Events):
    """All promises that hold a thief."""


class Table(list):
    """Weakened services, each with a promise it breaks."""

    def breaks(self, promise, **arguments):
        """Enter a weakened service under a promise, asked with these arguments."""

        def enter(weaken):
            name = f"{weaken.__name__}: {promise}"
            self.append(pytest.param(weaken, promise, arguments, id=name))
            return weaken

        return enter


def ask(promise, arguments):
    """Ask a promise of the service as it stands."""
    getattr(Promises(), f"test_{promise}")(MemoryStore(), Blocking(), **arguments)
