"""What the hooks hear of a store that fails, and of how long things took."""

import pytest

from sessile import Sessions
from sessile.core.flow import run
from sessile.errors import LostRace, StoreUnavailable
from sessile.service import events
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.world import HOME, World


class FailingStore(MemoryStore):
    """A store that can be switched off, or made to let rivals win."""

    down = busy = False

    async def read(self, key):
        if self.down:
            raise StoreUnavailable(self.name, "refused")
        return await super().read(key)

    async def commit(self, change):
        if self.busy:
            raise LostRace(change.record.key, attempts=3)
        return await super().commit(change)


class Heard(list):
    """A hook that is told how long things took."""

    timed = True

    def __call__(self, event):
        self.append(event)


@pytest.fixture
def world():
    world = World(FailingStore(), run)
    world.ask(lambda session: session.login("alice"))
    world.events.clear()
    return world


def test_failing_store_is_told_with_whose_request_it_was(world):
    """An outage is one event, with the store's own words and the client's address."""
    context_of(world.sessions).store.down = True
    with pytest.raises(StoreUnavailable):
        world.ask()
    (told,) = world.events

    assert isinstance(told, events.StoreFailing)
    assert (told.store, told.why, told.client.address) == ("memory://", "refused", HOME)


def test_lost_race_is_told_as_a_failing_store(world):
    """A session that rivals change all the time is answered with 503, and told as an outage is."""
    context_of(world.sessions).store.busy = True
    with pytest.raises(LostRace):
        world.ask(lambda session: session.update(v=1))
    (told,) = world.events

    assert isinstance(told, events.StoreFailing)
    assert told.why == "3 lost races"


def test_time_is_told_of_each_part_to_timers_alone(world):
    """A hook that is timed hears how long opening and saving took; the others do not."""
    plain, timed = [], Heard()
    world.sessions = Sessions(
        store=context_of(world.sessions).store, hooks=[plain.append, timed], clock=world.clock
    )
    world.ask(lambda session: session.update(v=1), cookie="")
    context_of(world.sessions).store.down = True
    with pytest.raises(StoreUnavailable):
        world.ask()
    took = [(event.work, event.failed) for event in timed if isinstance(event, events.Timed)]

    assert took == [
        (events.Work.OPEN, False),
        (events.Work.SAVE, False),
        (events.Work.OPEN, True),
    ]
    assert [type(event) for event in plain] == [events.Created, events.StoreFailing]
    assert all(event.took >= 0 for event in timed if isinstance(event, events.Timed))
