"""The stores of a soak, with a server where it takes one, and what each says of itself."""

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from harness.redis_server import RedisServer

COPIES = 0.05
"""The share of all sessions of which a worker keeps a copy: so that they are full early."""


class Memory:
    """Sessions in the memory of one worker.

    Args:
        sessions: how many there will be, one after another.

    Attributes:
        url: what a worker opens.
    """

    workers = 1

    def __init__(self, sessions):
        self.url = "memory://"

    def figures(self):
        """Tell nothing: its memory is the worker's."""
        return {}

    def commands(self):
        """Tell that no command is counted."""
        return 0

    def stop(self):
        """Leave it to its worker."""


class SQLite(Memory):
    """Sessions in a file."""

    workers = 2

    def __init__(self, sessions):
        super().__init__(sessions)
        self._folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self.url = f"sqlite:///{self._folder}/sessile.db"

    def figures(self):
        """Measure its files."""
        return {"store MB": sum(one.stat().st_size for one in self._folder.iterdir()) / 1e6}

    def stop(self):
        """Remove them."""
        shutil.rmtree(self._folder, ignore_errors=True)


class Redis(Memory):
    """Sessions in a Redis server of its own, behind near caches."""

    workers = 2
    idle = frozenset(("client|tracking", "ping"))

    def __init__(self, sessions):
        self._folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self._server = RedisServer(self._folder)
        near = max(1, int(sessions * COPIES))
        self.url = f"redis://127.0.0.1:{self._server.port}/0?near={near}"

    def figures(self):
        """Ask it."""
        said = self._server.ask("INFO")
        return {
            "store MB": said["used_memory"] / 1e6,
            "keys": said.get("db0", {}).get("keys", 0),
            "expired": said["expired_keys"],
            "connections": said["connected_clients"] - 1,
        }

    def commands(self):
        """Count the commands that it was sent, those of a feed without news left out."""
        return sum(n for name, n in self._server.calls().items() if name not in self.idle)

    def stop(self):
        """Kill it."""
        self._server.leave()
        shutil.rmtree(self._folder, ignore_errors=True)


STORES = {"memory": Memory, "sqlite": SQLite, "redis": Redis}
