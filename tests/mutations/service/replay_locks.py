"""Mutations of ``OnReplay.LOCK``: what a theft locks, and for whom."""

from mutations.service.registry import Table
from sessile.core.policy import OnReplay, Policy
from sessile.core.record import evolve
from sessile.errors import StoreUnavailable
from sessile.service import lock, regenerate
from sessile.service import open as opening
from sessile.service.context import Context
from sessile.service.events import Replayed
from sessile.testing.promises.replay_locks import PUTS
from sessile.testing.promises.stories import logs_in, unlocks

MUTATIONS = Table()
breaks = MUTATIONS.breaks

LOCKS = "theft_locks_the_session_for_all_who_hold_it"
REOPENS = "one_factor_reopens_it_and_nothing_is_lost"


@breaks(LOCKS)
@breaks(REOPENS, proves=unlocks, holds="the current ticket")
def thefts_end_all_the_same(patch):
    patch.setattr(opening, "OnReplay", type("OnReplay", (), {"LOCK": OnReplay.END_SESSION}))


@breaks(LOCKS)
def thefts_lock_the_thief_alone(patch):
    async def lock_stolen(transaction, record):
        return record

    patch.setattr(opening, "lock_stolen", lock_stolen)


@breaks(REOPENS, proves=unlocks, holds="the used one")
@breaks(REOPENS, proves=logs_in(), holds="the current ticket")
def values_are_lost(patch):
    patch.setattr(regenerate, "merge_values", lambda *_: {})


@breaks("lock_is_told_and_stands_in_the_trail")
def locks_leave_no_line(patch):
    patch.setattr(lock, "extend_trail", lambda trail, *_: trail)


@breaks("lock_is_told_and_stands_in_the_trail")
def locks_are_not_told(patch):
    whole = Context.emit
    patch.setattr(
        Context, "emit", lambda self, e: None if isinstance(e, Replayed) else whole(self, e)
    )


@breaks("what_falls_into_a_theft_is_saved_before_it_or_not_at_all", act=PUTS)
@breaks("lock_is_told_and_stands_in_the_trail")
def locked_records_are_open(patch):
    whole = Policy.is_locked
    patch.setattr(
        Policy,
        "is_locked",
        lambda self, record, now: whole(self, evolve(record, replayed=None), now),
    )


@breaks("rival_thefts_lock_once")
def each_theft_locks(patch):
    whole = Context.newest

    def newest(self, result):
        found = whole(self, result)
        return found and evolve(found, replayed=None)

    patch.setattr(Context, "newest", newest)


@breaks("theft_of_half_a_login_ends_it")
def half_logins_are_locked(patch):
    whole = opening._weigh

    def weigh(*given):
        act = whole(*given)
        return opening._Act.LOCK_REPLAYED if act is opening._Act.END_REPLAYED else act

    patch.setattr(opening, "_weigh", weigh)


@breaks("theft_is_refused_until_its_session_can_be_locked")
def locks_may_wait(patch):
    whole = opening.lock_stolen

    async def lock_stolen(transaction, record):
        try:
            return await whole(transaction, record)
        except StoreUnavailable:
            return record

    patch.setattr(opening, "lock_stolen", lock_stolen)
