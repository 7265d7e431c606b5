"""What a store promises about itself: its shape, its name, its secret and its end."""

from collections.abc import Callable

import pytest

from sessile.core.flow import Flow, run
from sessile.errors import StoreClosed
from sessile.stores.contract import Capability, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Async, Drive
from sessile.testing.place import needs, unless
from sessile.testing.sample import change, key, login, record

ACTS: dict[str, Callable[[Store], Flow[object]]] = {
    "read": lambda store: store.read(key("a")),
    "create": lambda store: store.create(record()),
    "commit": lambda store: store.commit(change(record())),
    "replace": lambda store: store.replace(login(record())),
    "delete": lambda store: store.delete(key("a")),
    "end everybody": lambda store: store.end_everybody(),
    "sweep": lambda store: store.sweep(T0),
    "ping": lambda store: store.ping(),
}
"""The acts that every store can be asked for, by name."""


class Lifecycle:
    """Opened, used, closed, and no longer used."""

    def test_store_has_the_shape_of_the_contract(self, store: Store) -> None:
        """A store has every method and attribute of the contract, whatever it is capable of."""
        assert isinstance(store, Store)
        assert isinstance(store.capabilities, Capability)
        assert store.name

    def test_open_store_answers(self, store: Store, drive: Drive) -> None:
        """An open store answers a ping."""
        drive(store.ping())

    def test_closing_twice_is_no_error(self, store: Store, drive: Drive) -> None:
        """A store that was closed can be closed again."""
        drive(store.create(record()))
        drive(store.close())
        drive(store.close())

    def test_unused_store_can_be_closed(self, store: Store, drive: Drive) -> None:
        """A store that was never asked anything closes like any other."""
        drive(store.close())

    def test_closed_store_says_so(self, store: Store, drive: Drive) -> None:
        """Whatever is asked of a closed store, the error says that it was closed."""
        drive(store.ping())
        drive(store.close())
        for act in ACTS.values():
            with pytest.raises(StoreClosed):
                drive(act(store))

    @needs(Capability.OWNERS)
    def test_closed_index_says_so(self, store: Store, drive: Drive) -> None:
        """The index of a closed store was closed with it."""
        drive(store.close())
        with pytest.raises(StoreClosed):
            drive(store.replace(login(record(owner="alice"))))
        with pytest.raises(StoreClosed):
            drive(store.owned_by("alice"))
        with pytest.raises(StoreClosed):
            drive(store.delete_owned("alice"))

    @needs(Capability.SCAN)
    def test_closed_scan_says_so(self, store: Store, drive: Drive) -> None:
        """A closed store has no pages."""
        drive(store.close())
        with pytest.raises(StoreClosed):
            drive(store.scan())
        with pytest.raises(StoreClosed):
            drive(store.count())

    def test_both_colours_are_one_store(self, store: Store, drive: Drive) -> None:
        """What was written in one colour is read in the other, by one handle, in turn."""
        loop = Async()
        try:
            run(store.create(record()))
            assert loop(store.read(key("a"))) == record()
            loop(store.commit(change(record(), {"n": b"1"})))
            assert run(store.read(key("a"))) == change(record(), {"n": b"1"}).record
        finally:
            loop(store.close())
            loop.close()

    @needs(Capability.NETWORK)
    def test_network_store_keeps_no_secret(self, store: Store) -> None:
        """A store that servers share refuses a secret that one of them drew."""
        assert store.keep_secret(b"\x01" * 32) is None

    @unless(Capability.NETWORK)
    def test_local_store_keeps_its_first_secret(self, store: Store) -> None:
        """A store on this host keeps the first secret it was given, and goes on returning it."""
        first = store.keep_secret(b"\x01" * 32)

        assert first == b"\x01" * 32
        assert store.keep_secret(b"\x02" * 32) == first

    @unless(Capability.NETWORK)
    @needs(Capability.SHARED)
    def test_handles_share_a_secret(self, store: Store, other: Store) -> None:
        """Two handles on the same data keep the same secret, whoever came first."""
        assert store.keep_secret(b"\x01" * 32) == other.keep_secret(b"\x02" * 32)
