"""User-Agents: a thief copies the victim's, a victim has a new one; and who is locked out by it."""

from harness.handlers import logs_in, logs_out, puts, reads, who
from mutations.defences import mismatches_end_the_session
from red_team.attack import events_of, weakened_by
from sessile import AgentMatch, Binding, OnMismatch, Policy
from sessile.core.flow import run
from sessile.core.record import RecordKind
from sessile.service import commit, regenerate
from sessile.service import open as opening
from sessile.service.end import end_owned
from sessile.service.events import End, Mismatched, Replayed
from sessile.stores.contract import Change

ELSEWHERE = "127.9.0.1"
ROTATE, GRACE = 900, 90  # the grace and the clock skew
WARY = Policy(binding=Binding(on_mismatch=OnMismatch.STEP_UP))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEWER = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
ON_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0"
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Safari/537.36"
)


def agent(text):
    """Return the header with which a browser names itself."""
    return [("User-Agent", text)]


def agents_are_compared_whole(patch):
    """Each version of a browser is another client."""
    patch.setattr(Binding, "_same_agent", lambda tie, bound, came: bound.agent == came.agent)


def agents_are_ignored(patch):
    """Any browser will do."""
    patch.setattr(Binding, "_same_agent", lambda tie, bound, came: True)


def agents_are_enough(patch):
    """Who names the same browser is the same client."""
    same = Binding._same_agent
    patch.setattr(Binding, "holds", lambda tie, bound, came, other="": same(tie, bound, came))


@weakened_by(agents_are_compared_whole, agents_are_ignored, policy=WARY)
def test_a42_update_of_the_browser_is_no_mismatch(site):
    """A newer version, on another system, is the same browser; another family is told apart."""
    cookie = site.ask(logs_in, headers=agent(FIREFOX)).cookie
    for text in (NEWER, ON_WINDOWS, FIREFOX):
        assert site.ask(who, cookie, headers=agent(text)).json == "alice"
    assert events_of(site, Mismatched) == []
    for text in (CHROME, "curl/8.5.0", "", "x" * 9000):
        assert site.ask(who, cookie, headers=agent(text)).json is None
    assert {event.reaction for event in events_of(site, Mismatched)} == {OnMismatch.STEP_UP}


@weakened_by(agents_are_enough, policy=WARY)
def test_a42_copied_user_agent_proves_nothing(site):
    """The victim's own words from elsewhere, or without the victim's ticket, open nothing."""
    cookie = site.ask(logs_in, headers=agent(FIREFOX)).cookie
    assert site.ask(who, cookie, headers=agent(FIREFOX), source=ELSEWHERE).json is None
    assert site.ask(reads, cookie, headers=agent(FIREFOX), source=ELSEWHERE).json == {}
    assert site.ask(who, cookie[:24] + "A" * 40, headers=agent(FIREFOX)).json is None
    assert site.ask(who, cookie, headers=agent(FIREFOX)).json == "alice"


@weakened_by(agents_are_compared_whole, policy=Policy(binding=Binding(agent=AgentMatch.IGNORE)))
def test_a42_policy_says_whether_the_browser_counts(site):
    """Where the policy ignores it any browser is at home, and no event says otherwise."""
    cookie = site.ask(logs_in, headers=agent(FIREFOX)).cookie
    assert [site.ask(who, cookie, headers=agent(one)).json for one in (CHROME, "")] == ["alice"] * 2
    assert events_of(site, Mismatched) == []


def logins_stay_where_the_first_was(patch):
    """Each session is bound to the client that its user had in the beginning."""
    new_record, first = regenerate.new_record, []

    def bound(*args, client, **more):
        first.append(client)
        return new_record(*args, client=first[0], **more)

    patch.setattr(regenerate, "new_record", bound)


@weakened_by(logins_stay_where_the_first_was, policy=WARY)
def test_a42_owner_who_moves_logs_in_once(site):
    """At a new place, with a new browser, one login is asked for, and then no more."""
    old = site.ask(logs_in, headers=agent(FIREFOX)).cookie
    moved = {"headers": agent(CHROME), "source": ELSEWHERE}
    assert site.ask(who, old, **moved).json is None
    cookie = site.ask(logs_in, old, **moved).cookie
    for _ in range(6):
        site.clock.advance(ROTATE + 1)
        reply = site.ask(who, cookie, **moved)
        cookie = reply.cookie or cookie
        assert reply.json == "alice"
    assert len(events_of(site, Mismatched)) == 1
    assert len(site.of("alice")) == 1


def who_came_last_is_at_home(patch):
    """A client that is turned away takes the session's place with it."""
    turn_away = opening._turn_away

    async def moved(transaction, opened, record):
        context, client = transaction.context, transaction.client
        version = record.version + 1
        draft, _ = context.sealer.seal(record, {}, frozenset(), version=version, client=client)
        await context.store.commit(Change(draft, record.version))
        return await turn_away(transaction, opened, draft)

    patch.setattr(opening, "_turn_away", moved)


@weakened_by(who_came_last_is_at_home, mismatches_end_the_session, policy=WARY)
def test_a42_thief_cannot_lock_the_victim_out(site):
    """However often a stolen ticket is used elsewhere, its owner at home notices nothing."""
    cookie = site.ask(logs_in).cookie
    thief = {"source": ELSEWHERE, "headers": agent(FIREFOX)}
    for act in [who, reads, puts(v=1), lambda session: session.rotate()] * 5:
        reply = site.ask(act, cookie, **thief)
        assert (reply.json or None, reply.set_cookie) == (None, None)
        reply = site.ask(who, cookie)
        assert (reply.json, reply.set_cookie) == ("alice", None)
    assert site.values(cookie) == {}
    assert len(site.sessions.sync.show(cookie[4:24]).trail) <= 10


def evidence_is_judged_again(patch):
    """The ticket of a session that was ended for theft ends what its owner has by now."""
    whole = opening.begin_after_end

    def again(transaction, carrier, ticket, record):
        if record.kind is RecordKind.EVIDENCE:
            run(end_owned(transaction.context, record.owner, End.THEFT, transaction.now))
        return whole(transaction, carrier, ticket, record)

    patch.setattr(opening, "begin_after_end", again)


@weakened_by(evidence_is_judged_again, policy=WARY)
def test_a42_victim_is_at_peace_after_one_login(site):
    """A thief who goes on with the ticket ends that session as a replay, once, and no other one."""
    stolen = cookie = site.ask(logs_in).cookie
    logins = 1
    for _ in range(8):
        site.clock.advance(ROTATE + 1)
        reply = site.ask(who, cookie)
        if reply.json is None:
            reply, logins = site.ask(logs_in, cookie), logins + 1
        cookie = reply.cookie or cookie
        site.ask(who, cookie)
        site.clock.advance(GRACE + 1)
        assert site.ask(who, stolen, source=ELSEWHERE).json is None
    assert logins == 2
    assert len(events_of(site, Replayed)) == 1
    assert site.ask(who, cookie).json == "alice"


def stolen_tickets_log_out_their_owner(patch):
    """A logout ends all sessions of the user whose ticket it came with."""
    log_out = commit._log_out

    async def everywhere(transaction, now):
        if transaction.opened.ticket is not None:
            await end_owned(transaction.context, "alice", End.LOGOUT, now)
        return await log_out(transaction, now)

    patch.setattr(commit, "_log_out", everywhere)


@weakened_by(stolen_tickets_log_out_their_owner, policy=WARY)
def test_a42_thief_who_logs_out_costs_one_login(site):
    """A thief may end what was stolen, by a logout or a login elsewhere, and nothing after it."""
    for act in (logs_out, lambda session: session.login("mallory")):
        stolen = site.ask(logs_in).cookie
        site.ask(puts(v=1), stolen)
        theirs = site.ask(act, stolen, source=ELSEWHERE).cookie
        assert site.ask(reads, theirs, source=ELSEWHERE).json == {}
        assert site.ask(who, stolen).json is None

        cookie = site.ask(logs_in, stolen).cookie
        for again in (who, puts(v=2), act, logs_out):
            site.ask(again, stolen, source=ELSEWHERE)
            assert site.ask(who, cookie).json == "alice"
