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
