"""Whoever names a user says it as the login did: a text. Every verb, in both colours."""

import asyncio
import inspect

import pytest

from sessile import Session, Sessions
from sessile.core.flow import run
from sessile.errors import ConfigError, NoUser
from sessile.service.sessions import SyncSessions
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World

OTHERS = {"session_id": "A" * 20}


def verbs():
    """Find every verb that takes a user, and the name of its argument."""
    for face in (Session, Sessions, SyncSessions):
        for name, verb in inspect.getmembers(face, inspect.isfunction):
            for argument in inspect.signature(verb).parameters:
                if argument in {"user", "owner"} and not name.startswith("_"):
                    yield pytest.param(face, name, argument, id=f"{face.__name__}.{name}")


VERBS = list(verbs())


def call(face, name, argument, given):
    """Call a verb with that for its user."""
    world = World(MemoryStore(), run)
    if face is Session:
        return world.ask(lambda session: getattr(session, name)(given))
    on = world.sessions if face is Sessions else world.sessions.sync
    verb = getattr(on, name)
    needs = inspect.signature(verb).parameters
    done = verb(**{argument: given}, **{k: v for k, v in OTHERS.items() if k in needs})
    return asyncio.run(done) if inspect.isawaitable(done) else done


def test_the_verbs_are_found():
    """Listing, ending one, ending all, and both ways to log in."""
    assert {param.values[1] for param in VERBS} == {"of", "end", "end_all", "login", "begin_login"}
    assert len(VERBS) == 8


@pytest.mark.parametrize(("face", "name", "argument"), VERBS)
@pytest.mark.parametrize("given", [42, b"alice", ["alice"], True])
def test_what_is_no_text_is_no_user(face, name, argument, given):
    """``of(42)`` found nothing, and ended nothing, while the session of "42" lived on."""
    with pytest.raises(NoUser, match=rf"not {type(given).__name__}: {name}\(.*str\(\.\.\.\)\)"):
        call(face, name, argument, given)


@pytest.mark.parametrize(("face", "name", "argument"), VERBS)
def test_nobody_is_no_user(face, name, argument):
    """None is whoever is not logged in. Only ``end`` takes it, for a list of one's own devices."""
    if argument == "owner":
        assert call(face, name, argument, None) is False
        return
    with pytest.raises(TypeError, match="None is nobody"):
        call(face, name, argument, None)


@pytest.mark.parametrize(("face", "name", "argument"), VERBS)
def test_text_that_no_login_takes_is_no_user(face, name, argument):
    """Such a user has no session, so the question is a mistake."""
    with pytest.raises(ConfigError, match="1 to 512"):
        call(face, name, argument, "")
