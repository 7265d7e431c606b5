"""Mutations of what a service does over a store that can be read and not written."""

from contextlib import suppress

from mutations.service.registry import Table
from sessile.errors import StoreUnavailable
from sessile.service import commit, housekeeping
from sessile.service import open as opening

MUTATIONS = Table()
breaks = MUTATIONS.breaks

SEEN, IDLE, ROTATION = "that a ticket was seen", "the idle clock", "a rotation"


async def insist(transaction, work):
    """Do what may wait as though it might not."""
    return await work()


@breaks("page_is_served_while_nothing_can_be_written", due=SEEN)
@breaks("stranger_is_turned_away_while_nothing_can_be_written")
def ticket_must_be_noted_as_seen(patch):
    patch.setattr(opening, "try_housekeeping", insist)


@breaks("page_is_served_while_nothing_can_be_written", due=IDLE)
@breaks("page_is_served_while_nothing_can_be_written", due=ROTATION)
def clocks_must_be_moved(patch):
    patch.setattr(commit, "try_housekeeping", insist)


@breaks("page_is_served_while_nothing_can_be_written", due=ROTATION)
def rotation_that_failed_is_forgotten(patch):
    patch.setattr(housekeeping, "PAUSE", 1e9)


@breaks("what_somebody_asked_for_does_not_wait", asked="a value")
@breaks("what_somebody_asked_for_does_not_wait", asked="a counter")
@breaks("what_somebody_asked_for_does_not_wait", asked="a rotation")
def every_save_may_wait(patch):
    patch.setattr(
        commit,
        "_save",
        lambda transaction, now, attempt: housekeeping.try_housekeeping(
            transaction, lambda: commit.save(transaction, now, attempt)
        ),
    )


@breaks("what_somebody_asked_for_does_not_wait", asked="a login")
@breaks("what_somebody_asked_for_does_not_wait", asked="a step-up")
def logins_are_passed_over(patch):
    whole = commit.regenerate

    async def regenerate(transaction, now):
        with suppress(StoreUnavailable):
            return await whole(transaction, now)

    patch.setattr(commit, "regenerate", regenerate)


@breaks("what_somebody_asked_for_does_not_wait", asked="a logout")
def logouts_are_passed_over(patch):
    whole = commit._log_out

    async def log_out(transaction, now):
        with suppress(StoreUnavailable):
            return await whole(transaction, now)

    patch.setattr(commit, "_log_out", log_out)


@breaks("replay_is_refused_until_its_session_can_be_ended")
def thieves_are_served_meanwhile(patch):
    whole = opening.end_stolen

    async def end_stolen(transaction, record, reason):
        with suppress(StoreUnavailable):
            await whole(transaction, record, reason)

    patch.setattr(opening, "end_stolen", end_stolen)


@breaks("outage_of_writes_is_told_and_tried_once_in_a_while")
def each_request_tries_again(patch):
    patch.setattr(housekeeping, "PAUSE", 0.0)


@breaks("outage_of_writes_is_told_and_tried_once_in_a_while")
def outages_are_passed_over_in_silence(patch):
    patch.setattr(housekeeping, "emit_failure", lambda *told: None)
