"""The processes of a trial: three servers over one Redis, and a balancer in front of them."""

import os
import subprocess
import sys
from contextlib import contextmanager

from harness.balancers import serve_site
from harness.programs import free_port
from harness.proxies import listens

NAMES = ("a", "b", "c")
BALANCERS = ("haproxy", "nginx", "embedded")


class Server:
    """One server, uvicorn with one process.

    Attributes:
        name: what the balancer calls it.
        place: where it listens, each time it is started.
    """

    def __init__(self, name, environ):
        self.name, self.port = name, free_port()
        self.place = f"127.0.0.1:{self.port}"
        self._environ = {**os.environ, **environ, "SESSILE_SERVER": name}

    def start(self):
        """Start it, and wait until it listens."""
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            "benchmarks.balancing.site:make_app",
        ]
        command += ["--port", str(self.port), "--log-level", "critical", "--no-access-log"]
        self._process = subprocess.Popen(command, env=self._environ)
        if not listens(self._process, self.port):
            raise SystemExit(f"the server {self.name} does not start")

    def kill(self):
        """End it as ``kill -9`` does."""
        self._process.kill()
        self._process.wait()


@contextmanager
def serve_all(environ):
    """Serve three of them; give them by name."""
    sources = os.pathsep.join(sys.path)  # those of the tests' folder, too
    servers = {name: Server(name, {**environ, "PYTHONPATH": sources}) for name in NAMES}
    started = []
    try:
        for server in servers.values():
            server.start()
            started.append(server)
        yield servers
    finally:
        for server in started:
            server.kill()


@contextmanager
def balancer(kind, affinity, servers):
    """Put a balancer in front of them; give its port, and the file of whom its TLS is by, or ""."""
    if kind == "embedded":
        with _embedded(affinity, servers) as port:
            yield port, ""
        return
    with serve_site(kind, f"--affinity={affinity}", servers=servers) as site:
        yield site.https, str(site.folder / "authority.pem")


@contextmanager
def _embedded(affinity, servers):
    port = free_port()
    places = ",".join(f"{server.name}={server.place}" for server in servers.values())
    command = [sys.executable, "-m", "benchmarks.balancing.front", str(port), affinity, places]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)  # it ends when this does
    try:
        if not listens(process, port):
            raise SystemExit("the embedded balancer does not start")
        yield port
    finally:
        process.terminate()
        process.communicate()
