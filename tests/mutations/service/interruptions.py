"""Mutations that leave something half done where an answer of the store is lost."""

import contextlib

from mutations.service.registry import Table
from sessile.core import verdict
from sessile.core.limit import Limit
from sessile.core.policy import Policy
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.errors import StoreUnavailable
from sessile.service import (
    commit,
    devices,
    end,
    manage,
    regenerate,
    require,
    save,
    tombstones,
    visitor,
)
from sessile.service.transaction import CommitOutcome
from sessile.stores.contract import Deleted, Key, Replaced
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.interruptions import ONE, ONE_REFUSED

MUTATIONS = Table()
breaks = MUTATIONS.breaks


@breaks("interrupted_change_is_made_once_or_not_at_all")
def outages_are_kept_quiet(patch):
    whole = save._commit

    async def quiet(transaction, now, attempt):
        with contextlib.suppress(StoreUnavailable):
            return await whole(transaction, now, attempt)
        return CommitOutcome(transaction.opened.record)

    patch.setattr(save, "_commit", quiet)


@breaks("interrupted_first_value_leaves_one_session_of_nobody")
def first_values_are_stored_twice(patch):
    whole = commit._create

    async def twice(transaction, now, delta):
        await whole(transaction, now, delta)
        transaction.state._ticket = None
        return await whole(transaction, now, delta)

    patch.setattr(commit, "_create", twice)


@breaks("interrupted_rotation_loses_nobody")
def lost_successors_are_replays(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.UNSEEN), Verdict.REPLAY)


@breaks("interrupted_first_use_of_a_ticket_loses_nobody")
def tickets_are_shown_once(patch):
    patch.setitem(verdict.VERDICTS, (Kin.CURRENT, Successor.IN_GRACE), Verdict.REPLAY)


@breaks("interrupted_login_is_made_again", policy=Policy())
@breaks("interrupted_login_is_made_again", policy=ONE)
@breaks("login_that_is_lost_again_and_again_is_made_at_last")
def lost_logins_are_forgotten(patch):
    patch.setattr(visitor, "login_of", lambda record: None)


@breaks("login_that_is_lost_again_and_again_is_made_at_last")
def lost_logins_are_found_once(patch):
    patch.setattr(tombstones, "login_of", lambda record: None)
    patch.setattr(tombstones, "replacement_of", lambda record: None)


@breaks("login_made_again_is_the_same_users")
def lost_logins_are_anybodys(patch):
    patch.setattr(regenerate, "_is_of", lambda transaction, record: True)


@breaks("interrupted_login_in_two_steps_begins_again", policy=Policy())
@breaks("interrupted_login_in_two_steps_begins_again", policy=ONE)
@breaks("interrupted_login_in_two_steps_begins_again", policy=ONE_REFUSED)
def finished_logins_are_forgotten(patch):
    patch.setattr(regenerate, "_note_lost", lambda transaction, base: None)


@breaks("interrupted_login_in_two_steps_begins_again", policy=Policy())
def lost_logins_stay(patch):
    async def leave(transaction, lost, now):
        """End nothing."""

    patch.setattr(regenerate, "_end_lost", leave)


@breaks("interrupted_login_in_two_steps_begins_again", policy=Policy())
def one_factor_opens_a_login_of_two(patch):
    patch.setattr(regenerate, "_is_of", lambda transaction, record: True)


@breaks("interrupted_login_in_two_steps_begins_again", policy=Policy())
def lost_beginnings_are_nobodys(patch):
    patch.setattr(
        regenerate, "_is_of", lambda it, record: record.owner == it.state.identity.owner is not None
    )


@breaks("interrupted_login_of_a_stranger_leaves_one_at_most", policy=ONE)
def lost_logins_do_not_count(patch):
    patch.setattr(Limit, "excess", lambda self, others: ())


@breaks("interrupted_memory_of_devices_costs_no_login")
def devices_matter(patch):
    patch.setattr(devices, "StoreUnavailable", ZeroDivisionError)


@breaks("interrupted_step_up_is_undone_or_found_by_a_login")
@breaks("interrupted_unlocking_is_undone_or_found_by_a_login")
def lost_proofs_are_forgotten(patch):
    patch.setattr(visitor, "replacement_of", lambda record: None)


@breaks("interrupted_use_of_a_grant_allows_nothing_twice")
def lost_uses_are_forgotten(patch):
    patch.setattr(require, "_has_grant", lambda *_: True)


@breaks("interrupted_logout_is_made_again")
def failed_logouts_are_kept_quiet(patch):
    keep_quiet(patch, commit)


@breaks("interrupted_end_is_made_again", verb="end")
def failed_ends_are_kept_quiet(patch):
    keep_quiet(patch, manage)


def keep_quiet(patch, module):
    async def quiet(*given, **more):
        with contextlib.suppress(StoreUnavailable):
            return await end.end_one(*given, **more)

    patch.setattr(module, "end_one", quiet)


@breaks("interrupted_end_is_made_again", verb="end_everybody")
def everybody_ends_one_by_one(patch):
    async def one_by_one(self):
        for key in list(self._rows):
            with contextlib.suppress(StoreUnavailable):
                await self.delete(key)

    patch.setattr(MemoryStore, "end_everybody", one_by_one)


@breaks("interrupted_end_for_theft_is_made_by_the_next_replay")
def thieves_go_before_the_others(patch):
    async def wait(transaction, stolen):
        """End nobody before the stolen one."""

    patch.setattr(end, "_end_others", wait)


@breaks("interrupted_login_is_made_again", policy=Policy())
def logins_are_two_acts(patch):
    async def replace(self, replacement):
        await self._ask("replace", self._add, replacement.new)
        old = replacement.old
        if old is not None:
            await self.delete(Key(old.key), old.owner, leaving=replacement.tombstone)
        return Replaced()

    patch.setattr(MemoryStore, "replace", replace)


@breaks("interrupted_end_is_made_again", verb="end_all")
def ends_are_two_acts(patch):
    async def delete_owned(self, owner, **more):
        index = await self._ask("delete_owned", lambda: self._owners.pop(owner, {}))
        for key in index:
            await self.delete(key)
        return Deleted(tuple(index))

    patch.setattr(MemoryStore, "delete_owned", delete_owned)
