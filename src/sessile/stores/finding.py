"""What a check of ``sessile doctor`` found: a line with its mark. Stores make some themselves."""

from dataclasses import dataclass
from enum import Enum


class Mark(Enum):
    """How serious a finding is."""

    FINE = "✓"
    NOTE = "!"
    WRONG = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        mark: how serious it is.
        subject: what was looked at, in a word or two.
        message: what was found; when it is wrong, what to write instead.
    """

    mark: Mark
    subject: str
    message: str


def fine(subject: str, message: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(Mark.FINE, subject, message)


def note(subject: str, message: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(Mark.NOTE, subject, message)


def wrong(subject: str, message: object) -> Finding:
    """Return a finding that has to be put right, often told by an error."""
    return Finding(Mark.WRONG, subject, str(message))
