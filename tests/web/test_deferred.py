"""A session that opens itself: what opens it, what does not, and what happens afterwards."""

import gc

import pytest

from harness.recording_store import fresh_sessions, take_commands
from sessile import Session
from sessile.core.request import PlainRequest
from sessile.core.session import FLASHES
from sessile.errors import StoreUnavailable, TooLate
from sessile.web.deferred import Deferred

TOUCHES = {
    "item": lambda s: s["n"],
    "get": lambda s: s.get("n"),
    "in": lambda s: "n" in s,
    "len": len,
    "bool": bool,
    "iteration": list,
    "items": lambda s: dict(s.items()),
    "equality": lambda s: s == {},
    "assignment": lambda s: s.update(n=2),
    "setdefault": lambda s: s.setdefault("n", 2),
    "deletion": lambda s: s.pop("n"),
    "clear": lambda s: s.clear(),
    "increment": lambda s: s.increment("n"),
    "flash": lambda s: s.flash("hello"),
    "flashes": lambda s: s.flashes(),
    "id": lambda s: s.id,
    "user": lambda s: s.user,
    "new": lambda s: s.new,
    "modified": lambda s: s.modified,
    "assurance": lambda s: s.assurance,
    "authenticated_at": lambda s: s.authenticated_at,
    "record": lambda s: s.record,
    "login": lambda s: s.login("alice"),
    "logout": lambda s: s.logout(),
    "rotate": lambda s: s.rotate(),
}
NO_TOUCH = {
    "repr": repr,
    "hasattr": lambda s: hasattr(s, "permanent"),
    "accessed": lambda s: s.accessed,
    "modified": lambda s: setattr(s, "modified", True),
    "isinstance": lambda s: isinstance(s, Session),
}


def asks(cookie):
    return PlainRequest({"cookie": cookie})


@pytest.fixture
def sessions():
    return fresh_sessions()


@pytest.fixture
def cookie(sessions):
    """What a browser sends whose session holds ``n``."""
    session = Deferred(sessions.parts, PlainRequest())
    session["n"] = 1
    sent = session.commit()[1].partition(";")[0]
    take_commands(sessions)
    return sent


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_every_touch_opens(sessions, cookie, touch):
    """Whatever shows or changes the session asks the store, once, and leaves a mark."""
    session = Deferred(sessions.parts, asks(cookie))

    touch(session)
    session.get("n")

    assert take_commands(sessions) == ["read"]
    assert session.touched


@pytest.mark.parametrize("look", NO_TOUCH.values(), ids=NO_TOUCH)
def test_looking_from_outside_opens_nothing(sessions, cookie, look):
    """Printing a session, or asking what it is, costs no store command and leaves no mark."""
    session = Deferred(sessions.parts, asks(cookie))

    look(session)
    session.commit()

    assert take_commands(sessions) == []
    assert not session.touched


def test_repr_tells_whether_it_is_open(sessions, cookie):
    """An unopened session says so; an open one shows its id and no value."""
    session = Deferred(sessions.parts, asks(cookie))

    assert repr(session) == "<Session not opened>"
    assert repr(session) != f"<Session {session.id}>" == repr(session)


def test_unknown_attribute_is_an_attribute_error(sessions, cookie):
    """A misspelt attribute is refused by its name, without asking the store."""
    with pytest.raises(AttributeError, match="a session has no attribute 'usr'"):
        _ = Deferred(sessions.parts, asks(cookie)).usr

    assert take_commands(sessions) == []


def test_saved_session_can_be_read_and_not_changed(sessions, cookie):
    """After the commit values and identity stay readable; every change is refused."""
    session = Deferred(sessions.parts, asks(cookie))
    session["n"] = 2
    session.commit()

    assert (session["n"], session.user, session.closed) == (2, None, True)
    for change in (session.clear, session.rotate, session.logout, lambda: session.flash("late")):
        with pytest.raises(TooLate, match="before the first byte"):
            change()


def test_first_look_after_the_answer_is_refused(sessions, cookie):
    """A session nobody used in time cannot be opened any more: no Vary could be sent for it."""
    session = Deferred(sessions.parts, asks(cookie))
    session.commit()

    for use in (lambda: session.user, lambda: session.update(n=2)):
        with pytest.raises(TooLate, match="Vary: Cookie"):
            use()
    assert take_commands(sessions) == []


def test_commit_is_made_once(sessions):
    """A second commit stores nothing and returns the same cookie."""
    session = Deferred(sessions.parts, PlainRequest())
    session["n"] = 1

    first, second = session.commit(), session.commit()

    assert first == second is not None
    assert take_commands(sessions) == ["create"]


def test_restart_forgets_what_was_not_saved(sessions, cookie):
    """After a restart the session is what the store holds, and the answer still depends on it."""
    session = Deferred(sessions.parts, asks(cookie))
    session.update(n=2, m=3)
    session.login("alice")

    session.restart()

    assert session.touched
    assert (dict(session), session.user) == ({"n": 1}, None)
    assert session.commit() is None
    assert take_commands(sessions) == ["read", "read"]


def test_restart_after_the_commit_changes_nothing(sessions):
    """What is saved is saved: the session stays as it is, and so does its cookie."""
    session = Deferred(sessions.parts, PlainRequest())
    session["n"] = 1
    cookie = session.commit()

    session.restart()

    assert (session["n"], session.commit()) == (1, cookie)


def test_outage_is_remembered_until_the_store_is_back(sessions, cookie):
    """A failed touch raises and is no anonymous visitor; the next one tries again."""
    session = Deferred(sessions.parts, asks(cookie))
    sessions.parts.store.down = True
    with pytest.raises(StoreUnavailable) as caught:
        _ = session.user
    assert session.outage is caught.value

    sessions.parts.store.down = False

    assert session["n"] == 1
    assert session.outage is None


def test_in_place_change_after_the_commit_is_found(sessions):
    """A list that grows after it was saved is reported by its key."""
    session = Deferred(sessions.parts, PlainRequest())
    session.flash("in time")
    waiting = session[FLASHES]
    session.commit()
    assert session.changes_since_delta() == []

    waiting.append(("message", "too late"))

    assert session.changes_since_delta() == [FLASHES]
    assert Deferred(sessions.parts, PlainRequest()).changes_since_delta() == []


def test_finished_request_leaves_nothing_to_the_collector(sessions, cookie):
    """Session and visit know each other; once saved, they go without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            session = Deferred(sessions.parts, asks(cookie))
            session.increment("n")
            session.commit()
        del session
        assert gc.collect() == 0
    finally:
        gc.enable()
