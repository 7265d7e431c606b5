"""Whatever is to be true or false takes no text, of the whole public face."""

import importlib
import inspect
import pkgutil
import typing

import pytest

import sessile
import sessile.sinks
import sessile.web
from sessile import Bearer, Cookie, ForgeableBody, LeakyQuery
from sessile.core.flow import run
from sessile.errors import ConfigError
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World


def in_session(verb):
    """Call a verb of a session."""
    return World(MemoryStore(), run).ask(verb)


def finish(session, **flags):
    session.begin_login("alice")
    session.finish_login(factors=("totp",), **flags)


CALLS = {
    "Bearer(unrotated)": lambda given: Bearer(unrotated=given),
    "LeakyQuery(unrotated)": lambda given: LeakyQuery("sid", unrotated=given),
    "ForgeableBody(unrotated)": lambda given: ForgeableBody("sid", unrotated=given),
    "Cookie(secure)": lambda given: Cookie(secure=given),
    "Cookie(partitioned)": lambda given: Cookie(partitioned=given),
    "Session.login(remember)": lambda given: in_session(lambda s: s.login("a", remember=given)),
    "Session.finish_login(remember)": lambda given: in_session(lambda s: finish(s, remember=given)),
}
NOT_SAID_BY_APPLICATIONS = {
    "SessionInfo.__init__", "SessionInfo.of",  # what sessile says
    "Policy.idle_for", "Policy.absolute_for", "Policy.idle_until",  # asked by the service
    "Exchange.__init__", "serve", "RequestSession.__init__",  # said by a middleware
    "RequestSession.wish_remembered", "OpenConnection.__init__", "Measure.__init__",
}  # fmt: skip


def faces():
    """Return what applications call."""
    found = [getattr(sessile, name) for name in sessile.__all__]
    for package in (sessile.web, sessile.sinks):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            members = vars(importlib.import_module(module.name))
            public = members.get("__all__") or [
                name for name, one in members.items()
                if getattr(one, "__module__", "") == module.name and not name.startswith("_")
            ]  # fmt: skip
            found += [members[name] for name in public]
    return found


def functions(face):
    """Return what can be called of a face: itself, and the methods of a class."""
    if inspect.isclass(face):
        members = inspect.getmembers(
            face, lambda one: inspect.isfunction(one) or inspect.ismethod(one)
        )
        return [one for name, one in members if not name.startswith("_") or name == "__init__"]
    return [face] if inspect.isfunction(face) else []


def is_flag(annotation):
    return annotation in (bool, "bool") or bool in typing.get_args(annotation)


def flags():
    """Return every argument that is true or false."""
    return {
        f"{function.__qualname__.removesuffix('.__init__')}({argument.name})"
        for face in faces()
        for function in functions(face)
        if function.__qualname__ not in NOT_SAID_BY_APPLICATIONS
        for argument in inspect.signature(function).parameters.values()
        if is_flag(argument.annotation)
    }


def test_every_flag_is_known_here():
    """A new one has its line in CALLS, with which the next test refuses what is no bool."""
    assert flags() == set(CALLS)


@pytest.mark.parametrize("flag", CALLS)
@pytest.mark.parametrize("given", ["yes", "false", "0", "", 1, 0, b"on"])
def test_text_is_no_flag(flag, given):
    """``"false"`` from the environment was true."""
    name = flag.partition("(")[2].rstrip(")")
    with pytest.raises(ConfigError, match=f"{name}=.*write {name}=True or {name}=False"):
        CALLS[flag](given)
