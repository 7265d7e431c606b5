"""An operator ends everybody: every next request is anonymous, and no late one undoes it."""

import asyncio

import pytest

from sessile import Policy, Sessions
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.service import events, manage
from sessile.service.sessions import context_of
from sessile.stores.contract import OnLimit
from sessile.stores.memory import MemoryStore
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.promises.stories import logs_in, puts, reads, rotates
from sessile.testing.step import interleavings
from sessile.testing.world import World

STORES = ["memory", "sqlite"]


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    """A store with nobody in it."""
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "sessile.db")
    yield store
    run(store.close())


def inside(store, drive, **more):
    """Return a world whose browser is logged in."""
    world = World(store, drive, **more)
    world.ask(puts(cart=["hat"]))
    world.ask(logs_in())
    return world


def meetings(store, drive, act):
    """Yield each meeting of a request with the end of everybody."""
    return interleavings(
        lambda: inside(store, drive),
        lambda world: world.request(world.cookie, act),
        lambda world: manage.end_everybody(context_of(world.sessions)),
        drive=drive,
    )


def test_everybody_is_anonymous_at_the_next_request(store, drive):
    """Users and strangers alike, in both colours; whoever logs in afterwards is in."""
    for verb in ("async", "sync"):
        world = inside(store, drive)
        bob = world.ask(logs_in("bob"), cookie="").cookie
        stranger = world.ask(puts(n=1), cookie="").cookie
        if verb == "async":
            asyncio.run(world.sessions.end_everybody())
        else:
            world.sessions.sync.end_everybody()

        assert [world.ask(reads, cookie=each).user for each in (world.cookie, bob)] == [None] * 2
        assert world.values(stranger) == {}
        assert world.sessions.sync.of("alice") == []
        world.ask(logs_in())
        assert world.ask(reads).user == "alice"


def test_other_servers_refuse_at_once(tmp_path, drive):
    """A server that served the session a moment ago refuses it in the next request."""
    here, there = (SQLiteStore(tmp_path / "sessile.db") for _ in range(2))
    world, other = inside(here, drive), World(there, drive)
    assert other.ask(reads, cookie=world.cookie).user == "alice"
    world.sessions.sync.end_everybody()

    assert other.ask(reads, cookie=world.cookie).user is None
    for each in (here, there):
        run(each.close())


def test_writer_in_flight_brings_no_session_back(store, drive):
    """Wherever the end falls into a request that writes, that is answered, and all is over."""
    dropped = 0
    for met in meetings(store, drive, puts(n=1)):
        met.a.get(), met.b.get()
        dropped += len(met.world.events_of(events.Dropped))
        assert met.world.ask(reads).user is None, met.stop
        assert met.world.sessions.sync.of("alice") == [], met.stop
    assert dropped


def test_rotation_in_flight_hands_out_a_dead_ticket_at_most(store, drive):
    """A ticket that was turned while everybody was ended opens nothing."""
    for met in meetings(store, drive, rotates):
        reply = met.a.get()
        cookie = reply.cookie if reply.set_cookie else met.world.cookie
        assert met.world.ask(reads, cookie=cookie).user is None, met.stop


def test_login_in_flight_is_whole_or_over(store, drive):
    """A login before the end is over with the others, one after it lives; both are answered."""
    lived = []
    for met in meetings(store, drive, logs_in("carol")):
        cookie = met.a.get().cookie
        lived.append(met.world.ask(reads, cookie=cookie).user == "carol")
        assert len(met.world.sessions.sync.of("carol")) == lived[-1], met.stop
        run(manage.end_everybody(context_of(met.world.sessions)))
    assert (lived[0], lived[-1]) == (True, False)


def test_ended_sessions_keep_nobody_out(store, drive):
    """Under a limit that refuses, whoever was ended can log in at once."""
    policy = Policy(limit=1, on_limit=OnLimit.REFUSE)
    world = inside(store, drive, policy=policy)
    world.sessions.sync.end_everybody()
    world.ask(logs_in(), cookie="")

    assert len(world.sessions.sync.of("alice")) == 1


def test_one_event_tells_it(store, drive):
    """However many ended there is one event, and it names nobody."""
    world = inside(store, drive)
    world.clock.advance(5.0)
    world.events.clear()
    world.sessions.sync.end_everybody()

    assert world.events == [events.EndedAll(world.clock.now, None)]


class Away(MemoryStore):
    """A store whose server is gone."""

    async def end_everybody(self):
        raise StoreUnavailable(self.name, "nobody listens")


def test_nothing_is_told_of_what_may_not_have_happened(drive):
    """An outage is raised, and no event says that everybody was ended."""
    world = inside(Away(), drive)
    world.events.clear()
    with pytest.raises(StoreUnavailable):
        world.sessions.sync.end_everybody()

    assert world.events == []
    assert world.ask(reads).user == "alice"


def test_end_that_a_crash_may_undo_is_answered_and_logged(caplog):
    """Whoever asked is told why, so is the operator's log; an end that holds says nothing."""

    class Volatile(MemoryStore):
        async def end_everybody(self):
            await super().end_everybody()
            return "nothing is written down"

    assert Sessions(store=MemoryStore()).sync.end_everybody() is None
    assert caplog.records == []
    assert Sessions(store=Volatile()).sync.end_everybody() == "nothing is written down"
    (line,) = caplog.records
    assert line.getMessage().endswith("has ended, but nothing is written down")
