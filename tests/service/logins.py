"""Logins that are stopped before they are stored: for the tests of ``service.regenerate``."""

from sessile.core.flow import run
from sessile.core.policy import Policy, hours
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.stories import logs_in, steps_up, unlocks
from sessile.testing.step import Stepped
from sessile.testing.world import World

LOCKING = Policy(idle=600.0, lock=hours(1))


def logged_in(store=None, policy=None):
    """Return a world whose browser is logged in and has a cart, and its session's id."""
    world = World(store or MemoryStore(), run, policy=policy)
    world.ask(lambda session: (session.update(cart=["hat"], hits=0), session.login("alice")))
    return world, world.ask(lambda session: session.id).result


def before_replacing(world, act, *, peer=None):
    """Return the request of an act, stopped before its new session is stored."""
    stepped = Stepped(world.request(world.cookie, act, peer=peer))
    while stepped.ask is not None and not stepped.ask.what.endswith("replace"):
        stepped.step()
    assert stepped.ask is not None, "it stored no new session"
    return stepped


def locked_world():
    """Return a world whose session waits for a factor."""
    world, key = logged_in(policy=LOCKING)
    world.clock.advance(600.0)
    return world, key


LOGINS = {
    "login": logs_in(),
    "login as another": logs_in("bob"),
    "first factor": lambda session: session.begin_login("alice", factors=("password",)),
}
CONTINUING = {"step-up": (logged_in, steps_up("pay")), "unlock": (locked_world, unlocks)}
