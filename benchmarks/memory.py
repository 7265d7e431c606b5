"""Memory that Redis uses for one session of 1 KB, key and overhead included (MEMORY USAGE)."""

import redis

from benchmarks.peers import BY_NAME
from benchmarks.processes import peer_processes

NAMES = (
    "sessile redis",
    "sessile redis sealed",
    "starsessions redis",
    "litestar redis",
    "flask-session redis",
    "beaker redis",
    "django cache redis",
)


def used_memory(server):
    """Sum up the bytes of every key."""
    return sum(server.memory_usage(key, samples=0) for key in server.scan_iter())


def measure(url, folder):
    """Measure {name: bytes}: everything that one more session adds to a database."""
    sizes = {}
    server = redis.Redis.from_url(url)
    for name in NAMES:
        server.flushdb()
        with peer_processes([BY_NAME[name]], url, folder) as (process,):
            process.start_session()
            before = used_memory(server)
            process.start_session()
            sizes[name] = used_memory(server) - before
    server.flushdb()
    server.close()
    return sizes
