"""Contestants as processes, asked in turns."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager

from benchmarks.contestants import BY_NAME


class Player:
    """A contestant's process."""

    def __init__(self, name, process):
        self.name = name
        self.contestant = BY_NAME[name]
        self._process = process
        self.cookie = ""

    def ask(self, *order):
        """Give an order and return the answer."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self._process.wait()}")
        return json.loads(line)

    def start(self):
        """Make a session of about 1 KB and keep its cookie."""
        self.cookie = self.ask("get", "start", "")


@contextmanager
def playing(names, redis, folder, foundation=None):
    """Start these contestants; end them afterwards. ``foundation`` is where its sources are."""
    with ExitStack() as stack:
        players = []
        for name in names:
            command = [sys.executable, "-m", "benchmarks.worker", name, redis, folder]
            env = dict(os.environ)
            if name.startswith("foundation"):
                env["PYTHONPATH"] = foundation
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            process = stack.enter_context(subprocess.Popen(command, **pipes, env=env, text=True))
            stack.callback(process.kill)
            players.append(Player(name, process))
        yield players
