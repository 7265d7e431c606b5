"""What moves over from one session to the next at a login or logout, and what stays behind."""

import pytest

from sessile import Policy
from sessile.core.flow import run
from sessile.service.sessions import context_of
from sessile.stores.contract import Change
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World


def _trail(session):
    return session.info.trail


def test_value_set_again_after_logout_is_kept():
    """A language carried over a logout is stored, though it is the one that stood there before."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: (s.update(lang="de"), s.login("alice")))

    def keeps_language(session):
        lang = session["lang"]
        session.logout()
        session["lang"] = lang

    world.ask(keeps_language)

    assert world.values() == {"lang": "de"}


def test_login_after_logout_starts_empty():
    """Logging out and in as somebody else in one request carries nothing over."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: (s.update(secret=1), s.login("alice")))
    world.ask(lambda s: (s.logout(), s.login("bob")))

    assert world.values() == {}
    assert world.ask(dict).user == "bob"


@pytest.mark.parametrize("finishes", [lambda s: s.login("bob"), lambda s: s.begin_login("bob")])
@pytest.mark.parametrize("pause", [0, 3600])
def test_half_finished_login_leaves_another_user_nothing(finishes, pause):
    """What was kept while alice's second factor was awaited is hers, in time or not."""
    world = World(MemoryStore(), run, policy=Policy(idle=7200))
    world.ask(lambda s: s.begin_login("alice"))
    world.ask(lambda s: s.update(enrolment="hers"))
    world.clock.advance(pause)
    world.ask(finishes)

    assert world.values() == {}
    assert "begin a login" not in [line.what for line in world.ask(_trail).result][:-1]


def test_half_finished_login_keeps_its_values_for_its_user():
    """A cart filled before the second factor is there after it."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.begin_login("alice"))
    world.ask(lambda s: s.update(cart="socks"))
    world.ask(lambda s: s.finish_login(factors=("totp",)))

    assert world.values() == {"cart": "socks"}


def test_unreadable_value_goes_to_no_other_user():
    """What nobody can read now, a newer release might: it stays behind like the rest."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: (s.login("alice"), s.update(odd=1)))
    context = context_of(world.sessions)
    store = context.store
    record = run(store.read(world.ask(lambda s: s.id).result))
    draft, _ = context.sealer.seal(
        record, {"odd": b"\xc1"}, frozenset(), version=record.version + 1
    )
    run(store.commit(Change(draft, record.version)))
    world.ask(lambda s: (s.get("odd"), s.login("bob")))

    record = run(store.read(world.ask(lambda s: s.id).result))
    assert (record.owner, record.data) == ("bob", {})
