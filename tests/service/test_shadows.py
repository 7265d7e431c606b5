"""Stored keys that a template cannot reach as attributes are told once each."""

import logging

import jinja2
import pytest

from sessile.core.flow import run
from sessile.core.session import Session
from sessile.service.shadows import SHADOWING
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World
from sessile.wire import log


@pytest.fixture
def world(caplog):
    log.log_shadowed.cache_clear()
    caplog.set_level(logging.WARNING)
    return World(MemoryStore(), run, principal=None)


def told(caplog):
    return [record for record in caplog.records if "attribute of the session" in record.message]


@pytest.mark.parametrize("first", [{}, {"cart": []}], ids=["new", "known"])
def test_shadowed_key_is_told_once(world, caplog, first):
    """With a visitor's first value or a later one; what a template shows is said with it."""
    world.ask(lambda session: session.update(first))
    for _ in range(2):
        world.ask(lambda session: session.update(device="desk"))

    (line,) = told(caplog)
    assert "session['device']" in line.message


def test_other_keys_are_not_told(world, caplog):
    """Most keys shadow nothing, and those of a dict never were reached so."""
    world.ask(lambda session: session.update(cart=[1], items=[2], name="bob", keys=3))

    assert told(caplog) == []


def test_what_is_told_is_what_jinja_does(world):
    """Every name that is told of hides a value from ``{{ session.name }}``, and no other does."""
    template = jinja2.Template("{{ session[name] }} {{ session|attr(name) is defined }}")

    for name in sorted(SHADOWING):
        assert hasattr(Session, name)
    assert {"user", "id", "new", "info", "device", "lock", "pending", "factors"} <= SHADOWING
    said = world.ask(lambda s: (s.update(cart=1), template.render(session=s, name="cart"))[1])
    assert said.result == "1 False"
