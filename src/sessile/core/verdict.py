"""Judge a presented ticket against a record. Pure; ``service.open`` acts on the verdict.

Theory. Tickets of one session form a chain: each verifier is derived from the one before it with
the secret. From a presented ticket the chain can be walked forward. Reaching the record's digest
proves the ticket genuine: it *is* the current one, its parent, or an older ancestor. Not reaching
it proves nothing, so a stranger harms nobody: forging a replay would take the secret.

A ticket may still come in late once its successor was shown: requests overlap. Its grace counts
from then, however often the chain has turned since; two turns within a grace end nobody's session.

Beyond the grace it is stale or stolen, and the ticket alone cannot tell: a proxy held an upload
back, a browser was killed before it wrote its cookie, or a thief has a copy. For a while the client
tells, see ``service.stale``; after that window, and from anywhere else, it is a replay. A session
that nobody is logged in to holds nothing to steal.

Rules for editing. All outcomes stand in ``VERDICTS``; code below only finds the row. The table in
docs/how-it-works.md is drawn from it.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import takewhile
from typing import Final, TypeAlias

from sessile.core.policy import BRIEF, Policy
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
    BRIEF = "past grace, and used for a minute at most"
    RECENT = "seen within the stale window"
    LONG_AGO = "seen before"


class Verdict(Enum):
    """What follows."""

    __hash__ = object.__hash__  # as above

    ACCEPT = "accept"
    CONFIRM = "accept, and note the ticket as seen"
    HAND_OVER = "accept, and hand over the successor"
    RETURN = "stale: its own client is handed the successor; anybody else's is a replay"
    LATE = "stale: its own client is served and handed nothing; anybody else's is a replay"
    REPLAY = "replay: end the session, or lock it"
    ANONYMOUS = "anonymous; the session is untouched"


VERDICTS: Final[dict[tuple[Kin, Successor], Verdict]] = {
    (Kin.CURRENT, Successor.UNSEEN): Verdict.CONFIRM,
    (Kin.CURRENT, Successor.IN_GRACE): Verdict.ACCEPT,
    (Kin.CURRENT, Successor.BRIEF): Verdict.ACCEPT,
    (Kin.CURRENT, Successor.RECENT): Verdict.ACCEPT,
    (Kin.CURRENT, Successor.LONG_AGO): Verdict.ACCEPT,
    (Kin.PARENT, Successor.UNSEEN): Verdict.HAND_OVER,  # the answer was lost
    (Kin.PARENT, Successor.IN_GRACE): Verdict.HAND_OVER,  # requests overlapped
    (Kin.PARENT, Successor.BRIEF): Verdict.RETURN,  # a browser was killed: its cookie was not kept
    (Kin.PARENT, Successor.RECENT): Verdict.LATE,  # a proxy held it back
    (Kin.PARENT, Successor.LONG_AGO): Verdict.REPLAY,
    (Kin.ANCESTOR, Successor.UNSEEN): Verdict.REPLAY,  # only what was shown turns
    (Kin.ANCESTOR, Successor.IN_GRACE): Verdict.HAND_OVER,  # two turns within the grace
    (Kin.ANCESTOR, Successor.BRIEF): Verdict.REPLAY,  # asked of a parent alone
    (Kin.ANCESTOR, Successor.RECENT): Verdict.LATE,
    (Kin.ANCESTOR, Successor.LONG_AGO): Verdict.REPLAY,
    **{(Kin.STRANGER, seen): Verdict.ANONYMOUS for seen in Successor},
}

_UNSEEN: Final = (Kin.CURRENT, Successor.UNSEEN)
_SEEN: Final = (Kin.CURRENT, Successor.IN_GRACE)  # or later, which is judged alike

CANNOT_BE: Final = frozenset(((Kin.ANCESTOR, Successor.UNSEEN), (Kin.ANCESTOR, Successor.BRIEF)))
"""The rows that are never asked for; the strictest verdict stands there."""

_HARMLESS: Final = frozenset((Verdict.RETURN, Verdict.LATE, Verdict.REPLAY))
"""What is handed the successor where nobody is logged in."""

_NEAR: Final = 60.0  # seconds, also on a single host

_NOTED: Final = 16
"""Of so many tickets before the current one the record tells when they were first shown."""

_STEPS: Final = 96
"""How far back an ancestor is recognised: a day at the default rotation."""

_MIXED: Final = 8
"""Steps that are walked whichever secret each was derived with; beyond, one secret leads all the
way. With ``n`` secrets in the ring a ticket that proves nothing takes ``96 n + 28 n (n - 1)`` times
HMAC and SHA-256: 96 with one secret, 248 with two, 720 with four."""


def judge(
    ticket: Ticket, record: Record, ring: KeyRing, now: Instant, policy: Policy
) -> tuple[Verdict, Ticket | None, Instant]:
    """Return the verdict, the current ticket where it is to be handed over, and a time.

    That is when the presented ticket gave way: its holder may have missed what happened since.
    """
    if ticket.proves(record.digest):
        return VERDICTS[_UNSEEN if record.confirmed is None else _SEEN], None, now
    steps, current = _walk(ticket, record.digest, ring)
    if current is None:
        return VERDICTS[Kin.STRANGER, _successor(record.confirmed, now, policy)], None, now
    kin = Kin.PARENT if steps == 1 else Kin.ANCESTOR
    confirmed, gave_way = _successor_times(record, steps)
    verdict = VERDICTS[kin, _successor(confirmed, now, policy, record if steps == 1 else None)]
    if verdict in _HARMLESS and not record.bound:
        verdict = Verdict.HAND_OVER
    is_handed = verdict is Verdict.HAND_OVER or verdict is Verdict.RETURN
    return verdict, current if is_handed else None, gave_way


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
    verdict, successor, _ = judge(ticket, record, ring, now, policy)
    if verdict is Verdict.HAND_OVER:
        return successor
    is_late = record.confirmed is not None and not _in_grace(record.confirmed, now, policy)
    return ticket if verdict in {Verdict.CONFIRM, Verdict.ACCEPT} and not is_late else None


def confirmations(record: Record, now: Instant, policy: Policy) -> tuple[Instant, ...]:
    """Return when the tickets before the next one were shown first, as far as it matters still.

    Newest first: what the record is to keep when its current ticket gives way. That one is shown by
    whoever has it replaced, even where there was no time to note it.
    """
    last = max(now, record.rotated) if record.confirmed is None else record.confirmed
    shown = (last, *record.confirmed_before)[:_NOTED]
    return tuple(
        takewhile(lambda at: _in_grace(at, now, policy) or _is_recent(at, now, policy), shown)
    )


def _successor_times(record: Record, steps: int) -> tuple[Instant | None, Instant]:
    """Return when the successor of a ticket so many steps back was shown, and when it was made.

    Of an older one than is noted, that was long ago, and it may have been made at any time.
    """
    if steps == 1:
        return record.confirmed, record.rotated
    if len(record.confirmed_before) < steps - 1:
        return 0.0, record.created
    confirmed = record.confirmed_before[steps - 2]
    return confirmed, confirmed  # a little later than it was made


def _successor(
    confirmed: Instant | None, now: Instant, policy: Policy, parent: Record | None = None
) -> Successor:
    """Tell what is known of a ticket that was shown at that time.

    Args:
        confirmed: when it was first shown; None for never.
        now: the time.
        policy: the grace and the stale window.
        parent: the record, where it is the successor of a parent: the current ticket.
    """
    if confirmed is None:
        return Successor.UNSEEN
    if _in_grace(confirmed, now, policy):
        return Successor.IN_GRACE
    if policy.stale is None or now < confirmed:
        return Successor.LONG_AGO
    if parent is not None and parent.parent and parent.seen - confirmed <= BRIEF:
        return Successor.BRIEF
    return Successor.RECENT if _is_recent(confirmed, now, policy) else Successor.LONG_AGO


def _is_recent(confirmed: Instant, now: Instant, policy: Policy) -> bool:
    return policy.stale is not None and 0 <= now - confirmed <= policy.stale


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
    it up. A long chain is looked for under one secret alone, and all of it bounds what a stranger
    who knows an id can make us compute.
    """
    paths: list[_Path] = [(ticket, None, False)]
    for step in range(1, _STEPS + 1):
        if step == _MIXED + 1:
            paths = [path for path in paths if not path[2]]
        further = step <= _MIXED
        paths = [one for path in paths for one in _onward(path, ring, further=further)]
        for candidate, _, _ in paths:
            if candidate.proves(digest):
                return step, candidate
    return _STEPS, None


_Path: TypeAlias = tuple[Ticket, bytes | None, bool]


def _onward(path: _Path, ring: KeyRing, *, further: bool) -> Iterator[_Path]:
    """Yield the next step of a path: with the secret it is on, or, once, with another.

    Args:
        path: so far.
        ring: the secrets.
        further: whether another secret is tried.
    """
    ticket, on, changed = path
    for secret in ring:
        if on is None or secret == on:
            yield ticket.successor(secret), secret, changed
        elif further and not changed:
            yield ticket.successor(secret), secret, True
