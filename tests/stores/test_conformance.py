"""Every store keeps every promise, in both colours. A new store is one line in ``BACKENDS``."""

from harness.backends import BACKENDS, VALKEY
from sessile.testing.conformance import SessionContract, StoreContract


class TestStores(SessionContract, backends=BACKENDS):
    """One line a store."""


class TestValkey(StoreContract, backends=[VALKEY]):
    """Valkey keeps what Redis does; what the service promises over either is asked of Redis."""
