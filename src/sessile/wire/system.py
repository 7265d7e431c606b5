"""The clock and the entropy of the machine: the one place that reads them."""

import os
import secrets
import time
from typing import Final

clock: Final = time.time
"""Seconds since 1970-01-01T00:00:00Z, as every ``Instant``."""

timer: Final = time.perf_counter
"""Seconds by a clock that never runs backwards, for how long something took."""

entropy: Final = secrets.token_bytes
"""``n`` bytes from the operating system's generator, which no fork or snapshot repeats."""


def setting(name: str) -> str | None:
    """Return an environment variable; unset and empty are None."""
    return os.environ.get(name) or None
