"""Redis commands and network trips of a request, counted on the wire."""

from benchmarks.peers import BY_NAME
from benchmarks.processes import peer_processes
from benchmarks.redis_proxy import RedisProxy

NAMES = (
    "sessile redis",
    "sessile redis lazy",
    "starsessions redis",
    "litestar redis",
    "flask-session redis",
    "beaker redis",
    "django cache redis",
    "sessile flask redis",
)
SITUATIONS = {
    "anonymous": ("untouched", False),
    "untouched": ("untouched", True),
    "read": ("read", True),
    "write": ("write", True),
    "new session": ("start", False),
    "login, no session before": ("login", False),
    "login, from a session": ("login", True),
    "rotate": ("rotate", True),
    "logout": ("logout", True),
}
"""The page of each, and whether the request carries the cookie of a session."""


def measure(port, folder):
    """Count {situation: {name: (commands, trips)}}."""
    counts = {situation: {} for situation in SITUATIONS}
    proxy = RedisProxy(port)
    with peer_processes([BY_NAME[name] for name in NAMES], proxy.url, folder) as processes:
        for process in processes:
            for situation, (page, with_cookie) in SITUATIONS.items():
                _warm_up(process)
                process.start_session()
                process.get("read")
                proxy.reset()
                process.call("get", page, process.cookie if with_cookie else "")
                counts[situation][process.name] = (tuple(proxy.commands), proxy.trips)
    proxy.close()
    return counts


def _warm_up(process):
    """Have scripts loaded and connections open before anything is counted."""
    process.start_session()
    for page in ("read", "write", "login", "logout"):
        process.get(page)
