"""A backend says what it is asked, and why it is not asked the rest."""

import pytest

from harness.reference_store import ReferenceStore, place_of
from sessile.stores.contract import Capability, HasSize
from sessile.stores.memory import MemoryStore
from sessile.testing.place import Backend, Place, needs, unless


class OwnersAlone(ReferenceStore):
    """A store that cannot list its rows."""

    capabilities = Capability.OWNERS


class Sizeless(ReferenceStore):
    """A store that does not say how large it is."""

    size = None


@needs(Capability.SCAN, Place.dump)
def promise():
    """Stand for a promise that takes a capability and a place's method."""


@needs(HasSize)
def ability():
    """Stand for a promise that takes an ability."""


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


def test_promise_of_an_ability_is_asked_of_those_who_have_it():
    """An ability is a protocol: a store that has its methods is asked."""
    assert Backend("it", ReferenceStore, Place).lacks(ability) is None
    assert Backend("it", Sizeless, Place).lacks(ability) == "is no HasSize"


def test_backend_is_excused_from_what_it_does_otherwise():
    """A store with the capability that excuses it is not asked."""
    assert Backend("it", ReferenceStore, Place).lacks(excuse) == "has SCAN"
