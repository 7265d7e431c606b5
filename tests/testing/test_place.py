"""A backend says what it is asked, and why it is not asked the rest."""

import pytest

from harness.reference_store import ReferenceStore, place_of
from sessile.stores.contract import Capability
from sessile.stores.memory import MemoryStore
from sessile.testing.place import Backend, Place, needs, unless


class OwnersAlone(ReferenceStore):
    """A store that cannot list its rows."""

    capabilities = Capability.OWNERS


@needs(Capability.SCAN, Place.dump)
def promise():
    """Stand for a promise that takes a capability and a place's method."""


@unless(Capability.SCAN)
def excuse():
    """Stand for a promise that some stores replace by another one."""


@pytest.mark.parametrize(
    ("store", "place", "why"),
    [
        (MemoryStore, Place, "has a place without dump()"),
        (ReferenceStore, place_of(ReferenceStore), None),
        (OwnersAlone, Place, "has no SCAN"),
    ],
)
def test_backend_says_why_it_is_not_asked(store, place, why):
    """The reason is the first thing that is missing: a capability or a method of the place."""
    assert Backend("it", store, place).lacks(promise) == why


def test_backend_is_excused_from_what_it_does_otherwise():
    """A store with the capability that excuses it is not asked."""
    assert Backend("it", ReferenceStore, Place).lacks(excuse) == "has SCAN"
