"""Mutations of the watch over what is open: whom it ends, and whom it leaves open."""

import threading

import pytest

from mutations.service.registry import Table
from service import test_watch
from sessile.core.life import OpenSession
from sessile.core.policy import OnReplay, Policy
from sessile.core.record import replacement_of
from sessile.service import alive, watch
from sessile.service.context import Context
from sessile.service.sessions import Sealing
from sessile.service.watchers import Watchers
from sessile.stores.contract import Change
from sessile.testing.promises import integrity, watching, watching_feeds
from sessile.testing.promises.stories import puts, rotates

MUTATIONS = Table()
breaks = MUTATIONS.breaks
ON_A_LOOP = Table(AssertionError, TimeoutError)
"""Of what watches on an event loop; ``service.test_watch`` asks that."""

breaks_test = ON_A_LOOP.breaks

ENDS = "socket_ends_with_its_session"


@breaks(ENDS, way="logout", user="alice")
@breaks(ENDS, way="end", user=None)
@breaks(ENDS, way="end everybody", user="alice")
@breaks("socket_ends_with_all_sessions_of_its_user")
@breaks("socket_ends_with_a_session_over_the_limit")
def what_is_gone_is_passed_over(patch):
    patch.setattr(Watchers, "_end", lambda *_: None)


@breaks(ENDS, way="login of the same user", user="alice")
@breaks(ENDS, way="login of another user", user=None)
@breaks(ENDS, way="half a login", user="alice")
def sockets_follow_a_login(patch):
    whole = alive.follow_tombstones

    async def find_alive(context, session):
        found = context.intact(await context.store.read(session.key))
        return await whole(context, found, logins=True)

    patch.setattr(watch, "find_alive", find_alive)


@breaks(ENDS, way="its idle time", user="alice")
@breaks("socket_is_no_sign_of_life")
def clocks_are_passed_over(patch):
    patch.setattr(Policy, "lives", lambda *_: True)
    patch.setattr(Policy, "is_locked", lambda *_: False)


@breaks("socket_is_no_sign_of_life")
def a_look_is_use(patch):
    whole = watch.find_alive

    async def find_alive(context, session):
        record = await whole(context, session)
        if record is not None and context.policy.touch_due(record, context.clock()):
            change = alive_change(context, record)
            await context.store.commit(change)
            return change.record
        return record

    def alive_change(context, record):
        fields = context.policy.touch(record, context.clock())
        draft, written = context.sealer.seal(
            record, {}, frozenset(), version=record.version + 1, **fields
        )
        return Change(draft, record.version, written)

    patch.setattr(watch, "find_alive", find_alive)


@breaks("socket_goes_on_with_a_step_up")
def sockets_follow_no_tombstone(patch):
    async def stay(context, record):
        return record

    patch.setattr(alive, "follow_tombstones", stay)


@breaks("socket_goes_on_with_a_step_up")
def sockets_forget_where_their_session_goes_on(patch):
    patch.setattr(Watchers, "_move", lambda self, watched, life: None)


@breaks("socket_stays_while_its_session_is_used", act=puts(v=1))
def words_are_taken_for_ends(patch):
    whole = watch.find_alive

    async def find_alive(context, session):
        record = await whole(context, session)
        return None if record is None or record.version > 2 else record

    patch.setattr(watch, "find_alive", find_alive)


@breaks("socket_ends_when_its_session_locks")
@breaks("socket_ends_with_a_theft", on_replay=OnReplay.LOCK)
def locked_sessions_keep_their_sockets(patch):
    patch.setattr(Policy, "is_locked", lambda *_: False)


@breaks("socket_ends_with_a_theft", on_replay=OnReplay.END_SESSION)
def evidence_is_a_session(patch):
    async def find_alive(context, session):
        found = await context.store.read(session.key)
        return found if found is not None and replacement_of(found) is None else None

    patch.setattr(watch, "find_alive", find_alive)


@breaks("session_of_another_user_is_none_that_lives")
def owners_are_passed_over(patch):
    whole = alive.find_alive

    async def find_alive(context, session):
        found = context.intact(await context.store.read(session.key))
        owner = None if found is None else found.owner
        return await whole(context, OpenSession(session.key, owner))

    patch.setattr(watching, "find_alive", find_alive)


@breaks("changed_record_is_absent", field="until", sealing=Sealing.OFF)
@breaks("changed_record_is_absent", field="data", sealing=Sealing.WHEN_SECRETS_ARE_GIVEN)
def forged_rows_live(patch):
    whole = alive.find_alive

    async def find_alive(context, session):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Context, "intact", lambda _context, found: found)
            return await whole(context, session)

    patch.setattr(integrity, "find_alive", find_alive)


TELLS = "session_tells_whether_it_lives"


@breaks(TELLS, way="logout", user="alice")
@breaks(TELLS, way="end everybody", user=None)
@breaks(TELLS, way="its idle time", user="alice")
def what_was_read_is_believed(patch):
    async def find_alive(context, session):
        return session

    patch.setattr(alive, "find_alive", find_alive)


@breaks(TELLS, way="end", user="alice")
def visitors_have_a_session_that_lives(patch):
    whole = alive.is_alive

    async def is_alive(context, state):
        return state.record is None or await whole(context, state)

    patch.setattr(watching, "is_alive", is_alive)


@breaks("socket_stays_while_its_session_is_used", act=puts(v=1))
@breaks("socket_stays_while_its_session_is_used", act=rotates)
def times_are_those_of_the_beginning(patch):
    patch.setattr(Policy, "lives", lambda _policy, record, now: now < record.created + 1800)


@breaks("feed_ends_what_is_open", way="logout")
@breaks("feed_ends_what_is_open", way="end of all of its user")
@breaks("feed_ends_what_is_open", way="end everybody")
def words_of_the_feed_are_passed_over(patch):
    patch.setattr(watching_feeds, "PATIENCE", 0.1)
    patch.setattr(Watchers, "_take_heard", lambda _watchers: None)


@breaks_test(test_watch.test_feed_is_followed_from_the_first_watch_on)
def feeds_are_not_followed(patch):
    def follow(context):
        context.follower._thread = threading.Thread()

    patch.setattr(Context, "follow", follow)


def given_to_watchers(patch, **changed):
    """Have the watchers of an application given something else, and a test wait for it shortly."""
    patch.setattr(test_watch, "PATIENCE", 0.2)
    patch.setattr(watch, "Watchers", lambda look, **given: Watchers(look, **(given | changed)))


@breaks_test(test_watch.test_store_that_tells_nobody_is_asked_now_and_then)
def feeds_are_taken_for_fresh(patch):
    given_to_watchers(patch, is_fresh=lambda: True)


@breaks_test(test_watch.test_session_that_ended_before_it_is_watched_is_told)
def feeds_are_taken_for_late(patch):
    given_to_watchers(patch, is_fresh=lambda: False)


@breaks_test(test_watch.test_watchers_go_by_what_the_url_says)
def intervals_are_passed_over(patch):
    given_to_watchers(patch, every=5.0)


@breaks_test(test_watch.test_clock_that_a_test_puts_in_is_gone_by)
def clocks_stand_still(patch):
    given_to_watchers(patch, clock=lambda: 0.0)


@breaks_test(test_watch.test_store_that_cannot_be_asked_is_told_to_the_log)
def outages_are_kept_quiet(patch):
    given_to_watchers(patch, tell=bool)
