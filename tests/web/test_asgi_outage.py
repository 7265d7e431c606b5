"""What an ASGI client is told when a session cannot be opened or saved."""

import pytest

from harness.recording_store import fresh_sessions
from sessile import OnLimit, Policy
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.service.sessions import context_of
from sessile.stores.contract import Conflict
from web.asgi_shop import bare, cart, customer, outage, shop, start


def test_outage_before_the_handler_is_503():
    """Nobody can say who this is, so the handler is not asked."""
    sessions, called = fresh_sessions(), []
    cookie = customer(sessions)
    context_of(sessions).store.down = True

    reply = shop(called.append, sessions, cookie=cookie).get()

    assert outage(reply)
    assert called == []
    assert b"secrets" not in reply.body


def test_outage_at_the_commit_replaces_the_whole_answer():
    """What could not be stored is not told as done: neither its headers nor its body leave."""
    sessions = fresh_sessions()

    def fail(session):
        cart(session)
        context_of(sessions).store.down = True

    reply = shop(fail, sessions).get()

    assert outage(reply)
    assert len(reply.messages) == 2
    assert reply.body.startswith(b"Sessions are unavailable")


def test_outage_that_a_handler_meets_is_503():
    """An outage while the handler lists a user's sessions is answered like any other."""
    sessions = fresh_sessions()

    async def app(scope, send):
        context_of(sessions).store.down = True
        await sessions.of("alice")

    assert outage(bare(app, sessions).get())


def test_outage_in_the_middle_of_an_answer_is_raised():
    """Once the headers have left there is nothing left to say; the server breaks off."""
    sessions = fresh_sessions()

    async def app(scope, send):
        await start(send)
        context_of(sessions).store.down = True
        await sessions.of("alice")

    with pytest.raises(StoreUnavailable):
        bare(app, sessions).get()


def test_session_is_there_once_the_store_is_back():
    """An outage costs no session: the same cookie opens it afterwards."""
    sessions, seen = fresh_sessions(), []
    browser = shop(lambda session: seen.extend(session["cart"]), sessions)
    browser.cookie = customer(sessions)
    context_of(sessions).store.down = True
    browser.get()
    context_of(sessions).store.down = False

    browser.get()

    assert seen == ["socks"]


def test_lost_race_is_503():
    """A session under which rivals never stop committing is to be tried again."""
    sessions = fresh_sessions()
    cookie = customer(sessions)
    store = context_of(sessions).store
    record = run(store.read(cookie[4:24]))

    async def always(change):
        return Conflict(record)

    store.commit = always

    assert outage(shop(cart, sessions, cookie=cookie).get())


def test_refused_login_is_403():
    """A login beyond the limit is answered in place of the application, and sets no cookie."""
    sessions = fresh_sessions(policy=Policy(limit=1, on_limit=OnLimit.REFUSE))
    shop(lambda session: session.login("alice"), sessions).get()

    reply = shop(lambda session: session.login("alice"), sessions).get()

    assert (reply.status, reply.one("set-cookie")) == (403, None)
