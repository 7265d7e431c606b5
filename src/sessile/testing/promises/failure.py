"""What a store promises when its server is gone, frozen, or a request is cancelled half way."""

import asyncio
from time import monotonic, sleep

import pytest

from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Capability, Key, Record, Store
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.promises.lifecycle import ACTS
from sessile.testing.sample import change, key, login, record, records_of

LIMIT = 5.0
"""Seconds within which an act gives up; half a second is usual, the rest is for busy machines."""

ASKING = ("read", "create", "commit", "replace", "delete", "end everybody", "ping")
TURNS = 12


class Failure:
    """An outage is honest and short, and what comes after it is sound."""

    @needs(Place.stop, Place.start)
    def test_stopped_server_is_unavailable(self, store: Store, drive: Drive, place: Place) -> None:
        """While the server is gone every act says so in time, with its cause; none says None."""
        drive(store.create(record()))
        place.stop()
        try:
            for act in ASKING:
                began = monotonic()
                with pytest.raises(StoreUnavailable) as refused:
                    drive(ACTS[act](store))
                assert monotonic() - began < LIMIT
                assert refused.value.__cause__ is not None
                assert refused.value.store == store.name
        finally:
            place.start()

    @needs(Place.stop, Place.start)
    def test_store_heals(self, store: Store, drive: Drive, place: Place) -> None:
        """Once the server is back the same store goes on, without being told."""
        drive(store.ping())
        place.stop()
        try:
            with pytest.raises(StoreUnavailable):
                drive(store.read(key("a")))
        finally:
            place.start()

        drive(store.create(record("new")))
        assert drive(store.read(key("new"))) == record("new")

    @needs(Place.stop, Place.start)
    def test_store_can_be_opened_before_its_server(self, drive: Drive, place: Place) -> None:
        """A store that is opened while the server is gone fails when it is asked, and heals."""
        place.stop()
        try:
            early = place.open()
            with pytest.raises(StoreUnavailable):
                drive(early.ping())
        finally:
            place.start()
        drive(early.ping())
        drive(early.close())

    @needs(Place.freeze, Place.thaw)
    def test_frozen_server_is_unavailable_in_time(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """A server that takes a write and never answers costs no more than the time limit."""
        drive(store.ping())
        place.freeze()
        try:
            began = monotonic()
            with pytest.raises(StoreUnavailable) as refused:
                drive(store.create(record()))
            assert monotonic() - began < LIMIT
            assert refused.value.__cause__ is not None
        finally:
            place.thaw()

    @needs(Place.freeze, Place.thaw)
    def test_late_answer_goes_to_nobody(self, store: Store, drive: Drive, place: Place) -> None:
        """An answer that comes too late is never taken for the answer to another act."""
        first, second = record("a"), record("b")
        drive(store.create(first))
        drive(store.create(second))
        update = change(first, {"n": b"1"})
        place.freeze()
        try:
            with pytest.raises(StoreUnavailable):
                drive(store.commit(update))
        finally:
            place.thaw()

        for _ in range(3):
            assert drive(store.read(key("b"))) == second
            assert drive(store.read(key("never"))) is None
        assert drive(store.read(key("a"))) in (first, update.record)

    @needs(Capability.OWNERS, Place.freeze, Place.thaw)
    def test_login_that_was_given_up_is_not_carried_out_later(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """When the server goes on, it ends nobody for a login, or a list, that nobody waits for."""
        held = record("held", owner="alice")
        drive(store.replace(login(held, limit=1)))
        began = monotonic()
        place.freeze()
        try:
            with pytest.raises(StoreUnavailable):
                drive(store.replace(login(record("late", owner="alice"), limit=1)))
            with pytest.raises(StoreUnavailable):
                drive(store.delete_owned("alice"))
            sleep(monotonic() - began)  # as long again: longer than any time limit that was over
        finally:
            place.thaw()
        for _ in range(3):
            drive(store.ping())

        assert records_of(store, drive, "alice") == [held]
        assert drive(store.read(key("late"))) is None

    @needs(Place.freeze, Place.thaw)
    def test_act_cancelled_while_it_waits_leaves_the_store_sound(self, place: Place) -> None:
        """A request that is cancelled while the server is silent harms no later one."""

        async def scenario() -> None:
            store = place.open()
            await arun(store.create(record("a")))
            await arun(store.create(record("b")))
            place.freeze()
            try:
                await cancel_commit(store, record("a"), TURNS)
            finally:
                place.thaw()
            await check_sound(store, record("a"))
            await arun(store.close())

        asyncio.run(scenario())

    def test_act_cancelled_anywhere_leaves_the_store_sound(self, place: Place) -> None:
        """A commit cancelled anywhere was made whole or not at all, and the next act works."""

        async def scenario() -> None:
            store = place.open()
            await arun(store.create(record("b")))
            for turns in range(TURNS):
                row = record(f"row {turns}")
                await arun(store.create(row))
                await cancel_commit(store, row, turns)
                await check_sound(store, row)
            await arun(store.close())

        asyncio.run(scenario())


async def cancel_commit(store: Store, row: Record, turns: int) -> None:
    """Begin a commit, let the loop turn so often, and cancel it."""

    async def request() -> object:
        return await arun(store.commit(change(row, {"n": b"1"})))

    task = asyncio.create_task(request())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def check_sound(store: Store, row: Record) -> None:
    """Check that the row is as before or as committed, and that every answer has its question."""
    written = change(row, {"n": b"1"}).record
    for _ in range(3):
        assert await arun(store.read(key("b"))) == record("b")
        assert await arun(store.read(key("never"))) is None
        assert await arun(store.read(Key(row.key))) in (row, written)
