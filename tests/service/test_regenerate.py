"""A login is whole or not at all: what rivals do between its opening and its replacement.

``test_interleavings`` meets every act with every other; here is what each meeting comes to.
"""

from itertools import product

import pytest

from service.logins import CONTINUING, LOGINS, before_replacing, locked_world, logged_in
from sessile.core.flow import run
from sessile.core.limit import OnLimit
from sessile.core.policy import Policy
from sessile.core.record import tombstone
from sessile.errors import LostRace
from sessile.service import events, regenerate
from sessile.service.events import End, Ended
from sessile.service.manage import end, end_all, end_everybody
from sessile.service.sessions import context_of
from sessile.testing.promises.stories import adds, logs_in, puts, reads, steps_up, unlocks
from sessile.testing.world import ABROAD, World

# A rival commits


def rivals(world):
    """Let another request of the browser change everything that one can change."""
    world.ask(
        lambda session: (session["cart"].append("sock"), session.update(v=1), session.note("paid"))
    )
    world.ask(adds)


@pytest.mark.parametrize("act", [logs_in(), steps_up("pay")], ids=["login", "step-up"])
def test_what_a_rival_saved_is_in_the_new_session(act):
    """Its values, its items, its sums and its lines, beside those of the login itself."""
    world, _ = logged_in()

    def does(session):
        session["cart"].append("shoe")
        session["z"] = 2
        session.increment("hits", 5)
        act(session)

    login = before_replacing(world, does)
    rivals(world)
    login.step()
    assert login.ask.what == "memory replace"  # the first attempt met a Conflict
    world.cookie = login.finish().get().cookie

    assert world.values() == {"cart": ["hat", "sock", "shoe"], "v": 1, "z": 2, "hits": 6}
    (info,) = world.sessions.sync.of("alice")
    assert "paid" in [line.what for line in info.trail]


def test_unlocking_keeps_what_was_written_before_the_lock():
    """What the application was not shown is all there when it may see it again."""
    world, _ = locked_world()
    unlock = before_replacing(world, lambda session: (session.update(v=1), unlocks(session)))
    world.cookie = unlock.finish().get().cookie

    assert world.values() == {"cart": ["hat"], "hits": 0, "v": 1}


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_what_belongs_to_another_is_not_merged(act):
    """A rival's change of alice's session goes to nobody who left hers behind."""
    world, _ = logged_in()
    login = before_replacing(world, act)
    rivals(world)
    world.cookie = login.finish().get().cookie

    assert ("v" in world.values()) is (act is LOGINS["login"])


def test_rivals_that_win_every_time_are_a_lost_race(monkeypatch):
    """A login that never finds its old session as it was is answered with 503, and stores none."""
    monkeypatch.setattr(regenerate, "ATTEMPTS", 3)
    world, _ = logged_in()
    login = before_replacing(world, logs_in())
    for n in range(3):
        world.ask(puts(n=n))
        login.step()
    outcome = login.finish()

    assert isinstance(outcome.error, LostRace)
    assert outcome.error.attempts == 3
    assert len(world.sessions.sync.of("alice")) == 1
    assert world.ask(reads).user == "alice"


# The old session has ended


def replays(world):
    """Let a thief present a ticket that was used up."""
    world.clock.advance(91.0)
    world.ask(reads, cookie=world.stolen, peer=ABROAD)


ENDS = {
    "logout": lambda world, key: world.ask(lambda s: s.logout(), cookie=world.cookie),
    "end": lambda world, key: run(end(context_of(world.sessions), key)),
    "end all": lambda world, key: run(end_all(context_of(world.sessions), "alice", None)),
    "end everybody": lambda world, key: run(end_everybody(context_of(world.sessions))),
    "replay": lambda world, key: replays(world),
}


def with_theft(make):
    """Return the world with a used ticket of its session in a thief's hands."""
    world, key = make()
    world.stolen = world.cookie
    if make is logged_in:
        world.ask(lambda session: session.rotate())
        world.ask(reads)
    return world, key


@pytest.mark.parametrize("ending", ENDS)
@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_login_begins_anew_where_its_session_has_ended(act, ending):
    """It is asked of nobody else: the new session is there, the old one stays ended."""
    world, key = with_theft(logged_in)
    login = before_replacing(world, act)
    ENDS[ending](world, key)
    world.events.clear()
    reply = login.finish().get()
    new = world.ask(lambda session: (session.new, session.user), cookie=reply.cookie).result

    assert new == (False, reply.user)
    assert world.ask(reads).user is None
    assert not world.events_of(Ended)
    assert len(world.sessions.sync.of("alice")) == (reply.user == "alice")
    assert (world.sessions.sync.evidence(key) is not None) is (ending == "replay")


@pytest.mark.parametrize(
    ("name", "ending"),
    [pair for pair in product(CONTINUING, ENDS) if pair != ("unlock", "replay")],
)  # a ticket that never turned has no used one
def test_what_rests_on_an_ended_session_is_none(name, ending):
    """A step-up and an unlocking store nothing, answer no ticket and tell what was dropped."""
    make, act = CONTINUING[name]
    world, key = with_theft(make)
    late = before_replacing(world, lambda session: (session.update(v=1), act(session)))
    ENDS[ending](world, key)
    world.events.clear()
    reply = late.finish().get()

    assert reply.set_cookie is None
    assert [type(event) for event in world.events] == [events.Dropped]
    assert world.sessions.sync.of("alice") == []
    assert world.ask(reads).user is None


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("times", [1, 3])
def test_login_ends_what_its_session_went_on_in(act, times):
    """A rival's step-up does not outlive the login that both came before."""
    world, _ = logged_in()
    login = before_replacing(world, act)
    for _ in range(times):
        world.ask(steps_up("pay"))
    world.ask(puts(v=1))
    rival = world.cookie
    reply = login.finish().get()
    world.cookie = reply.cookie

    assert world.ask(reads, cookie=rival).user is None
    assert world.values() == (
        {"cart": ["hat"], "hits": 0, "v": 1} if act is LOGINS["login"] else {}
    )
    assert len(world.sessions.sync.of("alice")) == (reply.user == "alice")
    assert {event.reason for event in world.events_of(Ended)} == {End.LOGIN}
    assert len(world.events_of(Ended)) == times + 1


@pytest.mark.parametrize("act", LOGINS.values(), ids=LOGINS)
def test_planted_tombstone_leads_to_nobody_elses_session(act):
    """Whoever can write to the store cannot have a login take over the values of another."""
    world, key = logged_in()
    carols = world.ask(lambda s: (s.update(secret=1), s.login("carol")), cookie="").cookie
    theirs = world.ask(lambda session: session.id, cookie=carols).result
    login = before_replacing(world, act)
    planted = tombstone(key, world.clock(), theirs)
    run(context_of(world.sessions).store.delete(key, "alice", leaving=planted))
    world.cookie = login.finish().get().cookie

    assert "secret" not in world.values()
    assert world.values(carols) == {"secret": 1}


@pytest.mark.parametrize("on_limit", list(OnLimit))
def test_login_takes_the_place_of_what_went_on(on_limit):
    """At a limit of one a rival's step-up keeps nobody out, and leaves nobody behind."""
    world, _ = logged_in(policy=Policy(limit=1, on_limit=on_limit))
    login = before_replacing(world, logs_in())
    world.ask(steps_up("pay"))
    world.cookie = login.finish().get().cookie

    assert world.ask(reads).user == "alice"
    assert len(world.sessions.sync.of("alice")) == 1


@pytest.mark.parametrize("on_limit", list(OnLimit))
def test_step_up_takes_no_new_place(on_limit):
    """Who has more sessions than a new policy allows steps up in one, and keeps them all."""
    world, _ = logged_in()
    for _ in range(2):
        world.ask(logs_in(), cookie="")
    strict = World(
        context_of(world.sessions).store,
        run,
        clock=world.clock,
        policy=Policy(limit=1, on_limit=on_limit),
    )
    strict.cookie = world.cookie

    assert strict.ask(steps_up("pay")).user == "alice"
    assert len(strict.sessions.sync.of("alice")) == 3


def test_counted_step_ups_would_end_or_refuse(monkeypatch):
    """The test above bites: with the limit of a login a step-up ends the user's others."""
    monkeypatch.setattr(
        regenerate, "_limit", lambda transaction: transaction.context.policy.limit_for("alice")
    )

    with pytest.raises(AssertionError):
        test_step_up_takes_no_new_place(OnLimit.END_OLDEST)
