"""Judge a presented ticket against a record. Pure; ``service.open`` acts on the verdict.

Theory. Tickets of one session form a chain: each verifier is derived from the one before it with
the secret. From a presented ticket the chain can be walked forward. Reaching the record's digest
proves the ticket genuine: it *is* the current one, its parent, or an older ancestor. Not reaching
it proves nothing, so a stranger harms nobody: forging a replay would take the secret.

A ticket may still come in late once its successor was shown: requests overlap. Its grace counts
from then, however often the chain has turned since; two turns within a grace end nobody's session.

Rules for editing. All outcomes stand in ``VERDICTS``; code below only finds the row. The table in
docs/how-it-works.md is drawn from it.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import takewhile
from typing import Final, TypeAlias

from sessile.core.policy import Policy
from sessile.core.record import Record
from sessile.core.secrets import KeyRing
from sessile.core.ticket import Ticket
from sessile.core.value import Instant


class Kin(Enum):
    """How a presented ticket is related to the current one."""

    __hash__ = object.__hash__  # members are singletons; Enum's own is slow, and judged per request

    CURRENT = "current"
    PARENT = "its parent"
    ANCESTOR = "older ancestor"
    STRANGER = "stranger"


class Successor(Enum):
    """What is known of the ticket that follows the presented one: did the client ever show it?

    Of the current ticket, which nothing follows, it is asked of itself.
    """

    __hash__ = object.__hash__  # as above

    UNSEEN = "not seen"
    IN_GRACE = "seen, within grace"
    PAST_GRACE = "seen, past grace"


class Verdict(Enum):
    """What follows."""

    __hash__ = object.__hash__  # as above

    ACCEPT = "accept"
    CONFIRM = "accept, and note the ticket as seen"
    HAND_OVER = "accept, and hand over the successor"
    REPLAY = "replay: end the session"
    ANONYMOUS = "anonymous; the session is untouched"


VERDICTS: Final[dict[tuple[Kin, Successor], Verdict]] = {
    (Kin.CURRENT, Successor.UNSEEN): Verdict.CONFIRM,
    (Kin.CURRENT, Successor.IN_GRACE): Verdict.ACCEPT,
    (Kin.CURRENT, Successor.PAST_GRACE): Verdict.ACCEPT,
    (Kin.PARENT, Successor.UNSEEN): Verdict.HAND_OVER,  # the answer was lost
    (Kin.PARENT, Successor.IN_GRACE): Verdict.HAND_OVER,  # requests overlapped
    (Kin.PARENT, Successor.PAST_GRACE): Verdict.REPLAY,
    (Kin.ANCESTOR, Successor.UNSEEN): Verdict.REPLAY,  # cannot be: only what was shown turns
    (Kin.ANCESTOR, Successor.IN_GRACE): Verdict.HAND_OVER,  # two turns within the grace
    (Kin.ANCESTOR, Successor.PAST_GRACE): Verdict.REPLAY,
    (Kin.STRANGER, Successor.UNSEEN): Verdict.ANONYMOUS,
    (Kin.STRANGER, Successor.IN_GRACE): Verdict.ANONYMOUS,
    (Kin.STRANGER, Successor.PAST_GRACE): Verdict.ANONYMOUS,
}

_NEAR: Final = 60.0  # seconds, also on a single host
_STEPS: Final = 8  # how far back an ancestor is recognised: two hours at the default rotation


def judge(
    ticket: Ticket, record: Record, ring: KeyRing, now: Instant, policy: Policy
) -> tuple[Verdict, Ticket | None]:
    """Return the verdict, and the current ticket where it is to be handed over."""
    if ticket.proves(record.digest):
        return VERDICTS[Kin.CURRENT, _successor(record.confirmed, now, policy)], None
    steps, current = _walk(ticket, record.digest, ring)
    if current is None:
        return VERDICTS[Kin.STRANGER, _successor(record.confirmed, now, policy)], None
    if steps == 1:
        verdict = VERDICTS[Kin.PARENT, _successor(record.confirmed, now, policy)]
    else:
        verdict = VERDICTS[Kin.ANCESTOR, _later_successor(record, steps, now, policy)]
    return verdict, current if verdict is Verdict.HAND_OVER else None


def judge_retry(
    ticket: Ticket, record: Record, ring: KeyRing, now: Instant, policy: Policy
) -> Ticket | None:
    """Return the ticket to hand over to who had that of a lost login, which this one follows.

    None where they come too late, as for the parent of a ticket; it harms nobody: what was lost and
    made again is no ticket that somebody was seen with.

    Args:
        ticket: that of the login that was made once more.
        record: its session.
        ring: the secrets.
        now: the time.
        policy: the grace.
    """
    verdict, successor = judge(ticket, record, ring, now, policy)
    if verdict is Verdict.HAND_OVER:
        return successor
    is_late = _successor(record.confirmed, now, policy) is Successor.PAST_GRACE
    return ticket if verdict in {Verdict.CONFIRM, Verdict.ACCEPT} and not is_late else None


def confirmations(record: Record, now: Instant, policy: Policy) -> tuple[Instant, ...]:
    """Return when the tickets before the next one were shown first, as far as it matters still.

    Newest first: what the record is to keep when its current ticket gives way. That one is shown by
    whoever has it replaced, even where there was no time to note it.
    """
    last = max(now, record.rotated) if record.confirmed is None else record.confirmed
    shown = (last, *record.confirmed_before)[: _STEPS - 1]
    return tuple(takewhile(lambda at: _in_grace(at, now, policy), shown))


def _successor(confirmed: Instant | None, now: Instant, policy: Policy) -> Successor:
    if confirmed is None:
        return Successor.UNSEEN
    return Successor.IN_GRACE if _in_grace(confirmed, now, policy) else Successor.PAST_GRACE


def _later_successor(record: Record, steps: int, now: Instant, policy: Policy) -> Successor:
    """Look at the successor of a ticket so many steps back; one that is not noted is long past."""
    before = record.confirmed_before
    if len(before) < steps - 1:
        return Successor.PAST_GRACE
    return _successor(before[steps - 2], now, policy)


def _in_grace(confirmed: Instant, now: Instant, policy: Policy) -> bool:
    # A time in the near future is a request that took its time before a rival did, or another
    # server's clock. Further ahead it means that a clock was set back: a ticket that was past its
    # grace must not come back into it.
    ahead = max(policy.clock_skew, _NEAR)
    return -ahead <= now - confirmed <= policy.grace + policy.clock_skew


def _walk(ticket: Ticket, digest: bytes, ring: KeyRing) -> tuple[int, Ticket | None]:
    """Walk the chain forward, under one secret and at most one other after it.

    Return how many steps it took and the ticket of that digest; None where it leads to none.

    That is what a chain looks like while a new secret is rolled out, in whatever order servers take
    it up; and it bounds what a stranger who knows an id can make us compute.
    """
    paths: list[_Path] = [(ticket, None, False)]
    for step in range(1, _STEPS + 1):
        paths = [one for path in paths for one in _onward(path, ring)]
        for candidate, _, _ in paths:
            if candidate.proves(digest):
                return step, candidate
    return _STEPS, None


_Path: TypeAlias = tuple[Ticket, bytes | None, bool]


def _onward(path: _Path, ring: KeyRing) -> Iterator[_Path]:
    """Yield the next step of a path: with the secret it is on, or, once, with another."""
    ticket, on, changed = path
    for secret in ring:
        if on is None or secret == on:
            yield ticket.successor(secret), secret, changed
        elif not changed:
            yield ticket.successor(secret), secret, True
