"""The hosts: a node and workers each, as processes, and what happens to them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.cluster.site import READS, SECRETS, URL
from benchmarks.throughput import await_port
from harness.nats_server import wait_for
from harness.nodes import LONG, SECRET, Nodes, node_url
from harness.programs import free_port
from sessile.core.flow import run
from sessile.stores.nats_url import SHARDS
from sessile.stores.open import open_store

ROOT = Path(__file__).parents[2]
BUCKET = "shop"
OUTAGE_READS = 20.0
"""Seconds for which readers are spared an outage, where they can be."""


class Program:
    """A process of this run on a port that stays the same.

    Args:
        words: what Python is told besides.
        environ: more of its environment.
    """

    def __init__(self, *words, **environ):
        self.port = free_port()
        self._words = [str(word).format(port=self.port) for word in words]
        self._environ = os.environ | environ
        self._process = None

    @property
    def pid(self):
        """The number of its process."""
        return self._process.pid

    def begin(self):
        """Start it, and wait for nothing."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._words],
            cwd=ROOT,
            env=self._environ,
            stdin=subprocess.PIPE,  # it ends when this does
            stderr=subprocess.DEVNULL,  # of an outage that is meant it says much
            start_new_session=True,
        )

    def wait(self):
        """Return when it listens."""
        await_port(self.port)

    def send(self, number):
        """Send it a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self):
        """End it, if it is there."""
        if self._process is not None:
            self.send(signal.SIGKILL)
            self._process.communicate()
            self._process = None


def worker(url):
    """Return a worker over a store; "" is the application without sessions."""
    words = ("uvicorn", "--factory", "benchmarks.cluster.site:make_app", "--port", "{port}")
    words += ("--no-access-log", "--log-level", "critical", "--lifespan", "off")
    reads = {READS: str(OUTAGE_READS)}
    return Program(*words, **{URL: url, SECRETS: SECRET}, **reads)


class Host:
    """One host.

    Args:
        node: what keeps sessions there; None for a host that asks the nodes of others.
        url: of the store, as its workers ask for it.
        workers: how many.
    """

    def __init__(self, node, url, workers=1):
        self.node = node
        self.workers = [worker(url) for _ in range(workers)]

    @property
    def ports(self):
        """Where its workers listen."""
        return [each.port for each in self.workers]

    def begin(self):
        """Start all of it, and wait for nothing."""
        if self.node:
            self.node.begin()
        for each in self.workers:
            each.begin()

    def wait(self):
        """Return when it takes requests."""
        if self.node:
            self.node.wait()
        for each in self.workers:
            each.wait()

    def start(self):
        """Start all of it, and return when it takes requests."""
        self.begin()
        self.wait()

    def kill(self):
        """End all of it at once, as a host does whose power fails; its disk stays."""
        for each in self.workers:
            each.send(signal.SIGKILL)
        if self.node:
            self.node.kill()
        for each in self.workers:
            each.kill()

    def freeze(self):
        """Let all of it stand still."""
        self._send(signal.SIGSTOP)

    def thaw(self):
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number):
        for each in self.workers:
            each.send(number)
        for pid in (self.node.process.pid, self.server):
            os.kill(pid, number)

    @property
    def server(self):
        """The process number of the node's server."""
        (child,) = self.node.children()
        return child

    def lose_disk(self):
        """Delete all that a killed host had stored."""
        shutil.rmtree(self.node.folder / "jetstream")


class Cluster:
    """Three hosts behind a balancer, which keep sessions by one kind of store.

    Args:
        scheme: of the store's URL.
        folder: for the nodes' files.
        workers: how many each host has.
        sync: how often nodes flush their files; "" is their own way.

    Attributes:
        hosts: the three.
        nodes: theirs.
        front: the balancer.
    """

    def __init__(self, scheme, folder, workers=(1, 1, 1), sync=""):
        self.scheme = scheme
        self.nodes = Nodes(folder)
        for node in self.nodes.nodes:
            node.options = (f"--sync={sync}",) if sync else ()
        self.hosts = [
            Host(node, self.url([node]), number)
            for node, number in zip(self.nodes.nodes, workers, strict=True)
        ]
        self.front = front([port for host in self.hosts for port in host.ports])

    def url(self, nodes, scheme="", bucket=BUCKET):
        """Return what a worker opens that asks those nodes."""
        _, _, place = node_url(nodes, bucket).partition("://")
        return f"{scheme or self.scheme}://{place}"

    @property
    def streams(self):
        """What the names of the bucket's streams end with."""
        if self.scheme != "backup":
            return [BUCKET]
        return [f"{BUCKET}_{number}" for number in range(SHARDS)]

    @property
    def ports(self):
        """Where the hosts' workers listen."""
        return [port for host in self.hosts for port in host.ports]

    def start(self):
        """Start all; return when the nodes have a leader and followers."""
        self.front.begin()
        for host in self.hosts:
            host.begin()
        for host in self.hosts:
            host.wait()
        self.front.wait()
        await_answer(self.ports[0])
        self._make_streams()
        self.await_all()
        return self

    def _make_streams(self):
        """Have all of them be there: the first session makes its own alone."""
        store = open_store(f"{self.url(self.nodes.nodes)}?timeout={LONG}")
        run(store.ping())
        run(store.close())

    def are_whole(self):
        """Tell whether each node has all that is stored."""
        return all(map(self.nodes.are_whole, self.streams))

    def await_all(self):
        """Return when each node has all that is stored."""
        wait_for(self.are_whole, lambda: "not all have caught up", 4 * LONG)

    def leader(self):
        """Return the host whose node leads, and the others."""
        name = self.nodes.info(self.streams[0])["cluster"]["leader"]
        leads = next(host for host in self.hosts if host.node.name == name)
        return leads, *(host for host in self.hosts if host is not leads)

    def stop(self):
        """End all."""
        self.front.kill()
        for host in self.hosts:
            host.kill()


@contextmanager
def site(urls):
    """Start hosts without a node of theirs, each over a store, behind a balancer; give both."""
    hosts = [Host(None, url) for url in urls]
    balancer = front([port for host in hosts for port in host.ports])
    try:
        for each in (*hosts, balancer):
            each.begin()
        for each in (*hosts, balancer):
            each.wait()
        yield hosts, balancer
    finally:
        for each in (*hosts, balancer):
            each.kill()


def front(ports):
    """Return a balancer before those workers."""
    return Program("benchmarks.cluster.front", "{port}", ",".join(map(str, ports)))


@contextmanager
def cluster(scheme, workers=(1, 1, 1), sync=""):
    """Start three hosts; end them afterwards."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        hosts = Cluster(scheme, folder, workers, sync)
        try:
            yield hosts.start()
        finally:
            hosts.stop()


def await_answer(port, within=LONG):
    """Return when a worker makes a session."""

    def ask():
        place = f"http://127.0.0.1:{port}/start"
        with suppress(OSError), urllib.request.urlopen(place, timeout=5) as answer:
            return answer.status == 200
        return False

    wait_for(ask, lambda: "no worker makes a session", within)
