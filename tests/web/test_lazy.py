"""A session that opens itself: what opens it, what does not, and what happens afterwards."""

import gc
from dataclasses import dataclass, field

import pytest

from harness.recording_store import take_commands
from sessile import Session
from sessile.core.request import PlainRequest
from sessile.core.session_values import FLASHES, SessionValues
from sessile.errors import StoreUnavailable, TooLate
from sessile.service.sessions import context_of
from sessile.web.lazy import LazySession, RequestSession, life_of


@dataclass
class Cart:
    """What a view shows."""

    items: list[str] = field(default_factory=list)


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
    "info": lambda s: s.info,
    "view": lambda s: s.view(Cart),
    "has_grant": lambda s: s.has_grant("pay"),
    "note": lambda s: s.note("looked"),
    "login": lambda s: s.login("alice"),
    "logout": lambda s: s.logout(),
    "rotate": lambda s: s.rotate(),
}
NO_TOUCH = {
    "repr": repr,
    "hasattr": lambda s: hasattr(s, "permanent"),
    "touched": lambda s: life_of(s).touched,
    "late keys": lambda s: life_of(s).late_keys(),
    "modified": lambda s: setattr(s, "modified", True),
    "isinstance": lambda s: isinstance(s, Session),
}

PROPERTIES = sorted(
    name
    for name, member in {**vars(SessionValues), **vars(Session)}.items()
    if isinstance(member, property) and name != "_state"
)


def asks(cookie):
    return PlainRequest({"cookie": cookie})


def begin(sessions, request):
    """The session of a request, which nobody has touched."""
    return LazySession(RequestSession(sessions, request))


@pytest.fixture
def cookie(sessions):
    """What a browser sends whose session holds ``n``."""
    session = begin(sessions, PlainRequest())
    session["n"] = 1
    sent = life_of(session).commit()[0][1].partition(";")[0]
    take_commands(sessions)
    return sent


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_every_touch_opens(sessions, cookie, touch):
    """Whatever shows or changes the session asks the store, once, and leaves a mark."""
    session = begin(sessions, asks(cookie))

    touch(session)
    session.get("n")

    assert take_commands(sessions) == ["read"]
    assert life_of(session).touched


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_opens(sessions, cookie, name):
    """Whatever a session has to tell, it asks the store first."""
    session = begin(sessions, asks(cookie))

    getattr(session, name)

    assert take_commands(sessions) == ["read"]
    assert life_of(session).touched


@pytest.mark.parametrize("look", NO_TOUCH.values(), ids=NO_TOUCH)
def test_looking_from_outside_opens_nothing(sessions, cookie, look):
    """Printing a session, or asking what it is, costs no store command and leaves no mark."""
    session = begin(sessions, asks(cookie))

    look(session)
    life_of(session).commit()

    assert take_commands(sessions) == []
    assert not life_of(session).touched


def test_repr_tells_whether_it_is_open(sessions, cookie):
    """An unopened session says so; an open one shows its id and no value."""
    session = begin(sessions, asks(cookie))

    assert repr(session) == "<Session not opened>"
    assert repr(session) != f"<Session {session.id}>" == repr(session)


def test_unknown_attribute_is_an_attribute_error(sessions, cookie):
    """A misspelt attribute is refused by its name, without asking the store."""
    with pytest.raises(AttributeError, match="has no attribute 'usr'"):
        _ = begin(sessions, asks(cookie)).usr

    assert take_commands(sessions) == []


def test_saved_session_can_be_read_and_not_changed(sessions, cookie):
    """After the commit values and identity stay readable; every change is refused."""
    session = begin(sessions, asks(cookie))
    session["n"] = 2
    life_of(session).commit()

    assert (session["n"], session.user, life_of(session).closed) == (2, None, True)
    for change in (session.clear, session.rotate, session.logout, lambda: session.flash("late")):
        with pytest.raises(TooLate, match="before the first byte"):
            change()


def test_first_look_after_the_answer_is_refused(sessions, cookie):
    """A session nobody used in time cannot be opened any more: no Vary could be sent for it."""
    session = begin(sessions, asks(cookie))
    life_of(session).commit()

    for use in (lambda: session.user, lambda: session.update(n=2)):
        with pytest.raises(TooLate, match="Vary: Cookie"):
            use()
    assert take_commands(sessions) == []


def test_first_reason_to_be_closed_stays(sessions):
    """A handler that fails after the commit is not told that nothing was saved."""
    session = begin(sessions, PlainRequest())
    session["n"] = 1
    life_of(session).commit()
    life_of(session).close()

    with pytest.raises(TooLate, match="was saved when the headers"):
        session.clear()


def test_closed_life_lets_go_of_the_request(sessions):
    """Whoever still holds the session holds no request with it; asking for it says why."""
    life = RequestSession(sessions, PlainRequest())
    life.close()

    with pytest.raises(TooLate, match="nothing of its session is saved"):
        _ = life.request


def test_commit_is_made_once(sessions):
    """A second commit stores nothing and returns the same cookie."""
    session = begin(sessions, PlainRequest())
    session["n"] = 1

    first, second = life_of(session).commit(), life_of(session).commit()

    assert first == second != ()
    assert take_commands(sessions) == ["create"]


def test_restart_forgets_what_was_not_saved(sessions, cookie):
    """After a restart the session is what the store holds, and the answer still depends on it."""
    session = begin(sessions, asks(cookie))
    session.update(n=2, m=3)
    session.login("alice")

    life_of(session).restart()

    assert life_of(session).touched
    assert (dict(session), session.user) == ({"n": 1}, None)
    assert life_of(session).commit() == ()
    assert take_commands(sessions) == ["read", "read"]


def test_restart_after_the_commit_changes_nothing(sessions):
    """What is saved is saved: the session stays as it is, and so does its cookie."""
    session = begin(sessions, PlainRequest())
    session["n"] = 1
    cookie = life_of(session).commit()

    life_of(session).restart()

    assert (session["n"], life_of(session).commit()) == (1, cookie)


def test_outage_is_remembered_until_the_store_is_back(sessions, cookie):
    """A failed touch raises and is no anonymous visitor; the next one tries again."""
    session = begin(sessions, asks(cookie))
    context_of(sessions).store.down = True
    with pytest.raises(StoreUnavailable) as caught:
        _ = session.user
    assert life_of(session).outage is caught.value

    context_of(sessions).store.down = False

    assert session["n"] == 1
    assert life_of(session).outage is None


def test_in_place_change_after_the_commit_is_found(sessions):
    """A list that grows after it was saved is reported by its key."""
    session = begin(sessions, PlainRequest())
    session.flash("in time")
    waiting = session[FLASHES]
    life_of(session).commit()
    assert life_of(session).late_keys() == []

    waiting.append(("message", "too late"))

    assert life_of(session).late_keys() == [FLASHES]
    assert RequestSession(sessions, PlainRequest()).late_keys() == []


def test_finished_request_leaves_nothing_to_the_collector(sessions, cookie):
    """Session, life and transaction go without the garbage collector once they are saved."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            session = begin(sessions, asks(cookie))
            session.increment("n")
            life_of(session).commit()
        del session
        assert gc.collect() == 0
    finally:
        gc.enable()
