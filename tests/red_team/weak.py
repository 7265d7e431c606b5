"""Weakened builds that several families catch. Each takes one defence away."""

from sessile.core import verdict
from sessile.core.record import Record
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import login, opening


def refusals_are_not_told(patch):
    """Nobody hears of a ticket that opened nothing."""
    patch.setattr(opening, "_refuse", lambda parts, now, *_: opening.Visit(parts, now))


def predecessors_live_on(patch):
    """The session from before a login is not ended."""

    async def kept(parts, visit, record, delta, now):
        return record

    patch.setattr(login, "_end_predecessor", kept)


def strangers_end_sessions(patch):
    """Whoever knows an id can end its session."""
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.STRANGER, seen), Verdict.REPLAY)


def overlapping_requests_turn_again(patch):
    """A predecessor within its grace counts as current, and so may turn the ticket once more."""
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.IN_GRACE), Verdict.ACCEPT)


def absolute_time_is_forgotten(patch):
    """A session lives as long as it is used."""
    patch.setattr(Record, "live_at", lambda record, now: now < record.idle_until)
