"""The contestants: one application in the framework each library is made for.

Each has the same six pages. ``/start`` stores about 1 KB of data in a new session; ``/untouched``
looks at no session; ``/read`` reads one value; ``/write`` changes one; ``/login``, ``/rotate`` and
``/logout`` do what the library offers for it.
"""

import random
from dataclasses import dataclass
from importlib import import_module

PAGES = ("start", "untouched", "read", "write", "login", "rotate", "logout")


@dataclass(frozen=True)
class Contestant:
    """One library in one set-up.

    Args:
        name: as the tables show it.
        module: where ``make`` builds it.
        option: told to ``make``.
        floor: the contestant without sessions in the same framework.
        kind: ``asgi`` or ``wsgi``.
    """

    name: str
    module: str
    option: str
    floor: str
    kind: str

    def make(self, redis: str, folder: str):
        """Build the application."""
        return import_module(f"benchmarks.contestants.{self.module}").make(
            self.option, redis, folder
        )


ALL = [
    Contestant("starlette", "on_starlette", "none", "starlette", "asgi"),
    Contestant("starlette signed cookie", "on_starlette", "cookie", "starlette", "asgi"),
    Contestant("starsessions redis", "on_starlette", "starsessions", "starlette", "asgi"),
    Contestant("sessile sqlite", "on_starlette", "sessile-sqlite", "starlette", "asgi"),
    Contestant(
        "sessile sqlite sealed", "on_starlette", "sessile-sqlite-sealed", "starlette", "asgi"
    ),
    Contestant("sessile redis", "on_starlette", "sessile-redis", "starlette", "asgi"),
    Contestant("sessile redis sealed", "on_starlette", "sessile-redis-sealed", "starlette", "asgi"),
    Contestant("sessile redis lazy", "on_starlette", "sessile-redis-lazy", "starlette", "asgi"),
    Contestant("litestar", "on_litestar", "none", "litestar", "asgi"),
    Contestant("litestar redis", "on_litestar", "redis", "litestar", "asgi"),
    Contestant("flask", "on_flask", "none", "flask", "wsgi"),
    Contestant("flask-session redis", "on_flask", "flask-session", "flask", "wsgi"),
    Contestant("beaker redis", "on_flask", "beaker", "flask", "wsgi"),
    Contestant("sessile flask sqlite", "on_flask", "sessile-sqlite", "flask", "wsgi"),
    Contestant("sessile flask redis", "on_flask", "sessile-redis", "flask", "wsgi"),
    Contestant("django", "on_django", "none", "django", "wsgi"),
    Contestant("django cache redis", "on_django", "cache", "django", "wsgi"),
    Contestant("django db sqlite", "on_django", "db", "django", "wsgi"),
]
FOUNDATION = [
    Contestant("foundation sqlite", "on_starlette", "sessile-sqlite", "starlette", "asgi"),
    Contestant("foundation redis", "on_starlette", "sessile-redis", "starlette", "asgi"),
]
"""Ours as it was before its defences: see ``benchmarks.foundation``."""

BY_NAME = {contestant.name: contestant for contestant in (*ALL, *FOUNDATION)}
OURS = "sessile"

_random = random.Random(1)
DATA = {f"field_{n}": _random.randbytes(75).hex() for n in range(6)}
"""About 1 KB, the same in every run, and nothing a compressor could shrink to nothing."""
