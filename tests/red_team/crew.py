"""A site served by several real processes, forked as servers fork their workers.

``crew`` is a stage; each process runs ``races.site.serving``, one request goes to each in turn.
"""

import itertools
import os
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from races import acts
from races.site import Client, serving
from red_team.stage import apply_weakening
from sessile import Policy, Sessions
from sessile.testing.world import SECRET

NUMBER = 5
LINE = "{address}\n"


class Crew(Client):
    """Processes by their addresses, and requests to them. Handlers are those of ``races.acts``."""

    def __init__(self, addresses, url):
        super().__init__()
        self.addresses = itertools.cycle(addresses)
        self.sessions = Sessions(url, secrets=[SECRET])

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
def crew(face, url, *, limit):
    """Start the processes; give what sends them requests; end them."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "red_team.crew", face, url, str(limit)]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        addresses = [parent.stdout.readline().strip() for _ in range(NUMBER)]
        site = Crew(addresses, url)
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
        try:
            with httpx.HTTPTransport(limits=limits) as site.transport:
                yield site
        finally:
            parent.stdin.close()
            site.sessions.sync.close()
    assert parent.returncode == 0, "a process of the crew failed"


def main(face, url, limit):
    """Fork the processes; end with them."""
    with pytest.MonkeyPatch.context() as patch:
        apply_weakening(patch)
        children = []
        for _ in range(NUMBER):
            child = os.fork()
            if child == 0:
                _serve(face, url, int(limit))
                os._exit(0)
            children.append(child)
    sys.exit(max(os.waitpid(child, 0)[1] for child in children))


def _serve(face, url, limit):
    """Serve until standard input ends."""
    with serving(face, url, policy=Policy(limit=limit)) as site:
        site.acts = {f"/{act.__name__}": act for act in (acts.logs_in, acts.who)}
        sys.stdout.write(f"{site.address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
