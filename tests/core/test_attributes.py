"""``session.user = 1``: an attribute that nobody can set, and what to write instead."""

import flask
import pytest

from core.sessions import opened
from harness.browsers import WsgiBrowser
from harness.recording_store import fresh_sessions
from sessile.core.attributes import advise_setter
from sessile.core.session import Session
from sessile.web.flask import FlaskSession, Sessile
from sessile.web.lazy import LazySession
from sessile.web.websocket import WebSocketSession

READ = sorted(
    name
    for name, found in vars(Session).items()
    if isinstance(found, property) and found.fset is None and name[0] != "_"
)
TOLD = [
    ("user", r"session\.user is read alone: write session\.login\(str\(user\.id\)\)"),
    ("assurance", r"session\.assurance is read alone: write session\.login\(.*, assurance=2\)"),
    ("login", r"session\.login is a method: write session\.login\(\.\.\.\)"),
    ("foo", r"a session keeps no attribute 'foo': write session\['foo'\] = \.\.\."),
    ("_state", r"write session\['_state'\]"),
]


@pytest.mark.parametrize(("name", "told"), TOLD)
def test_attribute_that_is_set_is_told_what_to_write(name, told):
    """The error names the verb, or the key."""
    with pytest.raises(AttributeError, match=told):
        setattr(opened(), name, 1)


@pytest.mark.parametrize(("name", "told"), TOLD)
def test_flask_session_keeps_no_attribute_either(name, told):
    """One of Flask's own would keep it until the answer leaves, and lose it then."""
    app = flask.Flask("flask shop")
    Sessile(app, fresh_sessions())
    app.testing = True
    app.add_url_rule("/", "/", lambda: setattr(flask.session, name, 1) or "set")
    with pytest.raises(AttributeError, match=told):
        WsgiBrowser(app).get()


def test_what_frameworks_set_can_be_set():
    """``modified``, ``permanent`` and ``accessed`` are set by habit, and by Flask itself."""
    session = opened()
    session.modified = True
    app = flask.Flask("flask shop")
    Sessile(app, fresh_sessions())
    with app.test_request_context():
        for name in ("modified", "permanent", "accessed"):
            setattr(flask.session, name, True)
        assert flask.session.permanent


def test_every_attribute_that_is_read_names_its_verb():
    """None of them is told to be a value."""
    assert "user" in READ
    assert [
        name for name in READ if "is read alone: write" not in advise_setter(Session, name)
    ] == []


@pytest.mark.parametrize("kind", [Session, LazySession, FlaskSession, WebSocketSession])
def test_no_kind_of_session_sets_what_it_pleases(kind):
    """Each has the words of the first."""
    assert kind.__setattr__ is Session.__setattr__
