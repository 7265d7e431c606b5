"""A rolling restart: servers of uvicorn behind HAProxy, shoppers who notice whatever goes wrong.

Tests do it with one server, and ``benchmarks.rolling`` with all.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from harness.balancers import HOST, SECRET, serve_site, wait_until
from harness.programs import free_port
from harness.proxies import listens

ROOT = Path(__file__).parents[2]
READY = "/ready"
PATIENCE = 60
"""Seconds for a drain, and for a server to come back."""


class ShopServer:
    """A server of the shop, as processes of its own.

    Args:
        name: its name.
        url: of the store.
        workers: how many processes serve.
    """

    def __init__(self, name, url, workers=1):
        self.name, self.port, self._workers = name, free_port(), workers
        self._environ = os.environ | {
            "SESSILE_URL": url,
            "SESSILE_SERVER": name,
            "SESSILE_SECRETS": SECRET,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests"))),
        }
        self._environ.pop("WEB_CONCURRENCY", None)

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Start it; return once it listens."""
        words = ["--factory", "harness.rolling_shop:make_app", "--port", str(self.port)]
        words += ["--workers", str(self._workers), "--log-level", "critical"]
        command = [sys.executable, "-m", "uvicorn", *words]
        self._process = subprocess.Popen(command, env=self._environ, cwd=ROOT)
        assert listens(self._process, self.port)

    def stop(self):
        """Have it end by itself, as systemd does."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)

    def kill(self):
        """End it at once, if it runs."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def command(self, *words):
        """Run a command of sessile; return its process, which has ended."""
        command = [sys.executable, "-m", "sessile.cli", *words]
        return subprocess.run(
            command, env=self._environ, capture_output=True, text=True, check=False
        )


@dataclass
class Shopper:
    """A client that is logged in, writes and reads, and counts what it wrote by itself.

    Attributes:
        user: who it is.
        requests: how many it made.
        failures: what it was answered instead of a page.
        losses: answers that knew nothing of it, or not all that it wrote.
        server: the name of the one that answered last.
    """

    user: str
    requests: int = 0
    failures: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    server: str = ""
    _written: int = 0
    _unknown: int = 0  # writes that failed, and may have been carried out

    def live(self, site, is_over, pause):
        """Log in, then write and read until it is over."""
        chance = random.Random(self.user)
        with site.browse() as client:
            self._ask(client, "POST", f"/login?user={self.user}")
            while not is_over():
                time.sleep(pause * (0.5 + chance.random()))
                if chance.random() < 0.5:
                    self._ask(client, "GET", "/read")
                else:
                    self._write(client, "/write?slow=1" if chance.random() < 0.1 else "/write")

    def _write(self, client, path):
        self._written += 1
        self._unknown += not self._ask(client, "POST", path)

    def _ask(self, client, method, path):
        """Make one request; tell whether it did not fail."""
        self.requests += 1
        self.server = ""
        try:
            reply = client.request(method, path, extensions={"sni_hostname": HOST})
        except httpx.HTTPError as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return False
        if reply.status_code != 200:
            self.failures.append(f"{method} {path}: {reply.status_code} {reply.text[:80]}")
            return False
        self.server = reply.headers["x-server"]
        found, least = reply.json(), self._written - self._unknown
        if found["user"] != self.user or not least <= found["n"] <= self._written:
            self.losses.append(f"{method} {path}: {found} and not {self._written}")
        self._written, self._unknown = found["n"], 0
        return True


class RollingSite:
    """The servers, their balancer and their shoppers.

    Attributes:
        servers: by name.
        shoppers: all of them.
    """

    def __init__(self, site, servers):
        self._site, self.servers, self.shoppers = site, servers, []

    @contextmanager
    def shop(self, number, pause):
        """Have so many shoppers live, with a pause in seconds between an answer and a request."""
        over = threading.Event()
        self.shoppers = [Shopper(f"user{n}") for n in range(number)]
        threads = [
            threading.Thread(target=one.live, args=(self._site, over.is_set, pause))
            for one in self.shoppers
        ]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: all(one.requests > 3 for one in self.shoppers))
            yield self.shoppers
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def is_up(self, name):
        """Tell whether the balancer sends new clients there."""
        rows = (line.split(",") for line in self._site.command("show stat").splitlines())
        return any(row[:2] == ["shop", name] and row[17].startswith("UP") for row in rows)

    def restart(self, name, *, is_drained=True):
        """Drain a server, stop it, start it anew, and have it take clients again.

        Return the seconds of the drain, and those of it all.
        """
        server, began, drained = self.servers[name], time.monotonic(), 0.0
        if is_drained:
            self._tell(server, "drain", name, "--wait", f"{PATIENCE}")
            drained = time.monotonic() - began
        server.stop()
        server.start()
        if is_drained:
            self._tell(server, "undrain", name)
        wait_until(lambda: self.is_up(name), PATIENCE)
        return drained, time.monotonic() - began

    def _tell(self, server, *words):
        done = server.command(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serve_rolling_site(url, workers):
    """Serve the shop over a store; ``workers`` says how many processes each server has."""
    servers = {name: ShopServer(name, url, number) for name, number in workers.items()}
    with ExitStack() as stack:
        for server in servers.values():
            server.start()
            stack.callback(server.kill)
        site = stack.enter_context(serve_site("haproxy", f"--health={READY}", servers=servers))
        rolling = RollingSite(site, servers)
        wait_until(lambda: all(rolling.is_up(name) for name in servers), PATIENCE)
        yield rolling
