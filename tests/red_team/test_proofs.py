"""Proofs of identity: what is half proved, proved for something else, or proved too late."""

import msgspec

from harness.handlers import logs_in, puts, reads, start, who
from mutations.defences import continued_sessions_outlive_an_end, versions_are_forgotten
from red_team.attack import events_of, weakened_by
from sessile import Policy, require
from sessile.core.session import Session, state_of
from sessile.core.state import SessionState
from sessile.errors import LoginNeeded, StepUpNeeded
from sessile.service import require as requiring
from sessile.service import sessions
from sessile.service.events import Dropped, GrantUsed, LoggedIn, SteppedUp
from sessile.stores.contract import Change

CROWD = 50
IDLE, LOCK = 1_800, 3_600
LOCKING = Policy(idle=IDLE, lock=LOCK)
NOBODY = {"user": None, "assurance": 0, "since": None, "factors": [], "granted": False}


def checks(session):
    """Tell all that an application may ask of who is logged in."""
    return {
        "user": session.user,
        "assurance": session.assurance,
        "since": session.authenticated_at,
        "factors": list(session.factors),
        "granted": session.has_grant("pay"),
    }


def refused(act):
    """Return a handler that tells whether the act was refused."""

    def tried(session):
        try:
            act(session)
        except (LoginNeeded, StepUpNeeded) as error:
            return type(error).__name__
        return "passed"

    return tried


def requires(session):
    """Go on only for somebody."""
    require(session)


def steps_up(session):
    """Prove it once more, to pay."""
    session.step_up("pay", factors=("totp",))


def unlocks(session):
    """Open a locked session."""
    session.unlock(factors=("password",))


def begins(session):
    """Give the first of two factors."""
    session.begin_login("alice", factors=("password",))


def finishes(session):
    """Give the second."""
    session.finish_login(factors=("totp",))


def spends(site, purpose="pay"):
    """Return a handler that does what took a step-up; a 403 answers who may not."""
    return lambda session: site.sessions.sync.spend(session, purpose)


def assert_nobody(site, cookie):
    """Make sure that no check takes the session for somebody's, nor any act that needs one."""
    assert site.ask(checks, cookie).json == NOBODY
    assert site.ask(requires, cookie).status == 401
    assert site.ask(refused(steps_up), cookie).json == "LoginNeeded"
    assert site.ask(spends(site), cookie).status == 403
    assert site.of("alice") == []


def users_are_values(patch):
    """Who is logged in stands among the values, as in many a framework."""
    user = Session.user.fget
    patch.setattr(Session, "user", property(lambda session: user(session) or session.get("user")))


def first_factors_are_enough(patch):
    """A login that was begun counts."""

    def user(session):
        begun = session.pending
        return state_of(session).identity.owner or (begun.user if begun else None)

    patch.setattr(Session, "user", property(user))


@weakened_by(users_are_values)
def test_a48_values_are_no_login(site):
    """Whatever a reset flow, or a careless view, writes into a session logs nobody in.

    But for the keys under which other code is known to say who is: ``Sessions(principal=...)``.
    """
    names = ("user", "owner", "_user", "userid", "user_pk", "_auth_user", "reset_user")
    cookie = site.ask(puts(**dict.fromkeys(names, "alice"), assurance=3, authenticated=True)).cookie

    assert_nobody(site, cookie)
    assert site.ask(refused(finishes), cookie).json == "LoginNeeded"
    assert site.ask(refused(unlocks), cookie).json == "LoginNeeded"
    assert events_of(site, LoggedIn) == []


def begun_logins_never_end(patch):
    """However long ago the first factor was given, the second one completes it."""
    patch.setattr(Session, "pending", property(lambda session: state_of(session).identity.pending))


@weakened_by(first_factors_are_enough, begun_logins_never_end)
def test_a48_half_a_login_is_none(site):
    """Who gave the first factor is nobody, even where bob was; too late, the second is nothing."""
    cookie = site.ask(lambda session: session.login("bob", factors=("password",))).cookie
    cookie = site.ask(begins, cookie).cookie
    assert_nobody(site, cookie)
    assert site.ask(refused(unlocks), cookie).json == "LoginNeeded"
    assert site.of("bob") == []

    site.clock.advance(600)
    assert site.ask(refused(finishes), cookie).json == "LoginNeeded"
    assert_nobody(site, cookie)


def locks_are_ignored(patch):
    """A session that was unused for its idle time opens until it ends."""
    patch.setattr(Policy, "is_locked", lambda policy, record, now: False)


@weakened_by(locks_are_ignored, policy=LOCKING)
def test_a48_locked_session_is_nobodys(site):
    """Who finds an idle browser sees no value, changes none, and passes no check."""
    cookie = start(site, v=1)
    cookie = site.ask(steps_up, cookie).cookie
    site.clock.advance(IDLE)

    assert site.ask(checks, cookie).json == NOBODY
    assert site.ask(reads, cookie).json == {}
    assert site.ask(requires, cookie).status == 401
    assert site.ask(refused(steps_up), cookie).json == "LoginNeeded"
    assert site.ask(refused(finishes), cookie).json == "LoginNeeded"
    assert site.ask(spends(site), cookie).status == 403
    assert site.ask(puts(v=2), cookie).set_cookie is None
    assert [event.keys for event in events_of(site, Dropped)] == [("v",)]
    opened = site.ask(unlocks, cookie).cookie
    assert site.values(opened) == {"v": 1}
    assert site.ask(who, cookie).json is None


def grants_are_for_everything(patch):
    """Who has any grant may do what any grant is for."""
    has_grant = requiring._has_grant

    def any_of_them(context, record, user, purpose, now):
        return any(has_grant(context, record, user, name, now) for name in record.grants)

    patch.setattr(requiring, "_has_grant", any_of_them)


def grants_never_age(patch):
    """A grant lasts until it is spent."""
    has_grant = requiring._has_grant
    patch.setattr(
        requiring,
        "_has_grant",
        lambda *given: has_grant(*given[:-1], given[1].seen),
    )


def grants_are_not_spent(patch):
    """A grant is looked at, and stays."""

    async def looked_at(context, session, purpose):
        if not session.has_grant(purpose):
            raise StepUpNeeded(purpose=purpose)

    patch.setattr(sessions, "use_grant", looked_at)


def grants_belong_to_the_user(patch):
    """A grant may be spent from any session of its user."""
    spend = sessions.use_grant

    async def anywhere(context, session, purpose):
        for record in (await context.store.owned_by(session.user or "")).records:
            if purpose in record.grants:
                rest = context.sealer.seal(
                    record, {}, frozenset(), version=record.version + 1, grants={}
                )[0]
                await context.store.commit(Change(rest, record.version))
                return
        await spend(context, session, purpose)

    patch.setattr(sessions, "use_grant", anywhere)


def logins_keep_grants(patch):
    """A login leaves what was granted before it."""
    become = SessionState.become

    def kept(state, intent, identity):
        grants = state.identity.grants or identity.grants
        become(state, intent, msgspec.structs.replace(identity, grants=grants))

    patch.setattr(SessionState, "become", kept)


@weakened_by(grants_are_for_everything)
def test_a49_grant_for_one_thing_is_none_for_another(site):
    """A grant to pay deletes nothing, by no other spelling of it, and is not lost by the try."""
    cookie = site.ask(steps_up, start(site)).cookie
    for purpose in ("delete", "Pay", "pay ", "", "p", "pay\x00", "*"):
        assert site.ask(spends(site, purpose), cookie).status == 403
    assert site.ask(spends(site), cookie).status == 200
    assert site.ask(spends(site), cookie).status == 403
    assert [event.purpose for event in events_of(site, GrantUsed)] == ["pay"]


@weakened_by(grants_belong_to_the_user)
def test_a49_grant_belongs_to_one_session(site):
    """The user's other device, and whoever holds a ticket from before the step-up, have none."""
    before, other = start(site), start(site)
    cookie = site.ask(steps_up, before).cookie

    assert site.ask(spends(site), other).status == 403
    assert site.ask(spends(site), before).status == 403
    assert site.ask(spends(site)).status == 403
    assert site.ask(spends(site), cookie).status == 200


@weakened_by(logins_keep_grants)
def test_a49_grant_dies_with_its_id(site):
    """After another login, of another user or the same, nobody can spend it, by any ticket."""
    logins = [
        logs_in,
        lambda session: session.login("bob"),
        lambda session: session.login("alice", assurance=2),
        begins,
    ]
    for login in logins:
        old = site.ask(steps_up, start(site)).cookie
        new = site.ask(login, old).cookie
        assert [site.ask(spends(site), one).status for one in (old, new)] == [403, 403]
    assert events_of(site, GrantUsed) == []


@weakened_by(grants_never_age)
def test_a49_grant_has_its_time(site):
    """After five minutes, or what the application said, it is worth nothing."""
    usual = site.ask(steps_up, start(site)).cookie
    short = site.ask(
        lambda session: session.step_up("pay", factors=("totp",), lasts=10), start(site)
    ).cookie
    site.clock.advance(10)
    assert site.ask(spends(site), short).status == 403
    site.clock.advance(289)
    assert site.ask(lambda session: session.has_grant("pay"), usual).json is True
    site.clock.advance(1)
    assert site.ask(lambda session: session.has_grant("pay"), usual).json is False
    assert site.ask(spends(site), usual).status == 403


@weakened_by(grants_are_not_spent, versions_are_forgotten)
def test_a49_fifty_at_once_spend_a_grant_once(site):
    """Of fifty requests that were all loaded with the grant one does what it was given for."""
    cookie = site.ask(steps_up, start(site)).cookie
    replies = site.rush(spends(site), cookie, CROWD)

    assert sorted(reply.status for reply in replies) == [200] + [403] * (CROWD - 1)
    assert len(events_of(site, GrantUsed)) == 1


def ends(site, cookie):
    """Return the ways in which a session is ended from elsewhere."""
    verbs = site.sessions.sync
    return [
        lambda: verbs.end(cookie[4:24]),
        lambda: site.end_all("alice"),
        verbs.end_everybody,
    ]


def assert_ended(site, act, way, age=0):
    """Make sure that a proof that is under way while its session ends leaves nothing behind."""
    cookie = start(site, v=1)
    site.clock.advance(age)
    with site.held(act, cookie) as late:
        ends(site, cookie)[way]()

    assert (late.result().status, late.result().set_cookie) == (200, None)
    assert site.of("alice") == []
    assert site.ask(who, cookie).json is None


@weakened_by(continued_sessions_outlive_an_end)
def test_a49_step_up_does_not_outlive_the_end_of_its_session(site):
    """A session that is ended from elsewhere during its step-up ends: its proof rests on it."""
    for way in range(3):
        assert_ended(site, steps_up, way)
    assert events_of(site, SteppedUp) == []


@weakened_by(continued_sessions_outlive_an_end, policy=LOCKING)
def test_a49_unlock_does_not_outlive_the_end_of_its_session(site):
    """A locked session that is ended from elsewhere while it is unlocked stays ended."""
    for way in range(3):
        assert_ended(site, unlocks, way, age=IDLE)
