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


@pytest.mark.parametrize("before", [{}, {"lang": "de"}, {"user_id": "bob"}])
def test_token_of_a_login_by_other_code_is_the_new_sessions(before):
    """A page made in the request of ``session["user_id"] = …`` has a token that is taken."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: session.update(before))

    def logs_in(session):
        session["user_id"] = "alice"
        return world.sessions.csrf_token(session)

    token = world.ask(logs_in).result

    assert world.ask(lambda session: session.user).result == "alice"
    assert passes(world, token)


def test_token_of_a_page_that_logs_nobody_in_is_the_sessions_own():
    """Writing down once more who is there changes no id, and so no token."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: session.update(user_id="alice"))

    def writes(session):
        session["user_id"] = "alice"
        return world.sessions.csrf_token(session)

    assert passes(world, world.ask(writes).result)


def test_token_lives_as_long_as_its_session(world):
    """A form that was open for hours, in a session that was used all the time, is taken."""
    token = issue(world)
    for _ in range(20):
        world.clock.advance(1200.0)
        world.ask(dict)

    assert passes(world, token)


def test_login_page_that_was_left_open_is_taken():
    """A visitor's session is over after the idle time; what its login page holds is good."""
    world = World(MemoryStore(), run)
    token = issue(world)
    world.clock.advance(3 * 3600.0)
    world.sessions.sync.count()

    assert passes(world, token)
    assert world.ask(lambda s: (world.sessions.check_csrf(s, token), s.login("alice"))).set_cookie
    assert not passes(world, token)


def test_page_of_a_user_whose_session_is_over_is_not_taken(world):
    """What alice's page held is no good when she is logged out, by the clock or by herself."""
    token = issue(world)
    world.clock.advance(3600.0)

    assert not passes(world, token)


@pytest.mark.parametrize("wait", [0.0, 60.0, 600.0])
def test_login_page_after_a_logout_whose_answer_was_lost(world, wait):
    """The old cookie is still there, its session is dead, and the form shown then is taken."""
    cookie = world.cookie
    world.ask(lambda s: s.logout(), cookie=cookie)
    shown = world.ask(world.sessions.csrf_token, cookie=cookie)
    world.clock.advance(wait)

    assert shown.set_cookie is None
    assert passes(world, shown.result, cookie=cookie)
    assert not passes(world, shown.result, cookie="")


def test_id_of_a_session_opens_no_form_of_it(world):
    """Whoever knows an id, which is no secret, is shown a token that is worth nothing to others."""
    cookie = world.cookie
    world.ask(lambda s: s.logout(), cookie=cookie)
    name, _, value = cookie.partition("=")
    forged = f"{name}={value[:20]}{'A' * 40}"

    assert not passes(world, issue(world, cookie=forged), cookie=cookie)


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
