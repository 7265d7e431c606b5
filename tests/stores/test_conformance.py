"""Every store keeps every promise, in both colours. A new store is one line in ``BACKENDS``."""

from harness.backends import BACKENDS
from sessile.testing.conformance import SessionContract


class TestStores(SessionContract, backends=BACKENDS):
    """One line a store."""
