"""Log for the operator, through ``logging``, what no caller could be told."""

import logging
from typing import Final

_log: Final = logging.getLogger("sessile")


def log_hook_failure(hook: object, error: BaseException) -> None:
    """Log that a listener failed; its event concerned a request that must not suffer for it."""
    name = getattr(hook, "__qualname__", type(hook).__qualname__)
    _log.error("the hook %s failed with %s; the request went on", name, type(error).__qualname__)


def log_dropped_hooks(number: int) -> None:
    """Log that async hooks did not run, or not to their end."""
    _log.error(
        "%d async hooks were dropped: too many were under way, or the server was stopping; "
        "the requests went on",
        number,
    )


def log_lost_generation(store: str) -> None:
    """Log that a store went back behind an end of everybody, so that all have to log in again."""
    _log.error(
        "%s has lost data that it had acknowledged: its generation is missing, or older than one "
        "that was there before, as after a crash. A new one was begun, so everybody has to log in "
        "again. `sessile doctor` says what the server keeps on disk",
        store,
    )


def log_undurable_end(store: str, risk: str) -> None:
    """Log that everybody was ended, and that a crash of the store may bring them back."""
    _log.warning("every session in %s has ended, but %s", store, risk)
