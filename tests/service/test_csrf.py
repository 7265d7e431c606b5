"""CSRF tokens where no framework has them: ``sessions.csrf_token`` and ``sessions.check_csrf``."""

import pytest

from sessile.core.flow import run
from sessile.core.session import state_of
from sessile.errors import TokenNeeded, TooLate
from sessile.stores.memory import MemoryStore
from sessile.testing.world import NEWER, SECRET, World


@pytest.fixture
def world():
    """A world whose browser is logged in."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: session.login("alice"))
    return world


def issue(world, **more):
    """Return the token of a page."""
    return world.ask(world.sessions.csrf_token, **more).result


def passes(world, token, **more):
    """Tell whether a request with that token is let through."""

    def checks(session):
        try:
            world.sessions.check_csrf(session, token)
        except TokenNeeded:
            return False
        return True

    return world.ask(checks, **more).result


def test_token_is_let_through_by_its_session_alone(world):
    """Each page has another text, and each opens the session's own forms and no other's."""
    first, second = issue(world), issue(world)
    bobs = world.ask(lambda session: session.login("bob"), cookie="").cookie

    assert first != second
    assert passes(world, first)
    assert passes(world, second)
    assert not passes(world, first, cookie=bobs)
    assert not passes(world, first, cookie="")


@pytest.mark.parametrize("given", ["", "junk", "A" * 64, "é"])
def test_junk_is_no_token(world, given):
    """Whatever is no token of the session is refused, and nothing else goes wrong."""
    assert not passes(world, given)


def test_visitor_gets_a_session_for_the_token(world):
    """It is stored though it holds nothing, and the page's form comes back with it."""
    reply = world.ask(world.sessions.csrf_token, cookie="")

    assert reply.set_cookie is not None
    assert passes(world, reply.result, cookie=reply.cookie)


@pytest.mark.parametrize(
    "act",
    [lambda s: s.login("alice"), lambda s: s.step_up(factors=("totp",))],
    ids=["login", "step-up"],
)
def test_token_of_a_login_is_the_new_sessions(world, act):
    """A page that is made in the request of a login has the token of what follows."""
    before = issue(world)
    token = world.ask(lambda s: (act(s), world.sessions.csrf_token(s))[1]).result

    assert passes(world, token)
    assert not passes(world, before)


def test_token_outlives_one_rotation(world):
    """The page that was open when the ticket was replaced still sends its form; the next not."""
    token = issue(world)
    world.ask(lambda session: session.rotate())
    assert passes(world, token)
    world.ask(lambda session: session.rotate())

    assert not passes(world, token)


def test_token_is_checked_under_any_secret_of_the_ring():
    """While a new secret is rolled out each server takes the tokens of the other."""
    store = MemoryStore()
    old = World(store, run, secrets=(SECRET, NEWER))
    new = World(store, run, clock=old.clock, secrets=(NEWER, SECRET))
    old.ask(lambda session: session.login("alice"))
    new.cookie = old.cookie

    assert passes(new, issue(old))
    assert passes(old, issue(new))


def test_visitor_gets_none_once_the_answer_has_left(world):
    """There is no session, and none can be begun any more; a session's own token still can."""

    def late(session):
        state_of(session).close("the answer has left")
        return world.sessions.csrf_token(session)

    with pytest.raises(TooLate):
        world.ask(late, cookie="")
    assert world.ask(late).result
