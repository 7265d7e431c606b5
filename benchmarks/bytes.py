"""Bytes in Redis for one session of 1 KB, key and overhead included (MEMORY USAGE)."""

import redis

from benchmarks.team import playing

NAMES = (
    "sessile redis",
    "sessile redis sealed",
    "starsessions redis",
    "litestar redis",
    "flask-session redis",
    "beaker redis",
    "django cache redis",
)


def occupied(server):
    return sum(server.memory_usage(key, samples=0) for key in server.keys())


def measure(url, folder):
    """Return {name: bytes}, everything that one more session adds to a database."""
    sizes = {}
    server = redis.Redis.from_url(url)
    for name in NAMES:
        server.flushdb()
        with playing([name], url, folder) as (player,):
            player.start()
            before = occupied(server)
            player.start()
            sizes[name] = occupied(server) - before
    server.flushdb()
    server.close()
    return sizes
