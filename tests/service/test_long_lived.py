"""What happens while a request, or a socket, is still open: locks, logouts and replays cross it."""

from contextlib import suppress

import pytest

from sessile import Policy, hours, minutes, require
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import StepUpNeeded, StoreUnavailable
from sessile.service.commit import commit, save_midway
from sessile.service.events import Dropped, End, Ended, Locked, Replayed
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.world import ABROAD, World
from sessile.web.websocket import WebSocketSession

LOCKING = Policy(idle=hours(1), lock=hours(8))


def begun(world, cookie=None):
    """Return the transaction of a request that has not answered yet."""
    said = PlainRequest(
        {"cookie": cookie or world.cookie, "user-agent": world.agent}, peer=world.peer
    )
    return run(open_transaction(context_of(world.sessions), said))


def logged_in(policy=None):
    world = World(MemoryStore(), run, policy=policy)
    world.ask(lambda s: (s.update(cart=["hat"]), s.login("alice")))
    return world


def steps_up(session):
    session.step_up("pay", factors=("totp",))


def finish(flow, reply):
    """Let a stopped flow go on to its end."""
    with suppress(StopIteration):
        while True:
            reply = flow.send(reply).block()


@pytest.mark.parametrize("save", [save_midway, commit])
def test_idle_session_takes_nothing_of_what_is_still_open(save):
    """A request or a socket that stays open for longer than the idle time saves nothing more."""
    world = logged_in(LOCKING)
    transaction = begun(world)
    world.clock.advance(hours(2))
    Session(transaction.state)["cart"].append("bomb")
    saved = run(save(transaction))

    assert not saved
    assert world.events_of(Dropped)
    assert world.events_of(Locked)
    world.ask(lambda s: s.unlock(factors=("password",)))
    assert world.values() == {"cart": ["hat"]}


def test_socket_of_a_locked_session_is_told_that_nothing_is_saved():
    """``save`` is False where the session is locked, whatever was set."""
    world = logged_in(LOCKING)
    world.clock.advance(hours(2))

    assert run(save_midway(begun(world))) is False


@pytest.mark.parametrize("names", [lambda s: s, lambda s: s.id])
def test_devices_end_but_this_one_after_a_login(names):
    """In the request of a login all others end, named by the session or by its new id."""
    world = logged_in()
    other = World(context_of(world.sessions).store, run, clock=world.clock)
    other.ask(lambda s: s.login("alice"))
    ended = world.ask(
        lambda s: (s.login("alice"), world.sessions.sync.end_all("alice", keep=names(s)))
    )

    assert ended.result[1] >= 1
    assert world.ask(lambda s: s.user).result == "alice"
    assert other.ask(lambda s: s.user).result is None


def test_devices_end_but_this_one_after_a_step_up():
    """In the request of a step-up the session itself is kept, under both of its ids."""
    world = logged_in()
    other = World(context_of(world.sessions).store, run, clock=world.clock)
    other.ask(lambda s: s.login("alice"))
    world.ask(lambda s: (steps_up(s), world.sessions.sync.end_all("alice", keep=s)))

    assert world.ask(lambda s: s.user).result == "alice"
    assert other.ask(lambda s: s.user).result is None
    listed = world.ask(lambda s: world.sessions.sync.of("alice", current=s)).result
    assert [info.current for info in listed] == [True]


def test_late_logout_ends_what_a_step_up_made():
    """A logout sent before the answer to a step-up came ends the session that it made."""
    world = logged_in()
    before = world.cookie
    world.ask(steps_up)
    late = world.ask(lambda s: s.logout(), cookie=before)

    assert late.set_cookie is None
    assert world.ask(lambda s: s.user).result is None
    assert [event.reason for event in world.events_of(Ended)] == [End.LOGIN, End.LOGOUT]


def test_forged_late_logout_ends_nothing():
    """Who knows the old id alone ends nothing by it."""
    world = logged_in()
    name, _, ticket = world.cookie.partition("=")
    world.ask(steps_up)
    world.ask(lambda s: s.logout(), cookie=f"{name}={ticket[:20]}{'A' * 40}")

    assert world.ask(lambda s: s.user).result == "alice"


def test_replay_that_a_step_up_overtakes_still_ends_the_session():
    """A used ticket is a theft, even if its session goes on in another one a moment before."""
    world = logged_in(Policy(rotate=minutes(15)))
    stolen = world.cookie
    world.clock.advance(minutes(16))
    world.ask()
    world.ask()
    world.clock.advance(minutes(2))
    said = PlainRequest({"cookie": stolen, "user-agent": world.agent}, peer=ABROAD)
    replay = open_transaction(context_of(world.sessions), said)
    read = replay.send(None)
    erase = replay.send(read.block())
    world.ask(steps_up)
    finish(replay, erase.block())

    assert world.events_of(Replayed)
    assert world.ask(lambda s: s.user).result is None


class Failing(MemoryStore):
    """A store whose next login fails."""

    failing = False

    async def replace(self, replacement):
        if self.failing:
            self.failing = False
            raise StoreUnavailable(self.name, "it was pulled out")
        return await super().replace(replacement)


def test_login_that_fails_leaves_nobody_behind():
    """When the store fails in the middle of a login, no session is left that nobody has."""
    store = Failing()
    world = World(store, run, policy=Policy(limit=1))
    world.ask(lambda s: s.login("alice"))
    store.failing = True
    with pytest.raises(StoreUnavailable):
        world.ask(lambda s: s.login("alice"))

    assert len(world.sessions.sync.of("alice")) == 1
    assert world.ask(lambda s: s.user).result == "alice"


def test_chain_of_step_ups_is_followed_however_long():
    """An id that was replaced many times within its two minutes still ends the session."""
    world = logged_in()
    first = world.ask(lambda s: s.id).result
    for _ in range(1200):
        world.ask(steps_up)

    assert world.sessions.sync.end(first, owner="alice")
    assert world.ask(lambda s: s.user).result is None


def test_socket_is_judged_by_the_present():
    """A grant and a fresh login are over in time for a socket that was opened while they held."""
    world = logged_in()
    world.ask(lambda s: s.step_up("pay", factors=("totp",), lasts=60.0))
    session = WebSocketSession(begun(world))
    before = (session.has_grant("pay"), require(session, fresh=300.0))
    world.clock.advance(minutes(10))

    assert before == (True, "alice")
    assert not session.has_grant("pay")
    with pytest.raises(StepUpNeeded):
        require(session, fresh=300.0)


def test_spent_grant_is_spent_for_the_rest_of_the_request():
    """Whoever asks again after ``spend`` hears that nothing is granted any more."""
    world = logged_in()
    world.ask(steps_up)

    def pays(session):
        world.sessions.sync.spend(session, "pay")
        return session.has_grant("pay")

    assert world.ask(pays).result is False
