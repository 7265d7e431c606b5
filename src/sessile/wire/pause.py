"""A pause in a flow: a thread sleeps, an event loop is left to others."""

import asyncio
import time
from functools import partial

from sessile.core.flow import Ask


def pause(seconds: float) -> Ask[None]:
    """Return the Ask that waits for so long."""
    return Ask("pause", partial(time.sleep, seconds), partial(asyncio.sleep, seconds))
