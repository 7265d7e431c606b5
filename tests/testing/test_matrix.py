"""The matrix: which promise is asked of which store, for readers and for whoever runs the tests."""

import re

from harness.reference_store import ReferenceStore, place_of
from sessile.stores.memory import MemoryStore
from sessile.testing.conformance import StoreContract
from sessile.testing.matrix import summary, table
from sessile.testing.place import Backend, Place


class TwoStores(
    StoreContract,
    backends=[
        Backend("memory", MemoryStore, Place),
        Backend("served", ReferenceStore, place_of(ReferenceStore)),
    ],
):
    """Looked at, not collected."""


def test_table_has_a_row_for_each_promise():
    """The documentation's table says of each promise, in its own words, which store is asked."""
    rows = table(TwoStores).splitlines()

    assert rows[:2] == ["| promise | memory | served |", "| --- | --- | --- |"]
    assert "| A key that was never written is None, never an error. | ✓ | ✓ |" in rows
    assert "| The same user under another prefix is another user. | - | ✓ |" in rows
    assert "| **OwnerLimits** |  |  |" in rows
    assert len(rows) == 2 + len(TwoStores.promises) + len(StoreContract.__bases__)


def test_summary_counts_each_group():
    """The summary says how many promises of a group each store is asked, and why not all."""
    told = summary(TwoStores)

    assert re.search(r"^Reading +3/3 +3/3$", told, re.MULTILINE)
    assert re.search(r"^Neighbours +0/4 +4/4$", told, re.MULTILINE)
    assert "served has NETWORK, so it is not asked: local_store_keeps_its_first_secret," in told
    assert "served has no SHARED" not in told
