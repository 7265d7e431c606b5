"""What was done with a user's sessions, for people: their trails, and what was stolen. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from sessile import SessionInfo
from sessile.core.trail import TrailEntry
from sessile.core.value import Instant
from sessile.demo.alarms import Alarm
from sessile.demo.times import ago, stamp

# What the service writes into a trail, as people say it. The shop's own lines are so already.
_WORDS: Final = {
    "login": "Logged in",
    "step up": "Gave a second factor",
    "unlock": "Unlocked with a password",
    "another client": "Went on from another client",
    "another client was turned away": "Another client was turned away",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a trail."""

    what: str
    ago: str
    at: str
    device: str
    address: str
    session: str
    current: bool

    @classmethod
    def of(cls, line: TrailEntry, info: SessionInfo, now: Instant) -> Self:
        """Return the line of a session's trail."""
        return cls(
            what=_WORDS.get(line.what, line.what[:1].upper() + line.what[1:]),
            ago=ago(line.at, now),
            at=stamp(line.at),
            device=line.device or "an unknown program",
            address=line.address or "an unknown address",
            session=info.id,
            current=info.current,
        )


def entries(sessions: Iterable[SessionInfo], now: Instant) -> list[Entry]:
    """Return every line of those sessions' trails, newest first."""
    lines = [(line, info) for info in sessions for line in info.trail]
    lines.reverse()  # of lines of one moment the later one comes first
    lines.sort(key=lambda pair: pair[0].at, reverse=True)
    return [Entry.of(line, info, now) for line, info in lines]


@dataclass(frozen=True, slots=True)
class StolenSession:
    """A session that was ended for theft.

    Attributes:
        session: its id.
        why: what gave it away.
        ago: when it ended.
        device: what used it last, before what gave it away.
        address: from where.
        entries: its trail, newest first; empty when the evidence is kept no more.
    """

    session: str
    why: str
    ago: str
    device: str
    address: str
    entries: Sequence[Entry]

    @classmethod
    def of(cls, alarm: Alarm, evidence: SessionInfo | None, now: Instant) -> Self:
        """Return the stolen session of an alarm, with its evidence if that is still kept."""
        return cls(
            session=alarm.session,
            why=alarm.why,
            ago=ago(alarm.at, now),
            device="" if evidence is None else evidence.device,
            address="" if evidence is None else evidence.address,
            entries=[] if evidence is None else entries([evidence], now),
        )
