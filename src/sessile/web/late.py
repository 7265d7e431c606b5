"""Too late: why a session refuses changes once its answer has left, or its handler has failed."""

from typing import Final

from sessile.errors import TooLate

TOO_LATE: Final = (
    "the session was saved when the headers of the answer left; "
    "change it before the first byte of the answer is sent"
)
"""Why a session refuses changes once its answer has started: for ``SessionState.close``."""

UNSEEN: Final = (
    "the session was first used when the headers of the answer had left, too late for the "
    "Vary: Cookie that keeps caches from showing one visitor's page to another; "
    "look at it, as in session.user, before the first byte of the answer is sent"
)
"""Why a session cannot be opened once its answer has started."""

FAILED: Final = "the handler failed before it answered; nothing of its session is saved"
"""Why a session refuses changes once its handler has raised: for ``SessionState.close``."""


def late_change(keys: list[str]) -> TooLate:
    """Return the error for values that were changed in place after the session was saved."""
    return TooLate(f"session[{keys[0]!r}] was changed in place too late: {TOO_LATE}")
