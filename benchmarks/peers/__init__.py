"""The peers, and sessile among them: an application in the framework each library is made for.

Each has the same seven pages. ``/start`` stores about 1 KB of data in a new session; ``/untouched``
looks at no session; ``/read`` reads one value; ``/write`` changes one; ``/login``, ``/rotate`` and
``/logout`` do what the library offers for it.
"""

import random
from dataclasses import dataclass
from importlib import import_module

PAGES = ("start", "untouched", "read", "write", "login", "rotate", "logout")


@dataclass(frozen=True)
class Peer:
    """One library in one set-up.

    Attributes:
        name: as the tables show it.
        framework: the module of this package that builds its application.
        option: which library and store, for that module's ``make``.
        sources: a folder that Python looks into first, for another version of sessile.
    """

    name: str
    framework: str
    option: str
    sources: str = ""

    @property
    def baseline(self) -> str:
        """The name of the peer without sessions in the same framework."""
        return self.framework

    def make(self, redis: str, folder: str):
        """Build the application."""
        module = import_module(f"benchmarks.peers.{self.framework}")
        return module.make(self.option, redis, folder)


PEERS = [
    Peer("starlette", "starlette", "none"),
    Peer("starlette signed cookie", "starlette", "cookie"),
    Peer("starsessions redis", "starlette", "starsessions"),
    Peer("sessile sqlite", "starlette", "sessile-sqlite"),
    Peer("sessile sqlite sealed", "starlette", "sessile-sqlite-sealed"),
    Peer("sessile lmdb", "starlette", "sessile-lmdb"),
    Peer("sessile lmdb sealed", "starlette", "sessile-lmdb-sealed"),
    Peer("sessile redis", "starlette", "sessile-redis"),
    Peer("sessile redis sealed", "starlette", "sessile-redis-sealed"),
    Peer("sessile redis lazy", "starlette", "sessile-redis-lazy"),
    Peer("litestar", "litestar", "none"),
    Peer("litestar redis", "litestar", "redis"),
    Peer("flask", "flask", "none"),
    Peer("flask-session redis", "flask", "flask-session"),
    Peer("beaker redis", "flask", "beaker"),
    Peer("sessile flask sqlite", "flask", "sessile-sqlite"),
    Peer("sessile flask redis", "flask", "sessile-redis"),
    Peer("django", "django", "none"),
    Peer("django cache redis", "django", "cache"),
    Peer("django db sqlite", "django", "db"),
]
ON_POSTGRES = [
    Peer("starlette", "starlette", "none"),
    Peer("sessile postgres", "starlette", "sessile-postgres"),
    Peer("flask", "flask", "none"),
    Peer("sessile flask postgres", "flask", "sessile-postgres"),
    Peer("django", "django", "none"),
    Peer("django db postgres", "django", "db-postgres"),
]
"""Measured on a Postgres server of their own."""

NEAR = [
    Peer("starlette", "starlette", "none"),
    Peer("sessile memory", "starlette", "sessile-memory"),
    Peer("sessile memory sealed", "starlette", "sessile-memory-sealed"),
    Peer("sessile redis", "starlette", "sessile-redis"),
    Peer("sessile redis sealed", "starlette", "sessile-redis-sealed"),
    Peer("sessile redis near", "starlette", "sessile-redis-near"),
    Peer("sessile redis near sealed", "starlette", "sessile-redis-near-sealed"),
]
"""A near cache, beside what it is in front of, and what it should cost no more than."""

ON_CLUSTERS = [
    Peer("starlette", "starlette", "none"),
    Peer("sessile redis", "starlette", "sessile-redis"),
    Peer("sessile sentinel", "starlette", "sessile-sentinel"),
    Peer("sessile cluster", "starlette", "sessile-cluster"),
    Peer("flask", "flask", "none"),
    Peer("sessile flask redis", "flask", "sessile-redis"),
    Peer("sessile flask sentinel", "flask", "sessile-sentinel"),
    Peer("sessile flask cluster", "flask", "sessile-cluster"),
]
"""Measured on Sentinels and on a cluster of their own, beside the one server."""

POSTGRES = "SESSILE_BENCH_POSTGRES"
"""The environment variable that says where it is, as in ``user@127.0.0.1:5432/postgres``."""

SENTINEL = "SESSILE_BENCH_SENTINEL"
CLUSTER = "SESSILE_BENCH_CLUSTER"
"""The environment variables that have the URLs of those."""

BY_NAME = {peer.name: peer for peer in PEERS}

_random = random.Random(1)
DATA = {f"field_{n}": _random.randbytes(75).hex() for n in range(6)}
"""About 1 KB, the same in every run, and nothing a compressor could shrink to nothing."""
