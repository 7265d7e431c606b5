"""Weakened builds that several families of attacks catch. Each takes one defence away."""

import msgspec

from sessile.core import verdict
from sessile.core.binding import Binding
from sessile.core.policy import Policy
from sessile.core.ticket import Ticket
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import end, regenerate, save
from sessile.service import open as opening
from sessile.service.context import Context
from sessile.service.events import End, Refused
from sessile.service.transaction import Opened, Standing
from sessile.stores.contract import Conflict, Replacement
from sessile.stores.sqlite import SQLiteStore


def silence(patch, kind):
    """Keep the events of one kind from every hook."""
    emit = Context.emit
    patch.setattr(
        Context,
        "emit",
        lambda context, event: None if isinstance(event, kind) else emit(context, event),
    )


async def revive(store, record):
    """Store a session as if it had never ended, in its owner's index."""
    await store.delete(record.key)
    await store.replace(Replacement(record, record.seen))


def refusals_are_not_told(patch):
    """Nobody hears of a ticket that opened nothing."""
    silence(patch, Refused)


def predecessors_live_on(patch):
    """The session from before a login is said to have ended, and has not."""
    replace = SQLiteStore.replace

    async def kept(store, replacement):
        alone = msgspec.structs.replace(replacement, old=None, tombstone=None)
        return await replace(store, alone)

    patch.setattr(SQLiteStore, "replace", kept)


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

    def successor(transaction):
        opened, ring = transaction.opened, transaction.context.ring
        return None if opened.reissue else opened.ticket.successor(ring.newest)

    patch.setattr(save, "_successor", successor)


def absolute_time_is_forgotten(patch):
    """A session lives as long as it is used."""
    patch.setattr(Policy, "lives", lambda policy, record, now, *_: now < record.idle_until)


def every_client_is_at_home(patch):
    """A session is bound to nobody."""
    patch.setattr(Binding, "holds", lambda binding, bound, came, other="": True)


def mismatches_end_the_session(patch):
    """Whoever presents a ticket elsewhere ends its session, whatever the policy says."""

    async def ended(transaction, opened, record):
        await end.end_stolen(transaction, record, End.MISMATCH)
        return Opened(Standing.ANONYMOUS, opened.carrier)

    patch.setattr(opening, "_turn_away", ended)


def versions_are_forgotten(patch):
    """A commit replaces whatever stands in the store."""
    commit = SQLiteStore.commit

    async def blind(store, change):
        answer = await commit(store, change)
        if not isinstance(answer, Conflict):
            return answer
        return await commit(store, msgspec.structs.replace(change, expected=answer.current.version))

    patch.setattr(SQLiteStore, "commit", blind)


def continued_sessions_outlive_an_end(patch):
    """A step-up, or an unlock, is a session of its own, whatever became of the one before."""
    patch.setattr(regenerate, "CONTINUING", frozenset())


def others_of_a_stolen_session_live_on(patch):
    """A theft ends the one session that it was noticed in."""
    patch.setattr(end, "_ends_others", lambda transaction, owner: False)


def ids_are_adopted(patch):
    """A new session takes the id and the secret that came with the request."""
    presented = []
    parse = Ticket.parse

    def remembered(text):
        presented[:] = [parse(text)]
        return presented[0]

    mint = Context.mint
    patch.setattr(Ticket, "parse", remembered)
    patch.setattr(Context, "mint", lambda context: presented.pop() if presented else mint(context))
