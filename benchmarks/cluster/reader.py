"""``python -m benchmarks.cluster.reader URL``: read one session again and again, and tell.

A line of JSON for each answer: when it was asked for, when it came, and the version; null where the
store refused. It ends with its standard input.
"""

import asyncio
import json
import sys
import threading
import time

from chaos.worker import end_with_parent

from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.stores.near import near_cache
from sessile.stores.open import open_store
from sessile.testing.sample import key

NAME = "changed all the while"
PAUSE = 0.02


async def look(store):
    """Return the session as a request would have it: from memory, if a copy there is good."""
    near = near_cache(store)
    copy = None if near is None else near.peek(key(NAME), 1)
    return copy or await arun(store.read(key(NAME)))


async def go_on(url):
    """Read until this process ends."""
    store = open_store(url)
    while True:
        began = time.monotonic()
        try:
            version = (await look(store)).version
        except StoreUnavailable:
            version = None
        print(json.dumps([began, time.monotonic(), version]), flush=True)
        await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(go_on(sys.argv[1]))
