"""A login is whole or not at all: what is left of it, and of a step-up, where something fails."""

import pytest

from service.logins import CONTINUING, LOGINS, before_replacing, logged_in
from sessile.core.binding import Binding, OnMismatch
from sessile.core.flow import run
from sessile.core.policy import Policy, hours
from sessile.core.record import RecordKind, evolve, tombstone
from sessile.core.ticket import Ticket
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.service import events
from sessile.service.events import Ended
from sessile.service.sessions import context_of
from sessile.stores.contract import Change
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.stories import logs_in, logs_out, puts, reads, steps_up, unlocks
from sessile.testing.step import Stepped
from sessile.testing.world import ABROAD, World

# The old record is no record any more


def spoil(world, key):
    """Put into the store, in the place of a session, what is no record."""
    context_of(world.sessions).store._rows[key] = b"junk"


def forge(world, key):
    """Write to a session past the service, as somebody would who has the store but no secret."""
    store = context_of(world.sessions).store
    record = run(store.read(key))
    draft = evolve(record, version=record.version + 1, assurance=3, until=record.until + 1)
    run(store.commit(Change(draft, record.version)))


@pytest.mark.parametrize("harm", [spoil, forge])
@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_login_begins_anew_where_its_record_is_corrupt(act, harm):
    """Whoever proves who they are is in; what was there opens for nobody, is told and deleted."""
    world, key = logged_in()
    login = before_replacing(world, act)
    harm(world, key)
    world.events.clear()
    reply = login.finish().get()

    assert [event.session for event in world.events_of(events.Malformed)] == [key]
    assert not world.events_of(Ended)
    assert world.ask(lambda session: session.new, cookie=reply.cookie).result is False
    assert world.ask(reads).user is None
    assert run(context_of(world.sessions).store.read(key)) is None


@pytest.mark.parametrize("harm", [spoil, forge])
@pytest.mark.parametrize("name", CONTINUING)
def test_nothing_rests_on_a_corrupt_record(name, harm):
    """No step-up turns what somebody wrote there into a session."""
    make, act = CONTINUING[name]
    world, key = make()
    late = before_replacing(world, lambda session: (session.update(v=1), act(session)))
    harm(world, key)
    world.events.clear()

    assert late.finish().get().set_cookie is None
    assert [type(event) for event in world.events] == [events.Malformed, events.Dropped]
    assert world.ask(reads).user is None


# Grants


def test_grant_that_a_rival_used_up_does_not_come_back():
    """A step-up for another purpose carries over what is left when it is stored."""
    world, _ = logged_in()
    world.ask(steps_up("pay"))
    world.ask(steps_up("rename"))
    late = before_replacing(world, steps_up("delete"))
    world.ask(lambda session: world.sessions.sync.spend(session, "pay"))
    world.cookie = late.finish().get().cookie

    purposes = ("pay", "rename", "delete")
    held = world.ask(lambda session: [session.has_grant(one) for one in purposes]).result
    assert held == [False, True, True]


def test_grant_is_given_anew_where_that_is_what_the_step_up_is_for():
    """A rival used up the old one; the factor given since is worth another."""
    world, _ = logged_in()
    world.ask(steps_up("pay"))
    late = before_replacing(world, steps_up("pay"))
    world.ask(lambda session: world.sessions.sync.spend(session, "pay"))
    world.cookie = late.finish().get().cookie

    assert world.ask(lambda session: session.has_grant("pay")).result is True


def test_unlocking_abroad_brings_back_no_grant_used_up_at_home():
    """The session went on at home while its owner, or a thief, gave a factor elsewhere."""
    binding = Binding(on_mismatch=OnMismatch.STEP_UP)
    world, _ = logged_in(policy=Policy(binding=binding))
    world.ask(steps_up("pay"))
    world.ask(reads, peer=ABROAD)
    late = before_replacing(world, unlocks, peer=ABROAD)
    world.ask(lambda session: world.sessions.sync.spend(session, "pay"))
    world.cookie = late.finish().get().cookie

    seen = world.ask(lambda session: (session.user, session.has_grant("pay")), peer=ABROAD).result
    assert seen == ("alice", False)


# Nothing half done


class Outage(MemoryStore):
    """A store that fails one of its writes, before it is done or after."""

    left, late = -1, False

    def _ask(self, what, act, *args):
        self.left -= 1
        if self.left != 0:
            return super()._ask(what, act, *args)

        def fail(*given):
            if self.late:
                act(*given)
            raise StoreUnavailable(self.name, "it was pulled out")

        return super()._ask(what, fail, *args)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("act", [*LOGINS.values(), steps_up("pay")], ids=[*LOGINS, "step-up"])
def test_failing_store_leaves_the_old_session_or_the_new_one(act, late):
    """Whichever write fails, done or not, there is one session: never both, never none."""
    failed = []
    for n in range(1, 6):
        store = Outage()
        world, old = logged_in(store, Policy(know_devices=hours(1)))
        store.left, store.late = n, late
        outcome = Stepped(world.request(world.cookie, act)).finish()
        store.left = -1
        rows = [run(store.read(key)) for key in list(store._rows)]
        (live,) = [row.key for row in rows if row.kind is RecordKind.SESSION]
        assert (live == old) is (outcome.error is not None and not late)
        failed += [n] if isinstance(outcome.error, StoreUnavailable) else []
        assert outcome.error is None or failed[-1] == n
    assert failed == [1]  # the replacement; without the memory of its devices a login goes on


# A login that is made again, because its answer was lost


def log_in_again(world, act, *, harm=None):
    """Lose the answer to a login, and log in once more with the same ticket; return the reply.

    Args:
        world: a visitor's, with a cart.
        act: the second login.
        harm: done with the ticket that was lost, before the second one is stored.
    """
    lost = world.ask(logs_in(), cookie=world.cookie).cookie
    login = before_replacing(world, act)
    if harm is not None:
        harm(world, lost)
    return login.finish().get()


def visitor_with_cart():
    """Return the world of a visitor."""
    world = World(MemoryStore(), run)
    world.ask(puts(cart=["hat"]))
    return world


HARMS = {
    "used": lambda world, lost: world.ask(puts(v=1), cookie=lost),
    "logged out": lambda world, lost: world.ask(logs_out, cookie=lost),
    "stepped up": lambda world, lost: world.ask(steps_up("pay"), cookie=lost),
    "corrupt": lambda world, lost: spoil(world, lost.partition("=")[2][:20]),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_login_made_again_leaves_alone_what_reached_its_client(harm):
    """Whoever was faster has the session; who logs in again takes a copy of what is there."""
    world = visitor_with_cart()
    reply = log_in_again(world, logs_in(), harm=harm)
    living = world.sessions.sync.of("alice")

    found = {HARMS["used"]: {"cart": ["hat"], "v": 1}, HARMS["stepped up"]: {"cart": ["hat"]}}
    assert world.values(reply.cookie) == found.get(harm, {})
    assert len(living) == 1 + (harm is HARMS["used"])  # nobody has shown the stepped-up one yet


def test_login_that_was_given_up_ends_no_later_one():
    """Carried out late, it finds the one made in its place in use, and takes a copy."""
    world = visitor_with_cart()
    late = world.request(world.cookie, logs_in())
    lasting = world.ask(logs_in(), cookie=world.cookie).cookie
    world.ask(puts(v=1), cookie=lasting)
    copy = run(late).cookie

    assert world.ask(reads, cookie=lasting).user == "alice"
    assert world.values(lasting) == world.values(copy) == {"cart": ["hat"], "v": 1}


def test_first_factor_takes_over_no_login():
    """Half a proof of identity shows nothing of what a whole one took along, and ends nothing."""
    world = visitor_with_cart()
    reply = log_in_again(world, LOGINS["first factor"])

    assert world.values(reply.cookie) == {}
    assert len(world.sessions.sync.of("alice")) == 1


def test_only_the_last_ticket_finds_a_lost_login():
    """The name of the old session, which is no secret, leads its user to nothing."""
    world = visitor_with_cart()
    world.ask(logs_in(), cookie=world.cookie)
    name, _, ticket = world.cookie.partition("=")
    world.cookie = f"{name}={ticket[:20]}{'x' * 40}"

    assert world.values(world.ask(logs_in()).cookie) == {}


def test_ring_of_tombstones_is_left():
    """Somebody who writes to the store makes no login walk for ever."""
    world = visitor_with_cart()
    key = world.ask(lambda session: session.id).result
    run(context_of(world.sessions).store.delete(key, leaving=ring(world, key, key)))

    assert world.ask(logs_in()).user == "alice"


def ring(world, key, after):
    """Return a tombstone of the ticket in hand that names another."""
    ticket = Ticket.parse(world.cookie.partition("=")[2])
    return tombstone(key, world.clock(), after, ticket.digest, login=True)


def test_taken_key_changes_nothing():
    """Of a new session whose id is taken, as by a broken source of entropy, nothing is stored."""
    world, _ = logged_in()
    bob = world.ask(logs_in("bob"), cookie="").cookie
    drawn = []
    login = before_replacing(world, lambda session: (session.login("alice"), drawn.append(session)))
    store = context_of(world.sessions).store
    store._rows[drawn[0].id] = b"somebody's"
    before = dict(store._rows)

    assert isinstance(login.finish().error, KeyTaken)
    assert dict(store._rows) == before
    assert world.ask(reads).user == "alice"
    assert world.ask(reads, cookie=bob).user == "bob"
