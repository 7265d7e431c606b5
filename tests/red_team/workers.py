"""A site served by several real processes, forked as servers fork their workers.

``weakened_by(serve=workers)`` takes it. Each process runs ``harness.sites.serve``, and requests go
to them in turn.
"""

import itertools
import os
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from harness import handlers
from harness.sites import HttpClient, serve
from red_team.attack import apply_weakening
from sessile import Policy, Sessions
from sessile.testing.clock import FakeClock
from sessile.testing.world import SECRET

NUMBER = 5


class Workers(HttpClient):
    """Processes by their addresses, and requests to them. Handlers are ``harness.handlers``."""

    def __init__(self, addresses, url):
        super().__init__()
        self.addresses = itertools.cycle(addresses)
        self.sessions = Sessions(url, secrets=[SECRET], clock=FakeClock())  # as the processes go

    def path(self, act, *, under=""):
        """Return the path whose handler every process has."""
        return f"{under}/{act.__name__}"

    @property
    def address(self):
        """The next process."""
        return next(self.addresses)

    @address.setter
    def address(self, _):
        pass


@contextmanager
def workers(interface, url, *, limit=0):
    """Start the processes; give what sends them requests; end them."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "red_team.workers", interface, url, str(limit)]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        addresses = [parent.stdout.readline().strip() for _ in range(NUMBER)]
        site = Workers(addresses, url)
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
        try:
            with httpx.HTTPTransport(limits=limits) as site.transport:
                yield site
        finally:
            parent.stdin.close()
            site.sessions.sync.close()
    assert parent.returncode == 0, "a worker failed"


def main(interface, url, limit):
    """Fork the processes; end with them."""
    with pytest.MonkeyPatch.context() as patch:
        apply_weakening(patch)
        children = []
        for _ in range(NUMBER):
            child = os.fork()
            if child == 0:
                _serve(interface, url, int(limit))
                os._exit(0)
            children.append(child)
    sys.exit(max(os.waitpid(child, 0)[1] for child in children))


def _serve(interface, url, limit):
    """Serve until standard input ends."""
    with serve(interface, url, policy=Policy(limit=limit or None)) as site:
        site.handlers = {f"/{act.__name__}": act for act in (handlers.logs_in, handlers.who)}
        sys.stdout.write(f"{site.address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
