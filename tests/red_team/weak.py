"""Weakened builds that several families catch. Each takes one defence away."""

from sessile.core import verdict
from sessile.core.record import Record
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import save
from sessile.service.events import Refused
from sessile.service.parts import Parts
from sessile.stores.sqlite import SQLiteStore


def untold(patch, kind):
    """Keep the events of one kind from every hook."""
    tell = Parts.tell
    patch.setattr(
        Parts, "tell", lambda parts, event: None if isinstance(event, kind) else tell(parts, event)
    )


def refusals_are_not_told(patch):
    """Nobody hears of a ticket that opened nothing."""
    untold(patch, Refused)


def predecessors_live_on(patch):
    """The session from before a login is said to have ended, and has not."""
    delete = SQLiteStore.delete

    async def kept(store, key, owner=None, *, leaving=None):
        if leaving is None:
            return await delete(store, key, owner)
        return await store.read(key, 0.0)

    patch.setattr(SQLiteStore, "delete", kept)


def strangers_end_sessions(patch):
    """Whoever knows an id can end its session."""
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.STRANGER, seen), Verdict.REPLAY)


def overlapping_requests_turn_again(patch):
    """A predecessor within its grace counts as current, and so may turn the ticket once more."""
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.IN_GRACE), Verdict.ACCEPT)
    predecessors_turn_into_the_current(patch)


def predecessors_turn_into_the_current(patch):
    """What follows a presented ticket is handed out as if it were new, to whoever it is."""

    def successor(parts, visit):
        return None if visit.hand_over else visit.ticket.successor(parts.ring.newest)

    patch.setattr(save, "_successor", successor)


def absolute_time_is_forgotten(patch):
    """A session lives as long as it is used."""
    patch.setattr(Record, "live_at", lambda record, now: now < record.idle_until)
