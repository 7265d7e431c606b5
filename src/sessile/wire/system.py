"""The clock and the entropy of the machine: the one place that reads them."""

import os
import secrets
import time
from typing import Final

from sessile.errors import ConfigError

clock: Final = time.time
"""Seconds since 1970-01-01T00:00:00Z, as every ``Instant``."""

sleep: Final = time.sleep
"""Wait for so many seconds on this thread."""

timer: Final = time.perf_counter
"""Seconds by a clock that never runs backwards, for how long something took."""

entropy: Final = secrets.token_bytes
"""``n`` bytes from the operating system's generator, which no fork or snapshot repeats."""


def setting(name: str) -> str | None:
    """Return an environment variable; None where it is not set.

    Raises:
        ConfigError: it is set and empty, as by ``${UNSET}`` in a file of a deployment. To pass over
            it would be to keep sessions in another place, or unsealed, without a word.
    """
    text = os.environ.get(name)
    if text is not None and not text.strip():
        raise ConfigError(
            f"{name} is set and empty: give it its value, or unset it if you mean the default"
        )
    return text
