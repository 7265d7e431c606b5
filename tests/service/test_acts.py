"""What a commit does: each row of its table, from the request that leads there to what is stored.

``service.commit`` has the table. Here a real request is driven into each standing and intent.
"""

from dataclasses import dataclass
from itertools import product

import pytest

from sessile.core.flow import run
from sessile.core.identity import Identity, Intent
from sessile.core.policy import Policy, hours, minutes
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import ConfigError
from sessile.service.commit import ACTS, Act, accept, commit, save_midway
from sessile.service.events import (
    Created,
    Dropped,
    End,
    Ended,
    LoggedIn,
    LoginBegun,
    Reopened,
    Rotated,
    SteppedUp,
)
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.service.transaction import Standing
from sessile.stores.memory import MemoryStore
from sessile.testing.step import Stepped
from sessile.testing.world import World

LOCKING = Policy(idle=minutes(30), lock=hours(4), rotate=hours(9))
KEPT = {"cart": ["hat"]}
TICKET, REMOVAL, NONE = "a ticket", "a removal", None


# Where a request may stand


def anonymous(world):
    """Come without a ticket."""
    world.cookie = ""


def stale(world):
    """Come with the ticket of a session that a step-up has replaced."""
    world.ask(lambda session: session.step_up(factors=("totp",)), cookie=world.cookie)


def live(world):
    """Come with the ticket of a session."""


def locked(world):
    """Come after the idle time."""
    world.clock.advance(LOCKING.idle)


STANDINGS = {
    Standing.ANONYMOUS: anonymous,
    Standing.STALE: stale,
    Standing.LIVE: live,
    Standing.LOCKED: locked,
}


# What an application may want


def become(intent, state):
    """Want what the session's verbs refuse here: the table has an answer all the same."""
    who = (
        Identity(owner="alice", assurance=1) if state.record is None else state.identity_on_record()
    )
    state.become(intent, who)


def keep(session, state):
    """Want nothing besides."""


def begin(session, state):
    """Give a first factor."""
    session.begin_login("alice", factors=("password",))


def login(session, state):
    """Log in."""
    session.login("alice")


def step_up(session, state):
    """Give another factor, which takes somebody who is logged in."""
    if session.user is None:
        become(Intent.STEP_UP, state)
    else:
        session.step_up(factors=("totp",))


def unlock(session, state):
    """Give a factor, which takes a locked session."""
    if session.lock is None:
        become(Intent.UNLOCK, state)
    else:
        session.unlock(factors=("password",))


def logout(session, state):
    """Log out."""
    session.logout()


def rotate(session, state):
    """Ask for another ticket."""
    session.rotate()


INTENTS = {
    Intent.KEEP: keep,
    Intent.BEGIN: begin,
    Intent.LOGIN: login,
    Intent.STEP_UP: step_up,
    Intent.UNLOCK: unlock,
    Intent.LOGOUT: logout,
    Intent.ROTATE: rotate,
}


@dataclass(frozen=True)
class Row:
    """What is seen of an act whose request has set ``v`` as well.

    Attributes:
        act: its name.
        asked: the commands that the commit asked of the store.
        told: the events.
        header: what the answer carries.
        user: whose session the browser has afterwards.
        values: what is in it.
    """

    act: Act
    asked: str = ""
    told: tuple = ()
    header: str | None = NONE
    user: str | None = None
    values: dict | None = None


V = {"v": 1}
CREATE = Row(Act.CREATE, "create", (Created,), TICKET, values=V)
DISCARD = Row(Act.DISCARD, told=(Dropped,))


def saves(asked, told=(), header=NONE):
    return Row(Act.SAVE, asked, told, header, "alice", KEPT | V)


def regenerates(*told, asked="replace", user="alice", values=V):
    return Row(Act.REGENERATE, asked, told, TICKET, user, values)


def logs_out(asked="", told=(), header=NONE):
    return Row(Act.LOG_OUT, asked, told, header)


ROWS = {
    (Standing.ANONYMOUS, Intent.KEEP): CREATE,
    (Standing.ANONYMOUS, Intent.ROTATE): CREATE,
    (Standing.ANONYMOUS, Intent.BEGIN): regenerates(LoginBegun, user=None),
    (Standing.ANONYMOUS, Intent.LOGIN): regenerates(LoggedIn),
    (Standing.ANONYMOUS, Intent.STEP_UP): regenerates(SteppedUp),
    (Standing.ANONYMOUS, Intent.UNLOCK): regenerates(Reopened),
    (Standing.ANONYMOUS, Intent.LOGOUT): logs_out(),
    (Standing.STALE, Intent.KEEP): DISCARD,
    (Standing.STALE, Intent.ROTATE): DISCARD,
    (Standing.STALE, Intent.BEGIN): regenerates(LoginBegun, asked="read replace", user=None),
    (Standing.STALE, Intent.LOGIN): regenerates(
        Ended,
        LoggedIn,
        asked="read replace",
        values=KEPT | V,  # of what took its place
    ),
    (Standing.STALE, Intent.STEP_UP): regenerates(SteppedUp),
    (Standing.STALE, Intent.UNLOCK): regenerates(Reopened),
    (Standing.STALE, Intent.LOGOUT): logs_out("read delete", (Ended,)),  # where it went on
    (Standing.LIVE, Intent.KEEP): saves("commit"),
    (Standing.LIVE, Intent.ROTATE): saves("commit", (Rotated,), TICKET),
    (Standing.LIVE, Intent.BEGIN): regenerates(Ended, LoginBegun, user=None, values={}),
    (Standing.LIVE, Intent.LOGIN): regenerates(Ended, LoggedIn, values=KEPT | V),
    (Standing.LIVE, Intent.STEP_UP): regenerates(Ended, SteppedUp, values=KEPT | V),
    (Standing.LIVE, Intent.UNLOCK): regenerates(Ended, Reopened, values=KEPT | V),
    (Standing.LIVE, Intent.LOGOUT): logs_out("delete", (Ended,), REMOVAL),
    (Standing.LOCKED, Intent.KEEP): DISCARD,
    (Standing.LOCKED, Intent.ROTATE): DISCARD,
    (Standing.LOCKED, Intent.BEGIN): regenerates(Ended, LoginBegun, user=None, values={}),
    (Standing.LOCKED, Intent.LOGIN): regenerates(Ended, LoggedIn, values=KEPT | V),
    (Standing.LOCKED, Intent.STEP_UP): regenerates(Ended, SteppedUp, values=KEPT | V),
    (Standing.LOCKED, Intent.UNLOCK): regenerates(Ended, Reopened, values=KEPT | V),
    (Standing.LOCKED, Intent.LOGOUT): logs_out("delete", (Ended,), REMOVAL),
}
"""The documentation of ``ACTS``, written a second time: what each act costs, says and leaves."""


def drive_to(standing):
    """Return a world, and a transaction of its browser that stands there."""
    world = World(MemoryStore(), run, policy=LOCKING)
    world.ask(lambda session: (session.update(KEPT), session.login("alice")))
    STANDINGS[standing](world)
    request = PlainRequest({"cookie": world.cookie, "user-agent": world.agent}, peer=world.peer)
    transaction = run(open_transaction(context_of(world.sessions), request))
    world.events.clear()
    return world, transaction


def carry_out(flow):
    """Finish a flow; return what it asked of the store, and what it returned."""
    stepped, asked = Stepped(flow), []
    while stepped.ask is not None:
        asked.append(stepped.ask.what.removeprefix("memory "))
        stepped.step()
    return " ".join(asked), stepped.outcome.get()


def kind_of(headers):
    """Tell a ticket from a removal and from nothing."""
    if not headers:
        return NONE
    return REMOVAL if "Max-Age=0" in headers[0][1] else TICKET


def test_every_standing_and_intent_has_an_act():
    """No request can come to a commit that does not know what to do."""
    whole = set(product(Standing, Intent))

    assert set(ACTS) == set(ROWS) == whole
    assert len(whole) == 28
    assert set(ACTS.values()) == set(Act)
    assert (set(STANDINGS), set(INTENTS)) == (set(Standing), set(Intent))


@pytest.mark.parametrize(("standing", "intent"), ROWS, ids=[f"{s.name} {i.name}" for s, i in ROWS])
def test_act_does_what_its_row_says(standing, intent):
    """A request that stands there and wants that asks, tells, answers and leaves just this."""
    world, transaction = drive_to(standing)
    row, session = ROWS[standing, intent], Session(transaction.state)
    session["v"] = 1
    INTENTS[intent](session, transaction.state)
    assert (transaction.opened.standing, transaction.state.intent) == (standing, intent)
    assert ACTS[standing, intent] is row.act
    asked, headers = carry_out(commit(transaction))

    assert (asked, kind_of(headers)) == (row.asked, row.header)
    assert tuple(type(event) for event in world.events) == row.told
    if headers:
        world.cookie = headers[0][1].partition(";")[0]
    seen = world.ask()
    assert (seen.user, seen.result) == (row.user, row.values or {})


@pytest.mark.parametrize("standing", Standing)
def test_logout_ends_what_there_is(standing):
    """Whoever logs out leaves no session of theirs; somebody without one ends nobody's."""
    world, transaction = drive_to(standing)
    Session(transaction.state).logout()
    run(commit(transaction))
    ended = [event.reason for event in world.events if isinstance(event, Ended)]

    assert ended == ([] if standing is Standing.ANONYMOUS else [End.LOGOUT])
    assert len(world.sessions.sync.of("alice")) == (standing is Standing.ANONYMOUS)


@pytest.mark.parametrize("standing", [Standing.STALE, Standing.LIVE, Standing.LOCKED])
@pytest.mark.parametrize("intent", [Intent.KEEP, Intent.ROTATE, Intent.LOGOUT])
def test_act_without_changes_tells_of_none(standing, intent):
    """Where nothing was set nothing is dropped, and no session is begun."""
    world, transaction = drive_to(standing)
    INTENTS[intent](Session(transaction.state), transaction.state)
    asked, _ = carry_out(commit(transaction))

    assert not world.events_of(Dropped)
    assert not world.events_of(Created)
    saved = standing is Standing.LIVE and intent is Intent.ROTATE
    assert ("commit" in asked) is saved


def test_late_logout_without_a_successor_asks_nothing():
    """A stale request whose session ended in no other has nothing to end."""
    world, _ = drive_to(Standing.LIVE)
    late = world.cookie
    world.ask(lambda session: session.logout())
    request = PlainRequest({"cookie": late, "user-agent": world.agent}, peer=world.peer)
    transaction = run(open_transaction(context_of(world.sessions), request))
    Session(transaction.state).logout()

    assert transaction.opened.standing is Standing.STALE
    assert carry_out(commit(transaction)) == ("", ())


@pytest.mark.parametrize("standing", Standing)
def test_what_is_set_after_a_logout_begins_a_new_session(standing):
    """It is nobody's, and holds that alone; a stale request begins none."""
    world, transaction = drive_to(standing)
    session = Session(transaction.state)
    session.logout()
    session["v"] = 1
    headers = run(commit(transaction))

    assert kind_of(headers) == (NONE if standing is Standing.STALE else TICKET)
    assert bool(world.events_of(Dropped)) is (standing is Standing.STALE)
    if headers:
        seen = world.ask(cookie=headers[0][1].partition(";")[0])
        assert (seen.user, seen.result) == (None, V)


@pytest.mark.parametrize(("standing", "intent"), ROWS, ids=[f"{s.name} {i.name}" for s, i in ROWS])
def test_socket_goes_on_from_every_act(standing, intent):
    """What a WebSocket's handshake has done is where it stands; what it sets then is merged."""
    world, transaction = drive_to(standing)
    session, row = Session(transaction.state), ROWS[standing, intent]
    session["v"] = 1
    INTENTS[intent](session, transaction.state)
    headers = run(accept(transaction))
    assert kind_of(headers) == row.header
    assert transaction.state.intent is Intent.KEEP
    if headers:
        world.cookie = headers[0][1].partition(";")[0]
    session["w"] = 2

    if row.act is Act.LOG_OUT or (standing is Standing.STALE and row.act is Act.DISCARD):
        with pytest.raises(ConfigError, match="no cookie can be set"):
            run(save_midway(transaction))
        return
    world.ask(lambda rival: rival.update(x=3))
    assert run(save_midway(transaction)) is (row.act is not Act.DISCARD)
    assert world.values() == ({} if row.act is Act.DISCARD else row.values | {"w": 2, "x": 3})
    assert session.user == row.user
