"""What is given to a middleware, or asked of a session, and is of another kind: told at once."""

import flask
import pytest

from harness.recording_store import fresh_sessions
from sessile import Sessions, require
from sessile.core.flow import run
from sessile.errors import ConfigError, TokenNeeded
from sessile.stores.memory import MemoryStore
from sessile.testing.world import NEWER, SECRET, World
from sessile.web import asgi, wsgi
from sessile.web import fastapi as on_fastapi
from sessile.web import flask as on_flask
from sessile.web import starlette as on_starlette
from sessile.web.flask import Sessile


def into_flask(_, sessions):
    return Sessile(flask.Flask("flask shop"), sessions)


@pytest.mark.parametrize("make", [asgi.SessionMiddleware, wsgi.SessionMiddleware, into_flask])
@pytest.mark.parametrize("given", ["redis://x:secret@y", Sessions, {}])
def test_what_is_no_sessions_is_refused_at_start(make, given):
    """A URL, the class, a dict: the message says what to write, and no password."""
    with pytest.raises(ConfigError, match=r"write sessions = Sessions\(\.\.\.\)") as refused:
        make(print, given)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("make", [asgi.SessionMiddleware, wsgi.SessionMiddleware, into_flask])
def test_blocking_verbs_are_no_sessions(make):
    """``sessions.sync`` belongs to scripts; Flask and WSGI take the whole."""
    with pytest.raises(ConfigError, match=r"not sessions\.sync"):
        make(print, fresh_sessions().sync)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"secrets": f"{SECRET},{NEWER}"}, r"split"),
        ({"secrets": {SECRET, NEWER}}, r"secrets is set: write secrets=\[\.\.\.\]"),
        ({"secrets": {SECRET: 1}}, r"secrets is dict"),
        ({"secrets": 5}, "secrets is int"),
        ({"secrets": [5]}, "a secret is text or bytes"),
        ({"hooks": [dict]}, r"write hooks=\[dict\(\)\]"),
        ({"hooks": ["log"]}, "write a function"),
        ({"hooks": print}, "write a list"),
        ({"clock": 5.0}, "clock is float"),
        ({"entropy": b"x"}, "entropy is bytes"),
    ],
)
def test_options_of_another_kind_are_refused_at_start(options, said):
    """Each is a ``ConfigError`` that names the option and what to write; never a secret."""
    with pytest.raises(ConfigError, match=said) as refused:
        Sessions("memory://", **options)

    assert SECRET not in str(refused.value)


def test_url_that_is_given_as_a_store_is_refused():
    """``store=`` takes a store of one's own; the URL comes first."""
    with pytest.raises(ConfigError, match=r"store is str: write a URL, as in Sessions\(url\)"):
        Sessions(store="memory://")


@pytest.mark.parametrize("of", [on_fastapi, on_flask, on_starlette])
@pytest.mark.parametrize(
    "asked",
    [{"assurance": "2"}, {"assurance": True}, {"assurance": 0}, {"fresh": "5"}, {"purpose": 5},
     {"fresh": float("nan")}, {"fresh": -1}],
)  # fmt: skip
def test_requirement_of_another_kind_is_refused_where_it_is_written(of, asked):
    """A decorator, or a dependency, says so when the module is loaded."""
    with pytest.raises(ConfigError, match=next(iter(asked))):
        of.require(**asked)


@pytest.mark.parametrize("asked", [{"assurance": "2"}, {"assurance": 0}, {"fresh": float("nan")}])
def test_require_lets_nobody_through_by_mistake(asked):
    """A level of nothing, and a time that nothing is older than, are no requirement."""
    with pytest.raises(ConfigError, match=next(iter(asked))):
        require({}, **asked)


def test_what_is_no_session_is_told_so():
    """A dict in the place of a session names what is missing."""
    for ask in (require, fresh_sessions().csrf_token):
        with pytest.raises(ConfigError, match="a dict is no session of sessile"):
            ask({})


def test_form_without_a_token_is_told_so():
    """``form.get("csrf_token")`` is None where there is none: that is ``TokenNeeded`` as well."""
    world = World(MemoryStore(), run)
    with pytest.raises(TokenNeeded):
        world.ask(lambda session: world.sessions.check_csrf(session, None))
