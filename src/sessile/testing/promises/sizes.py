"""What a store promises that says how large it is: ``HasSize``."""

from secrets import token_bytes

import pytest

from sessile.errors import StoreClosed, StoreUnavailable
from sessile.stores.contract import Extent, HasSize, Store
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.sample import key, record

MANY = 25
FAT = 1 << 18
"""Bytes of a value that is no overhead, and that nobody can make smaller."""


class Sizes:
    """Who asks how large a store is, is told what is there."""

    @needs(HasSize)
    def test_size_counts_what_is_there(self, store: Store, drive: Drive) -> None:
        """Every record that was stored and not removed counts, and no other where it can tell.

        An estimate may have what was removed a moment ago.
        """
        assert isinstance(store, HasSize)
        for n in range(MANY + 1):
            drive(store.create(record(f"row {n}")))
        drive(store.delete(key("row 0")))
        size = drive(store.size())

        assert size.records >= MANY
        if size.records_of is Extent.STORE:
            assert size.records <= MANY + size.is_estimate

    @needs(HasSize)
    def test_size_has_the_bytes_of_what_is_there(self, store: Store, drive: Drive) -> None:
        """What is stored takes its own bytes at least."""
        assert isinstance(store, HasSize)
        for n in range(3):
            drive(store.create(record(f"row {n}", data={"v": token_bytes(FAT)})))
        taken = drive(store.size()).bytes

        assert taken is not None
        assert taken >= 3 * FAT

    @needs(HasSize)
    def test_closed_size_says_so(self, store: Store, drive: Drive) -> None:
        """A closed store has no size."""
        assert isinstance(store, HasSize)
        drive(store.close())
        with pytest.raises(StoreClosed):
            drive(store.size())

    @needs(HasSize, Place.stop, Place.start)
    def test_stopped_server_has_no_size(self, store: Store, drive: Drive, place: Place) -> None:
        """While the server is gone nobody is told that it is empty."""
        assert isinstance(store, HasSize)
        drive(store.size())
        place.stop()
        try:
            with pytest.raises(StoreUnavailable):
                drive(store.size())
        finally:
            place.start()
