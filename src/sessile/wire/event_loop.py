"""Which event loop or which green threads this process has. Others than asyncio are refused."""

import sys
from asyncio import _get_running_loop
from typing import Final

from sessile.errors import ConfigError

_GREEN: Final = {  # what replaces threads, where it says so, and by which call
    "gevent": ("gevent.monkey", "is_module_patched", "threading"),
    "eventlet": ("eventlet.patcher", "is_monkey_patched", "thread"),
}


def require_asyncio() -> None:
    """Refuse another event loop at first use, and not when a store first has to wait.

    Raises:
        ConfigError: this is not asyncio, or no event loop at all.
    """
    if _get_running_loop() is None:
        raise ConfigError(
            "sessile runs on asyncio (uvloop included), and this is another event loop, as trio: "
            'start the server with asyncio, as hypercorn without "-k trio"; in a test write '
            'TestClient(app, backend="asyncio"), or a fixture anyio_backend that returns '
            '"asyncio"; or use sessions.sync in a thread'
        )


def green_threads() -> str | None:
    """Name the library that has replaced this process's threads; None where none has."""
    for name, (module, function, what) in _GREEN.items():
        is_patched = getattr(sys.modules.get(module), function, None)
        if is_patched is not None and is_patched(what):
            return name
    return None
