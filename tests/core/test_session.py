"""The session an application holds: who it belongs to, and what was asked of it."""

import pytest

from core.sessions import behind, opened
from sessile.core.identity import Intent
from sessile.core.info import SessionInfo
from sessile.core.session_values import FLASHES
from sessile.errors import ConfigError, TooLate, UnsupportedValue
from sessile.testing.clock import T0
from sessile.testing.sample import key, record

MARK = "value to look for"


def test_anonymous_session_belongs_to_nobody():
    """Who comes without a session has a new and empty one."""
    session = opened()

    assert session.new
    assert (session.user, session.assurance, session.authenticated_at) == (None, 0, None)
    assert session.info is None
    assert not session.persistent
    assert behind(session).intent is Intent.KEEP


def test_stored_session_is_what_its_record_says():
    """Who comes with a session has its id, user and assurance."""
    row = record(owner="alice", assurance=2, authenticated_at=T0, persistent=True, device="phone")
    session = opened(row, cart=["hat"])

    assert not session.new
    assert session.id == row.key
    assert (session.user, session.assurance, session.authenticated_at) == ("alice", 2, T0)
    assert (session.persistent, session.device) == (True, "phone")
    assert session.info == SessionInfo.of(row, current=True)
    assert behind(session).record is row
    assert dict(session) == {"cart": ["hat"]}


def test_id_of_a_new_session_is_the_one_it_will_have():
    """An id that was asked for before the session was stored stays the session's id."""
    session = opened()

    assert session.id == session.id == behind(session).new_ticket().key
    assert len(session.id) == 20


@pytest.mark.parametrize("act", ["login", "logout", "rotate"])
def test_acting_on_who_it_is_is_an_access(act):
    """A login, a logout and a rotation make the answer this client's own."""
    session = opened(record())
    getattr(session, act)(*["alice"] * (act == "login"))

    assert behind(session).accessed


@pytest.mark.parametrize("name", ["id", "user", "new", "assurance", "authenticated_at", "info"])
def test_looking_at_who_it_is_is_an_access(name):
    """An answer that depends on the identity depends on the session."""
    session = opened(record())
    assert not behind(session).accessed
    getattr(session, name)

    assert behind(session).accessed


def test_login_is_a_new_session_with_the_values_carried_over():
    """A login has a fresh id, the user and the time; what the visitor stored stays."""
    session = opened(record(), cart=["hat"])
    session.login("alice", assurance=2, remember=True, device="Firefox on Linux")

    assert behind(session).intent is Intent.LOGIN
    assert session.id != key("a")
    assert (session.user, session.assurance) == ("alice", 2)
    assert session.authenticated_at == T0 + 5.0
    assert (session.persistent, session.device) == (True, "Firefox on Linux")
    assert session["cart"] == ["hat"]
    assert behind(session).inherits


def test_login_of_another_user_carries_nothing_over():
    """What one user stored is never in the session of the next."""
    session = opened(record(owner="alice"), cart=["hat"])
    session["late"] = 1
    session.login("bob")

    assert dict(session) == {}
    assert not behind(session).inherits


def test_login_of_the_same_user_keeps_the_values():
    """Proving who one is again, for more assurance, loses nothing."""
    session = opened(record(owner="alice"), cart=["hat"])
    session.login("alice", assurance=2)

    assert session["cart"] == ["hat"]
    assert behind(session).inherits


def test_every_login_has_an_id_of_its_own():
    """Two logins in one request, and an id seen before the login, are different sessions."""
    session = opened()
    seen = {session.id}
    session.login("alice")
    seen.add(session.id)
    session.login("alice")
    seen.add(session.id)

    assert len(seen) == 3


@pytest.mark.parametrize("user", ["", None, 7, b"alice", "x" * 513, "half \ud800"])
def test_user_that_no_store_could_keep_is_refused(user):
    """A user is a text that can be written, of up to 512 characters; nothing has changed."""
    session = opened(record(), cart=["hat"])
    with pytest.raises(ConfigError, match=r"login takes the user's key as a text") as refused:
        session.login(user)

    assert MARK not in str(refused.value)
    assert session.user is None
    assert behind(session).intent is Intent.KEEP
    assert session["cart"] == ["hat"]


@pytest.mark.parametrize("assurance", [1, 9])
def test_extreme_users_and_levels_are_taken(assurance):
    """The shortest and the longest user, the lowest and the highest level are allowed."""
    for user in ("x", "x" * 512):
        session = opened()
        session.login(user, assurance=assurance)
        assert (session.user, session.assurance) == (user, assurance)
        assert not session.persistent


def test_refused_user_is_not_quoted():
    """The error of a login that was given a wrong object shows its kind and not its content."""
    with pytest.raises(ConfigError) as refused:
        opened().login([MARK])  # type: ignore[arg-type]

    assert MARK not in str(refused.value)
    assert "list" in str(refused.value)


@pytest.mark.parametrize("assurance", [0, -1, 10, True, 1.0, "1", None])
def test_assurance_is_a_whole_number_from_1(assurance):
    """A level that could not be compared is refused, and nobody is logged in."""
    session = opened()
    with pytest.raises(ConfigError, match="whole number from 1 to 9"):
        session.login("alice", assurance=assurance)

    assert session.user is None


@pytest.mark.parametrize(
    ("device", "kept"),
    [("a\r\nSet-Cookie: b", "aSet-Cookie: b"), ("x" * 100, "x" * 80), ("\ud800\0\x1bé", "é")],
)
def test_device_is_kept_as_one_printable_line(device, kept):
    """What a client says of itself cannot break a list, a log or a row."""
    session = opened()
    session.login("alice", device=device)

    assert session.device == kept


def test_device_that_is_no_text_is_named():
    """The error says which of a login's words it is about."""
    with pytest.raises(ConfigError, match="device: write a text, not int"):
        opened().login("alice", device=5)


def test_logout_leaves_nothing():
    """After a logout the mapping is empty and belongs to nobody."""
    session = opened(record(owner="alice", persistent=True), cart=["hat"])
    session.logout()

    assert behind(session).intent is Intent.LOGOUT
    assert dict(session) == {}
    assert (session.user, session.assurance, session.authenticated_at) == (None, 0, None)
    assert not session.persistent
    assert not behind(session).inherits


def test_what_is_set_after_a_logout_is_a_new_beginning():
    """A message left while logging out is in the next session, nothing else is."""
    session = opened(record(owner="alice"), cart=["hat"])
    session.logout()
    session.flash("Goodbye.")

    assert dict(session) == {FLASHES: [("message", "Goodbye.")]}


@pytest.mark.parametrize("ending", ["login", "logout"])
def test_rotation_is_part_of_a_login_or_logout(ending):
    """Asking for a new ticket beside a login or a logout adds nothing to it."""
    session = opened(record(owner="alice"))
    session.login("alice") if ending == "login" else session.logout()
    session.rotate()

    assert behind(session).intent is Intent[ending.upper()]


def test_rotation_keeps_the_id_and_the_values():
    """A rotation replaces the ticket and nothing else."""
    session = opened(record(owner="alice"), cart=["hat"])
    session.rotate()

    assert behind(session).intent is Intent.ROTATE
    assert session.id == key("a")
    assert dict(session) == {"cart": ["hat"]}
    assert not session.modified


def test_flashes_are_taken_once_in_order():
    """Messages come back in the order they were left in, with their kinds, and then are gone."""
    session = opened(record())
    session.flash("first")
    session.flash("second", "error")

    assert session.flashes() == [("message", "first"), ("error", "second")]
    assert session.flashes() == []
    assert not session.modified


def test_looking_for_flashes_stores_nothing():
    """A page that shows messages costs a visitor without any no session."""
    session = opened()

    assert session.flashes() == []
    assert not session.modified


CHANGES = {
    "set": lambda s: s.__setitem__("a", 1),
    "delete": lambda s: s.__delitem__("cart"),
    "clear": lambda s: s.clear(),
    "update": lambda s: s.update(a=1),
    "pop": lambda s: s.pop("cart"),
    "popitem": lambda s: s.popitem(),
    "setdefault": lambda s: s.setdefault("a", 1),
    "increment": lambda s: s.increment("n"),
    "flash": lambda s: s.flash("hello"),
    "login": lambda s: s.login("alice"),
    "begin_login": lambda s: s.begin_login("alice"),
    "step_up": lambda s: s.step_up(factors=("totp",)),
    "unlock": lambda s: s.unlock(factors=("password",)),
    "note": lambda s: s.note("changed the password"),
    "logout": lambda s: s.logout(),
    "rotate": lambda s: s.rotate(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_after_the_response_is_refused(change):
    """What could no longer be saved is an error that says why, not a silent loss."""
    session = opened(record(), cart=["hat"])
    behind(session).close("the response has started")
    with pytest.raises(TooLate, match="the response has started"):
        change(session)

    assert dict(session) == {"cart": ["hat"]}
    assert behind(session).intent is Intent.KEEP


def test_resumed_session_goes_on_from_what_was_saved():
    """A WebSocket that saved goes on with the saved record, its intent carried out."""
    session = opened(record(), cart=["hat"])
    session["cart"].append("sock")
    session.rotate()
    state = behind(session)
    delta = state.values.delta()
    newer = record(version=2)
    state.resume(newer, delta.set, state.intent)

    assert state.record is newer
    assert session.info == SessionInfo.of(newer, current=True)
    assert behind(session).intent is Intent.KEEP
    assert dict(session) == {"cart": ["hat", "sock"]}
    assert not session.modified


def test_text_of_a_session_shows_its_id_alone():
    """``repr`` shows no value, no user and no ticket, and does not touch the session."""
    session = opened(record(owner=MARK), cart=MARK)
    assert repr(session) == f"<Session {key('a')}>"
    assert not behind(session).accessed
    assert repr(opened()) == "<Session unsaved>"

    session.login(MARK + "2")
    told = repr(session)
    assert told == f"<Session {session.id}>"
    assert behind(session).new_ticket().reveal()[20:] not in told


def test_error_of_a_value_names_the_session_key():
    """The mapping's own errors reach the application as they are."""
    with pytest.raises(UnsupportedValue, match=r"session\['socket'\]"):
        opened()["socket"] = object()


def test_login_of_an_identity_provider_keeps_its_times():
    """What somebody else saw is as old as they say, and never newer than now."""
    session = opened()
    session.login("alice", authenticated_at=T0 - 60.0, until=T0 + 60.0)

    assert session.authenticated_at == T0 - 60.0
    assert behind(session).identity.until == T0 + 60.0
    session.login("alice", authenticated_at=T0 + 60.0)
    assert session.authenticated_at == T0 + 5.0


@pytest.mark.parametrize("wrong", ["yesterday", True, -1.0, float("nan"), 1e11])
def test_time_that_is_none_is_refused(wrong):
    """A time from an identity provider is a number of seconds since 1970."""
    with pytest.raises(ConfigError, match="seconds since 1970"):
        opened().login("alice", until=wrong)
