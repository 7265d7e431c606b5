"""What of a session matters to those who have it open: which one it is, and until when it lives.

``service.alive`` asks the store whether it does.
"""

import msgspec

from sessile.core.policy import Policy
from sessile.core.record import Record
from sessile.core.state import SessionState
from sessile.core.ticket import Key
from sessile.core.value import Instant


class OpenSession(msgspec.Struct, frozen=True):
    """A session that somebody has open.

    Attributes:
        key: under which it was stored when that was last looked at.
        owner: whose it is.
    """

    key: Key
    owner: str | None


class Life(msgspec.Struct, frozen=True):
    """A session that lives.

    Attributes:
        session: as it is stored now.
        until: when it is over, or locks, if nobody uses it.
    """

    session: OpenSession
    until: Instant


def life_of(policy: Policy, record: Record) -> Life:
    """Return the life of a session that was found to live."""
    return Life(OpenSession(Key(record.key), record.owner), ends_at(policy, record))


def open_life(policy: Policy, state: SessionState) -> Life | None:
    """Return the life of a request's session as it is stored; None for none, or a locked one."""
    record = state.record
    if state.is_stored and state.known_key is not None:  # a new one, whose record is not known here
        return Life(OpenSession(state.known_key, state.identity.owner), state.now)
    return None if record is None or state.lock is not None else life_of(policy, record)


def ends_at(policy: Policy, record: Record) -> Instant:
    """Return when a session that lives is over, or locks, if nobody uses it until then."""
    # The other way round than Policy.lives: that one judges two times, when it is and when it was
    # used, and knows of clocks that were ahead and of a lock, before which this one ends.
    idle, absolute = policy.clocks_of(record)
    return min(record.idle_until, record.until, record.seen + idle, record.created + absolute)
