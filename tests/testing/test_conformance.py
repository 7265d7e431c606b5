"""The suite itself: sound stores pass it, whatever they are capable of."""

from sessile.testing.conformance import StoreContract
from sessile.testing.place import Backend
from stores.pretend import Expiring, Filed, Served, place_of


class TestSoundStores(
    StoreContract, backends=[Backend(s.__name__, s, place_of(s)) for s in (Served, Filed, Expiring)]
):
    """Between them they are asked every promise there is."""
