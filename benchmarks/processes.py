"""Each peer in a process of its own, so that no library's imports or caches help another's."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager


class PeerProcess:
    """A peer that runs, and one session of it.

    Attributes:
        name: the peer's.
        cookie: that of the session, as ``name=value``.
    """

    def __init__(self, peer, redis, folder):
        self.name = peer.name
        self.cookie = ""
        command = [sys.executable, "-m", "benchmarks.worker", peer.framework, peer.option]
        environ = {**os.environ, **({"PYTHONPATH": peer.sources} if peer.sources else {})}
        self._process = subprocess.Popen(
            [*command, redis, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )

    def call(self, method, *args):
        """Call a method of the client in the process; give its result."""
        self._process.stdin.write(json.dumps([method, *args]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self._process.wait()}")
        return json.loads(line)

    def get(self, page):
        """Make one request of the session."""
        return self.call("get", page, self.cookie)

    def cpu(self, page, number, concurrency=1):
        """Measure the CPU time of a request of the session, in microseconds."""
        return self.call("cpu", page, self.cookie, number, concurrency)

    def start_session(self):
        """Make a session of about 1 KB and keep its cookie."""
        self.cookie = self.call("get", "start", "")

    def close(self):
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def peer_processes(peers, redis, folder):
    """Start a process for each peer; end them afterwards."""
    with ExitStack() as stack:
        processes = []
        for peer in peers:
            processes.append(PeerProcess(peer, redis, folder))
            stack.callback(processes[-1].close)
        yield processes
