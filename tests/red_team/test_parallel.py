"""Parallel requests: rotation, logout, writing and logging in, each against itself or a rival."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import pytest

from harness.backends import OWNING, SHARED_OWNING, as_params
from harness.handlers import adds, logs_in, logs_out, puts, reads, start, who
from mutations.defences import revive, versions_are_forgotten
from red_team.attack import events_of, weakened_by
from red_team.workers import workers
from sessile import Policy
from sessile.core.flow import Ask
from sessile.core.limit import Limit
from sessile.core.merge import Merged
from sessile.core.record import RecordKind
from sessile.core.ticket import Key, Ticket
from sessile.service import events, save
from sessile.service.events import Ended, Rotated
from sessile.service.transaction import CommitOutcome
from sessile.stores.contract import COMMITTED, GONE, Conflict, Full, OnLimit, Replaced
from sessile.stores.sqlite import SQLiteStore

CROWD = 50
ROTATE = 900
REFUSING = Policy(limit=1, on_limit=OnLimit.REFUSE)
REPLACING = Policy(limit=1, on_limit=OnLimit.END_OTHERS)


def last_writer_wins(patch):
    """A commit that lost its race puts its values over the winner's."""
    patch.setattr(save, "merge", lambda base, theirs, ours, codec: Merged(ours.set, ours.removed))


def successors_are_drawn(patch):
    """Each request at renewal time draws a ticket of its own."""

    def drawn(transaction):
        opened = transaction.opened
        if opened.reissue is not None or opened.ticket is None:
            return None
        return Ticket(opened.ticket.key, os.urandom(30))

    patch.setattr(save, "_successor", drawn)


@weakened_by(successors_are_drawn, last_writer_wins)
def test_a10_crowd_at_renewal_time_gets_one_successor(site):
    """Fifty that hold one ticket when it is due turn it once; nobody is out, nothing is lost."""
    cookie = start(site, hits=0)
    site.clock.advance(ROTATE + 1)
    replies = site.rush(adds, cookie, CROWD)
    issued = {reply.cookie for reply in replies}

    assert {reply.status for reply in replies} == {200}
    assert len(issued) == 1
    new = issued.pop()
    assert new not in {cookie, ""}
    assert len(events_of(site, Rotated)) == 1
    assert events_of(site, Ended) == []
    assert site.values(new) == {"hits": CROWD}
    assert site.ask(who, new).json == "alice"


def late_writers_revive(patch):
    """A commit of a session that has ended stores it again."""
    commit = SQLiteStore.commit

    async def reviving(store, change):
        answer = await commit(store, change)
        ended = isinstance(answer, Conflict) and answer.current.kind is not RecordKind.SESSION
        if answer is not GONE and not ended:
            return answer
        await revive(store, change.record)
        return COMMITTED

    patch.setattr(SQLiteStore, "commit", reviving)


def late_readers_hand_over(patch):
    """A ticket that was to be handed over is, whatever happened to its session meanwhile."""

    async def handed(transaction, now):
        return CommitOutcome(transaction.opened.record, transaction.opened.reissue)

    patch.setattr(save, "_hand_over", handed)


def nothing_remains(patch):
    """A session that was logged out is forgotten at once, and a late request starts another."""
    delete = SQLiteStore.delete

    async def forgotten(store, key, owner=None, *, leaving=None):
        return await delete(store, key, owner)

    patch.setattr(SQLiteStore, "delete", forgotten)


@weakened_by(late_writers_revive)
def test_a11_request_in_flight_does_not_revive_a_session(site):
    """Whatever is in flight during a logout, even its ticket's turn, sets no cookie after it."""
    for act, age in ((reads, 0), (puts(v=1), 0), (reads, ROTATE + 1), (puts(v=1), ROTATE + 1)):
        cookie = start(site, v=0)
        site.clock.advance(age)
        late, logout = site.overlap(act, logs_out, cookie)

        assert (late.status, late.set_cookie) == (200, None)
        assert logout.deletes
        assert site.ask(who, cookie).json is None
        assert site.sessions.sync.show(cookie[4:24]) is None


@weakened_by(late_readers_hand_over)
def test_a11_request_in_flight_hands_over_no_ticket_of_an_ended_session(site):
    """One that came with a predecessor gets no successor once its session was logged out."""
    old = start(site)
    site.clock.advance(ROTATE + 1)
    new = site.ask(reads, old).cookie
    with site.held(reads, old) as late:
        assert site.ask(logs_out, new).deletes

    assert (late.result().status, late.result().set_cookie) == (200, None)


@weakened_by(nothing_remains)
def test_a11_request_that_arrives_after_logout_starts_nothing(site):
    """A request that was sent before the logout, and arrives after it, gets no new session."""
    cookie = start(site)
    site.ask(logs_out, cookie)
    late = site.ask(puts(v=1), cookie)

    assert (late.status, late.set_cookie) == (200, None)
    assert [event.keys for event in events_of(site, events.Dropped)] == [("v",)]


@weakened_by(last_writer_wins, versions_are_forgotten)
def test_a12_writers_of_different_keys_both_survive(site):
    """Two requests at once lose neither's key, list item nor count."""
    cookie = start(site, cart=["hat"])

    def first(session):
        session["a"] = 1
        session["cart"].append("shoe")
        session.increment("n")

    def second(session):
        session["b"] = 2
        session["cart"].append("sock")
        session.increment("n")

    site.overlap(first, second, cookie)
    values = site.values(cookie)

    assert sorted(values.pop("cart")) == ["hat", "shoe", "sock"]
    assert values == {"a": 1, "b": 2, "n": 2}


@weakened_by(versions_are_forgotten)
def test_a12_late_writer_does_not_turn_the_ticket_back(site):
    """A writer that loaded its session before its ticket was turned leaves the new one in force."""
    cookie = start(site)
    with site.held(puts(v=1), cookie) as late:
        new = site.ask(lambda session: session.rotate(), cookie).cookie
    assert late.result().status == 200

    assert new not in {cookie, ""}
    assert site.ask(who, new).json == "alice"
    assert site.values(new) == {"v": 1}


@weakened_by(late_writers_revive)
def test_a12_late_writer_cannot_bring_a_lower_assurance_back(site):
    """A writer that loaded its session before a second factor leaves the risen one as it is."""
    cookie = start(site)
    with site.held(puts(v=1), cookie) as late:
        risen = site.ask(lambda session: session.login("alice", assurance=2), cookie).cookie

    assert (late.result().status, late.result().set_cookie) == (200, None)
    assert site.ask(lambda session: (session.user, session.assurance), risen).json == ["alice", 2]
    assert site.ask(who, cookie).json is None
    assert len(site.of("alice")) == 1


def nobody_is_found(patch):
    """The index that ending a user's sessions goes by misses one of them."""
    delete_owned = SQLiteStore.delete_owned

    async def all_but_the_first(store, owner, *, keep, before):
        first, *_ = (await store.owned_by(owner)).records
        return await delete_owned(store, owner, keep=[*keep, first.key], before=before)

    patch.setattr(SQLiteStore, "delete_owned", all_but_the_first)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(late_writers_revive, nobody_is_found)
def test_a14_user_whose_sessions_are_ended_is_out_at_once(site):
    """With a request in flight on each device, the next request of each finds no session."""
    cookies = [start(site) for _ in range(3)]
    for cookie in cookies[1:]:
        site.ask(puts(v=0), cookie)
    with site.held(puts(v=1), cookies[0]) as late:
        assert site.sessions.sync.end_all("alice") >= 1
        users = [site.ask(who, cookie).json for cookie in cookies]

    assert users == [None] * 3
    assert (late.result().status, late.result().set_cookie) == (200, None)
    assert [site.ask(who, cookie).json for cookie in cookies] == [None] * 3


def excess_lives_on(patch):
    """A login beyond the limit ends nobody."""
    excess = Limit.excess

    def kept(limit, others):
        return None if excess(limit, others) is None else ()

    patch.setattr(Limit, "excess", kept)


def meeting():
    """Return an act that the flows of a whole crowd await, each until all are there."""
    wait = partial(threading.Barrier(CROWD).wait, 20)
    pool = ThreadPoolExecutor(CROWD)
    return Ask("meet", wait, lambda: asyncio.get_running_loop().run_in_executor(pool, wait))


def unlimited(replacement):
    """Return the same login without its limit."""
    return msgspec.structs.replace(replacement, limit=None)


async def keys_of(store, owner):
    """Return the keys of an owner's sessions, oldest login first."""
    return [row.key for row in (await store.owned_by(owner)).records]


def sessions_are_counted_before_the_login(patch):
    """Counting and storing are two acts; here all of a crowd count before the first stores."""
    replace, meet = SQLiteStore.replace, meeting()

    async def counted(store, replacement):
        owner = replacement.new.owner
        found = await keys_of(store, owner)
        await meet
        excess = replacement.limit.excess(found)
        if excess is None:
            return Full()
        await replace(store, unlimited(replacement))
        for key in excess:
            await store.delete(key, owner)
        return Replaced(tuple(excess))

    patch.setattr(SQLiteStore, "replace", counted)


def logins_end_whoever_is_there(patch):
    """A login ends all other sessions, also younger ones: two at once end each other."""
    replace, meet = SQLiteStore.replace, meeting()

    async def met(store, replacement):
        new = replacement.new
        await replace(store, unlimited(replacement))
        await meet
        others = [key for key in await keys_of(store, new.owner) if key != new.key]
        for key in others:
            await store.delete(key, new.owner)
        return Replaced(tuple(others))

    patch.setattr(SQLiteStore, "replace", met)


def processes_count_their_own(patch):
    """Each process keeps the index of the sessions that it made itself."""
    replace, own, lock = SQLiteStore.replace, [], threading.Lock()

    async def counted(store, replacement):
        new = replacement.new
        await replace(store, unlimited(replacement))
        with lock:
            over = tuple(own)
            own[:] = [Key(new.key)]
        for key in over:
            await store.delete(key, new.owner)
        return Replaced(over)

    patch.setattr(SQLiteStore, "replace", counted)


def live(site, replies):
    """Return who the cookies of these answers still are."""
    return [user for reply in replies if (user := site.ask(who, reply.cookie).json)]


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
@weakened_by(excess_lives_on, sessions_are_counted_before_the_login, policy=Policy(limit=1))
def test_a13_fifty_logins_at_once_leave_one(site):
    """Of fifty logins of one user at once, with a limit of one, one session lives."""
    replies = site.rush(logs_in, "", CROWD)

    assert {reply.status for reply in replies} == {200}
    assert len({reply.cookie for reply in replies}) == CROWD
    assert live(site, replies) == ["alice"]
    assert len(site.sessions.sync.of("alice")) == 1


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
@weakened_by(sessions_are_counted_before_the_login, policy=REFUSING)
def test_a13_fifty_logins_at_once_are_refused_but_one(site):
    """Where the policy refuses more than one, one of fifty logins at once is admitted."""
    replies = site.rush(logs_in, "", CROWD)

    assert sorted(reply.status for reply in replies) == [200] + [403] * (CROWD - 1)
    assert live(site, [reply for reply in replies if reply.cookie]) == ["alice"]
    assert len(events_of(site, events.LimitReached)) == CROWD - 1


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
@weakened_by(excess_lives_on, logins_end_whoever_is_there, policy=REPLACING)
def test_a13_fifty_logins_at_once_end_each_other_but_one(site):
    """Where each login ends its user's other sessions, fifty at once leave one, and not none."""
    replies = site.rush(logs_in, "", CROWD)

    assert {reply.status for reply in replies} == {200}
    assert live(site, replies) == ["alice"]


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(excess_lives_on, processes_count_their_own, serve=workers, limit=1)
def test_a13_fifty_logins_in_five_processes_leave_one(site):
    """The same holds where each of five processes has ten of the fifty."""
    replies = site.crowd(logs_in, "", CROWD)

    assert {reply.status for reply in replies} == {200}
    assert len({reply.cookie for reply in replies}) == CROWD
    assert live(site, replies) == ["alice"]
