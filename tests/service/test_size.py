"""What a session may hold, kept by every commit: at the limit nothing of a request is stored."""

import pytest

from sessile.core.policy import Policy
from sessile.core.size import byte_size
from sessile.errors import SessionTooLarge
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.stories import logs_in, puts, reads
from sessile.testing.step import Stepped
from sessile.testing.world import World

KIB = 1024


@pytest.fixture
def world():
    return World(MemoryStore(), Blocking())


def size_of(world):
    """Return the bytes of the one session there is."""
    context = context_of(world.sessions)
    return byte_size({k: context.codec.encode(v) for k, v in world.values().items()})


def test_crowd_cannot_make_a_session_larger_than_it_may_be(world):
    """Of 120 writers who all began with an empty session ten fit, and the others are told."""
    world.ask(puts(first=1))
    crowd = [
        Stepped(world.request(world.cookie, puts(**{f"k{n}": "x" * 100 * KIB})), world.drive)
        for n in range(120)
    ]
    for writer in crowd:
        writer.step()
    outcomes = [writer.finish() for writer in crowd]
    refused = [one for one in outcomes if isinstance(one.error, SessionTooLarge)]

    assert len(refused) == 110
    assert len(world.values()) == 1 + 10
    assert size_of(world) <= 1024 * KIB


def test_what_grew_in_place_is_refused_with_all_the_request_did(world):
    """Nothing is stored, and the next request finds the session as it was."""

    def grow(session):
        session["other"] = 2
        session["log"].append("x" * 700 * KIB)
        session["more"].append("x" * 600 * KIB)

    world.ask(puts(log=[], more=[], other=1))
    with pytest.raises(SessionTooLarge, match=r"session\['log'\]"):
        world.ask(grow)

    assert world.values() == {"log": [], "more": [], "other": 1}


def test_session_that_is_too_large_already_can_log_in_and_out():
    """A limit that was lowered takes nobody's session away, nor what is in it."""
    store = MemoryStore()
    cookie = World(store, Blocking()).ask(puts(cart="x" * 2000)).cookie
    world = World(store, Blocking(), policy=Policy(max_bytes=1000, max_keys=1))
    cookie = world.ask(logs_in("alice"), cookie=cookie).cookie

    assert world.ask(reads, cookie=cookie).result == {"cart": "x" * 2000}
    with pytest.raises(SessionTooLarge):
        world.ask(puts(more=1), cookie=cookie)
    world.ask(lambda s: s.pop("cart"), cookie=cookie)
    world.ask(puts(more=1), cookie=cookie)
    assert world.ask(reads, cookie=cookie).result == {"more": 1}


def test_login_with_what_a_rival_stored_stays_within_the_size():
    """What a login carries over and what it sets count together."""
    world = World(MemoryStore(), Blocking(), policy=Policy(max_bytes=1000))
    world.ask(puts(first=1))

    def log_in(session):
        session.login("alice")
        session["a"] = "x" * 600

    login = Stepped(world.request(world.cookie, log_in), world.drive)
    login.step()
    world.ask(puts(b="y" * 600))

    assert isinstance(login.finish().error, SessionTooLarge)
    assert world.values() == {"first": 1, "b": "y" * 600}
