"""A pause in a flow that does much: the loop's other tasks run, and whoever waits for a lock."""

import asyncio
import time
from functools import partial

from sessile.core.flow import Ask
from sessile.core.value import Seconds


def pause(seconds: Seconds = 0.0) -> Ask[None]:
    """Return the Ask that lets others go first. 0 is one turn."""
    return Ask("pause", partial(time.sleep, seconds), partial(asyncio.sleep, seconds))
