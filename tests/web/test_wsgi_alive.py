"""``session.alive()`` under WSGI, where nothing can be interrupted: a long stream asks."""

import flask
import pytest

from harness.applications import wsgi_app, wsgi_stream
from harness.browsers import WsgiBrowser
from harness.recording_store import take_commands
from sessile.errors import StoreUnavailable, TooLate
from sessile.service.sessions import context_of
from sessile.web.flask import Sessile
from sessile.web.wsgi import SessionMiddleware
from web.session_ends import begins


@pytest.fixture
def cookie(sessions):
    browser = WsgiBrowser(SessionMiddleware(wsgi_app(lambda s: begins(s) or b"in"), sessions))
    browser.get()
    return browser.cookie


def in_wsgi(sessions, steps):
    return SessionMiddleware(wsgi_stream(*steps), sessions)


def in_flask(sessions, steps):
    app = flask.Flask("stream")
    Sessile(app, sessions)

    @app.get("/")
    def stream():
        session = flask.session
        return flask.Response(flask.stream_with_context(step(session) for step in steps))

    return app


@pytest.fixture(params=[in_wsgi, in_flask])
def ask(request, sessions, cookie):
    """Stream what each step says of the session."""

    def ask(*steps, cookie=cookie):
        return WsgiBrowser(request.param(sessions, steps), cookie).get().body.decode().split()

    return ask


def look(session):
    session.get("n")
    return b"looked "


def alive(session):
    return f"{session.alive()} ".encode()


def acts(act):
    return lambda session: act() or b"did "


def elsewhere(sessions, act, cookie):
    """Let another request of the same browser act."""
    app = SessionMiddleware(wsgi_app(lambda session: act(session) or b"done"), sessions)
    return acts(lambda: WsgiBrowser(app, cookie).get() and None)


@pytest.mark.parametrize("way", ["logout", "end", "end_all", "end_everybody", "time"])
def test_stream_hears_of_the_end_when_it_asks(ask, sessions, cookie, way):
    """However it came about."""
    sync = sessions.sync
    ends = {
        "logout": elsewhere(sessions, lambda s: s.logout(), cookie),
        "end": acts(lambda: sync.end(cookie[4:24]) and None),
        "end_all": acts(lambda: sync.end_all("alice") and None),
        "end_everybody": acts(sync.end_everybody),
        "time": acts(lambda: context_of(sessions).clock.advance(sessions.policy.idle) and None),
    }

    assert ask(look, alive, ends[way], alive)[1:] == ["True", "did", "False"]


def test_step_up_elsewhere_keeps_the_session(ask, sessions, cookie):
    """It goes on under another id."""
    steps_up = elsewhere(sessions, lambda s: s.step_up(factors=("totp",)), cookie)

    assert ask(look, alive, steps_up, alive)[1:] == ["True", "did", "True"]


def test_question_is_one_read_and_no_sign_of_life(ask, sessions, cookie):
    """Each time."""
    ask(look)
    context = context_of(sessions)
    context.clock.advance(sessions.policy.idle - 1)
    take_commands(sessions)
    ask(look, lambda s: take_commands(sessions) and b"- ", alive, alive)

    assert take_commands(sessions)[-2:] == ["read", "read"]


def test_visitor_has_no_session_that_lives(ask, sessions):
    """And no store is asked."""
    take_commands(sessions)

    assert ask(look, alive, cookie="")[-1] == "False"
    assert take_commands(sessions) == []


def test_outage_is_no_end(ask, sessions):
    """Nobody can tell then."""
    caught = []

    def cuts(session):
        context_of(sessions).store.down = True
        try:
            return alive(session)
        except StoreUnavailable as error:
            caught.append(error)
            return b"unknown"

    ask(look, cuts)

    assert len(caught) == 1


def test_session_that_was_never_looked_at_cannot_be_asked(sessions, cookie):
    """Its answer has left, and varies with no cookie."""
    caught = []

    def late(session):
        try:
            return alive(session)
        except TooLate as error:
            caught.append(error)
            return b"late"

    WsgiBrowser(in_wsgi(sessions, [lambda s: b"first", late]), cookie).get()

    assert len(caught) == 1
