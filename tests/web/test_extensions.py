"""What an application may add, as the pages write it: a carrier of its own, a timed hook."""

import logging

import pytest

from harness.clients import AsgiClient, WsgiClient
from harness.examples import run_example
from harness.recording_store import fresh_sessions
from sessile import Cookie
from sessile.service.events import Timed
from sessile.service.sessions import context_of


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch):
    """The pages' own ``Sessions()`` leave no file behind."""
    monkeypatch.setenv("SESSILE_URL", "memory://")


def count(session):
    return str(session.increment("n")).encode()


def bringing(ticket):
    return {"headers": {"x-app-session": ticket}}


@pytest.mark.parametrize("kind", [AsgiClient, WsgiClient])
def test_carrier_of_your_own_travels(kind):
    """It hands a ticket over, finds it again, chooses none of two, and takes it back."""
    carrier = run_example("requests.md", "AppHeader").AppHeader()
    sessions = fresh_sessions(carriers=[carrier, Cookie(secure=False)])
    ticket = kind(count, sessions).ask().one("x-app-session")
    again = kind(count, sessions).ask(**bringing(ticket))
    twice = kind(count, sessions).ask(**bringing(f"{ticket}, {ticket}"))
    gone = kind(lambda s: s.logout(), sessions).ask(**bringing(ticket))

    assert (again.body, twice.body) == (b"2", b"1")
    assert again.one("vary") == "X-App-Session, Cookie"
    assert (gone.one("x-app-session"), gone.one("set-cookie")) == ("", None)


@pytest.mark.parametrize("kind", [AsgiClient, WsgiClient])
def test_carrier_of_your_own_says_whether_it_is_attached(kind):
    """Where no browser adds it by itself, what another site's page sent needs no check."""
    carrier = run_example("requests.md", "AppHeader").AppHeader()
    sessions = fresh_sessions(carriers=[carrier])
    ticket = kind(count, sessions).ask().one("x-app-session")
    thief = {"sec-fetch-site": "cross-site"}

    def post(**headers):
        return kind(count, sessions).ask(method="POST", headers=thief | headers).status

    assert (post(**{"x-app-session": ticket}), post()) == (200, 403)


def test_hook_with_timed_is_told_how_long_it_took(caplog):
    """The page's hook warns of what was slow; it is told of opening and of saving."""
    slow = run_example("events.md", "Slow").Slow
    sessions = fresh_sessions(hooks=[slow(-1.0), slow(60.0)])
    with caplog.at_level(logging.WARNING, "shop"):
        WsgiClient(count, sessions).ask()

    assert [record.message.split()[0] for record in caplog.records] == ["OPEN", "SAVE"]


@pytest.mark.parametrize(("timed", "told"), [(True, 2), (False, 0), (None, 0)])
def test_hook_without_timed_is_told_no_times(timed, told):
    """Whoever does not ask gets events alone."""

    class Hook:
        def __init__(self):
            self.heard = []

        def __call__(self, event):
            self.heard.append(event)

    hook = Hook()
    if timed is not None:
        hook.timed = timed
    sessions = fresh_sessions(hooks=[hook])
    WsgiClient(count, sessions).ask()

    assert sum(isinstance(event, Timed) for event in hook.heard) == told
    assert context_of(sessions).is_timed is bool(timed)
