"""Who a session belongs to: four states, and what every verb does in each."""

import pytest

from core.sessions import behind, opened
from sessile.core.identity import Intent, Lock, Pending
from sessile.errors import ConfigError, LoginNeeded, TooLate
from sessile.testing.clock import T0
from sessile.testing.sample import key, record

PENDING = Pending("alice", ("password",), T0 + 600.0)
ALICE = record(
    owner="alice", assurance=2, authenticated_at=T0, factors=("password", "totp"),
    persistent=True, device="Kitchen", grants={"pay": T0 + 100.0, "old": T0 + 1.0},
)  # fmt: skip

STATES = {
    "new": opened,
    "anyone": lambda: opened(record(), cart=["hat"]),
    "pending": lambda: opened(record(pending=PENDING), cart=["hat"]),
    "logged in": lambda: opened(ALICE, cart=["hat"]),
    "idle": lambda: opened(ALICE, lock=Lock.IDLE),
    "shut": lambda: opened(ALICE, lock=Lock.MISMATCH),
}
NOBODY = {"new", "anyone", "pending", "idle", "shut"}
VERBS = {
    "login": lambda s: s.login("alice"),
    "login bob": lambda s: s.login("bob"),
    "begin": lambda s: s.begin_login("alice", factors=("password",)),
    "finish": lambda s: s.finish_login(factors=("totp",)),
    "step up": lambda s: s.step_up("pay", factors=("totp",)),
    "unlock": lambda s: s.unlock(factors=("password",)),
    "logout": lambda s: s.logout(),
    "rotate": lambda s: s.rotate(),
}
REFUSED = {
    ("new", "finish"), ("new", "step up"), ("new", "unlock"),
    ("anyone", "finish"), ("anyone", "step up"), ("anyone", "unlock"),
    ("pending", "step up"), ("pending", "unlock"),
    ("logged in", "finish"), ("logged in", "unlock"),
    ("idle", "finish"), ("idle", "step up"),
    ("shut", "finish"), ("shut", "step up"),
}  # fmt: skip
INTENTS = {
    "login": Intent.LOGIN, "login bob": Intent.LOGIN, "begin": Intent.BEGIN,
    "finish": Intent.LOGIN, "step up": Intent.STEP_UP, "unlock": Intent.UNLOCK,
    "logout": Intent.LOGOUT, "rotate": Intent.ROTATE,
}  # fmt: skip


def seen(session):
    return (session.user, session.assurance, session.authenticated_at, session.factors)


@pytest.mark.parametrize("state", sorted(NOBODY))
def test_nobody_is_logged_in(state):
    """To every question a visitor, a half-finished login and a locked session are nobody."""
    session = STATES[state]()

    assert seen(session) == (None, 0, None, ())
    assert (session.persistent, session.device) == (False, "")
    assert not session.has_grant("pay")


def test_somebody_is_who_the_record_says():
    """A session that is logged in says so, and neither pending nor locked."""
    session = STATES["logged in"]()

    assert seen(session) == ("alice", 2, T0, ("password", "totp"))
    assert (session.persistent, session.device) == (True, "Kitchen")
    assert (session.pending, session.lock, session.locked_user) == (None, None, None)
    assert session.has_grant("pay")
    assert not session.has_grant("old")
    assert not session.has_grant("rename")


@pytest.mark.parametrize(("state", "lock"), [("idle", Lock.IDLE), ("shut", Lock.MISMATCH)])
def test_locked_session_says_why_and_whom_to_ask(state, lock):
    """The reason of a lock and its user are known, and that is all."""
    session = STATES[state]()

    assert (session.lock, session.locked_user, session.pending) == (lock, "alice", None)
    assert dict(session) == {}


def test_pending_login_waits_until_its_time():
    """It says who began with what, until it is too late."""
    row = record(pending=PENDING)

    assert opened(row, now=T0 + 599.9).pending == PENDING
    late = opened(row, now=T0 + 600.0)
    assert late.pending is None
    with pytest.raises(LoginNeeded, match="begin again"):
        late.finish_login(factors=("totp",))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", STATES)
def test_each_verb_in_each_state(state, verb):
    """A verb does what it says or refuses and changes nothing; each one is an access."""
    session = STATES[state]()
    before = session.id if state != "new" else None
    if (state, verb) in REFUSED:
        with pytest.raises(LoginNeeded):
            VERBS[verb](session)
        assert behind(session).intent is Intent.KEEP
        assert state == "new" or session.id == before
        return
    VERBS[verb](session)

    assert behind(session).intent is INTENTS[verb]
    assert behind(session).accessed
    if verb == "rotate":
        assert session.id == (before or session.id)
    elif verb != "logout":
        assert session.id != before


@pytest.mark.parametrize(
    ("verb", "after"),
    [
        ("login", ("alice", 1, T0 + 5.0, ())),
        ("login bob", ("bob", 1, T0 + 5.0, ())),
        ("begin", (None, 0, None, ())),
        ("unlock", ("alice", 2, T0, ("password", "totp"))),
        ("logout", (None, 0, None, ())),
        ("rotate", (None, 0, None, ())),
    ],
)
@pytest.mark.parametrize("state", ["idle", "shut"])
def test_locked_session_becomes(state, verb, after):
    """Once it is opened, logged in to, begun or left it is locked no more."""
    session = STATES[state]()
    VERBS[verb](session)

    assert seen(session) == after
    assert (session.lock is None) is (verb != "rotate")
    assert (session.locked_user is None) is (verb != "rotate")
    assert behind(session).inherits is (verb in {"login", "unlock", "rotate"})


def test_locked_session_can_be_rotated_and_opened():
    """A turn that was asked for stands in the way of no proof."""
    session = STATES["idle"]()
    session.rotate()
    session.unlock(factors=("password",))

    assert behind(session).intent is Intent.UNLOCK


def test_begun_login_knows_who_and_how():
    """It lasts ten minutes unless said; a visitor keeps what they have."""
    session = STATES["anyone"]()
    session.begin_login("alice", factors=("password",))
    assert session.pending == Pending("alice", ("password",), T0 + 605.0)
    assert session["cart"] == ["hat"]
    session.begin_login("bob", lasts=60)

    assert session.pending == Pending("bob", (), T0 + 65.0)


def test_begun_login_leaves_nothing_of_who_was_logged_in():
    """Beginning a login is the end of the one before, whoever begins."""
    session = STATES["logged in"]()
    session.begin_login("alice")

    assert dict(session) == {}
    assert not behind(session).inherits


def test_finished_login_counts_all_factors():
    """What was given first and what was given last."""
    session = STATES["pending"]()
    session.finish_login(factors=["totp"], remember=True, device="Kitchen")

    assert seen(session) == ("alice", 2, T0 + 5.0, ("password", "totp"))
    assert (session.persistent, session.device) == (True, "Kitchen")
    assert session.pending is None
    assert session["cart"] == ["hat"]


def test_login_ends_a_half_finished_one():
    """Whoever logs in whole has nothing left to finish."""
    session = STATES["pending"]()
    session.login("bob")

    assert session.pending is None
    assert seen(session)[0] == "bob"


def test_login_again_has_no_grants():
    """What a step-up allowed ends with the login it was given in."""
    session = STATES["logged in"]()
    session.login("alice")

    assert not session.has_grant("pay")
    assert (session.persistent, session.device) == (True, "Kitchen")


def test_step_up_for_a_purpose():
    """It allows that purpose for its time, beside what is allowed still, and raises nothing."""
    session = STATES["logged in"]()
    session.step_up("delete", factors=("passkey",), lasts=60)

    assert seen(session) == ("alice", 2, T0, ("password", "totp", "passkey"))
    assert behind(session).identity.grants == {"pay": T0 + 100.0, "delete": T0 + 65.0}
    assert behind(session).purpose == "delete"


def test_step_up_for_good():
    """It raises the assurance, and allows nothing by itself."""
    session = STATES["logged in"]()
    session.step_up(factors=("passkey",), assurance=3)

    assert session.assurance == 3
    assert behind(session).identity.grants == {"pay": T0 + 100.0}
    assert behind(session).purpose is None


def test_factor_given_twice_stands_once():
    """The list of factors does not grow with each step-up."""
    session = STATES["logged in"]()
    session.step_up(factors=("totp", "password"))

    assert session.factors == ("password", "totp")


def test_factors_of_a_session_are_few():
    """Whoever writes another word at each step-up is told so, before the session grows."""
    row = record(owner="alice", assurance=1, factors=tuple(f"code {n}" for n in range(8)))
    opened(row).step_up(factors=("code 7",))
    with pytest.raises(
        ConfigError, match="9 of them, and a session keeps 8; write the kind of factor"
    ):
        opened(row).step_up(factors=("code 8",))


def test_notes_of_a_request_are_few():
    """However many lines a request writes, the last twenty are kept, as many as a trail has."""
    session = opened()
    for n in range(100):
        session.note(f"line {n}")

    assert behind(session).notes == tuple(f"line {n}" for n in range(80, 100))


def test_grants_are_few():
    """Of many grants the newest eight stay."""
    row = record(
        owner="alice", assurance=1, authenticated_at=T0,
        grants={f"p{n}": T0 + 100.0 + n for n in range(8)},
    )  # fmt: skip
    session = opened(row)
    session.step_up("new", factors=("totp",))

    assert set(behind(session).identity.grants) == {"new", *(f"p{n}" for n in range(1, 8))}


def test_step_up_takes_a_request_of_its_own():
    """Beside a login, or another step-up, it is refused; beside a turn it is not."""
    for first in ("login", "step up"):
        session = STATES["logged in"]()
        VERBS[first](session)
        with pytest.raises(ConfigError):
            session.step_up("delete", factors=("totp",))
    session = STATES["logged in"]()
    session.rotate()
    session.step_up("delete", factors=("totp",))

    assert behind(session).intent is Intent.STEP_UP


@pytest.mark.parametrize(
    ("state", "verb", "wrong"),
    [
        ("logged in", "step_up", {"purpose": "", "factors": ("totp",)}),
        ("logged in", "step_up", {"purpose": 7, "factors": ("totp",)}),
        ("logged in", "step_up", {"factors": ()}),
        ("logged in", "step_up", {"factors": "totp"}),
        ("logged in", "step_up", {"factors": ("totp",), "assurance": 1}),
        ("logged in", "step_up", {"factors": ("totp",), "assurance": 10}),
        ("logged in", "step_up", {"factors": ("totp",), "lasts": 0}),
        ("idle", "unlock", {"factors": ()}),
        ("idle", "unlock", {"factors": "password"}),
        ("anyone", "begin_login", {"user": ""}),
        ("anyone", "begin_login", {"user": 7}),
        ("anyone", "begin_login", {"user": "alice", "factors": "password"}),
        ("anyone", "begin_login", {"user": "alice", "lasts": 90_000}),
        ("pending", "finish_login", {"factors": "totp"}),
        ("pending", "finish_login", {"factors": ()}),
        ("pending", "finish_login", {"factors": ("totp",), "assurance": 0}),
        ("anyone", "login", {"user": "alice", "factors": None}),
        ("anyone", "note", {"what": 7}),
    ],
)
def test_wrong_argument_changes_nothing(state, verb, wrong):
    """It is refused where it stands, and the session is as it was."""
    session = STATES[state]()
    before = (session.id, seen(session), dict(session))
    with pytest.raises(ConfigError):
        getattr(session, verb)(**wrong)

    assert behind(session).intent is Intent.KEEP
    assert (session.id, seen(session), dict(session)) == before


@pytest.mark.parametrize("verb", VERBS)
def test_verb_comes_too_late(verb):
    """Once the answer has left nobody is logged in, out or up."""
    state = {"finish": "pending", "unlock": "idle"}.get(verb, "logged in")
    session = STATES[state]()
    behind(session).close("the answer has left")
    with pytest.raises(TooLate, match="has left"):
        VERBS[verb](session)

    assert behind(session).intent is Intent.KEEP


def test_text_of_a_locked_session_shows_no_user():
    """Neither a locked nor a half-finished session is printed with a name."""
    for state in ("idle", "shut", "pending"):
        assert repr(STATES[state]()) == f"<Session {key('a')}>"


@pytest.mark.parametrize("again", ["begin_login", "login"])
def test_values_of_a_half_login_are_not_for_another_user(again):
    """What was set while one user was logging in is not carried over to another one."""
    session = opened(record(pending=Pending("alice", ("password",), T0 + 600.0)), secret="alice's")
    getattr(session, again)("bob")

    assert dict(session) == {}
    assert not behind(session).inherits


@pytest.mark.parametrize("again", ["begin_login", "login"])
def test_values_of_a_half_login_stay_with_their_user(again):
    """Who begins anew, or ends the login in one step, keeps what was set meanwhile."""
    session = opened(record(pending=Pending("alice", ("password",), T0 + 600.0)), cart=["socks"])
    getattr(session, again)("alice")

    assert dict(session) == {"cart": ["socks"]}
