"""Real memcached servers: started here, on ports of their own."""

import atexit
import functools
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.postgres_server import hand_over, run_as, unprivileged_user
from harness.programs import Freezable, check_servers_are_meant, find_program, free_port
from sessile.core.rendezvous import rendezvous

STARTS_WITHIN = 20.0


class KnownServer:
    """What a memcached server is asked, wherever it came from.

    Args:
        place: its address, ``127.0.0.1:11211``.
    """

    socket = None

    def __init__(self, place):
        self.port = int(place.rpartition(":")[2])

    def ask(self, line, data=None):
        """Return what it answers to a command, as its lines without their ends."""
        with self._connect() as sock, sock.makefile("rb") as answer:
            sock.sendall(line.encode() + b"\r\n" + (b"" if data is None else data + b"\r\n"))
            lines = [answer.readline()]
            while lines[-1].startswith((b"STAT", b"VALUE")):
                size = int(lines[-1].split()[3]) + 2 if lines[-1].startswith(b"VALUE") else 0
                lines += [answer.read(size)] * bool(size) + [answer.readline()]
        return [each.removesuffix(b"\r\n") for each in lines]

    def stats(self):
        """Return its figures."""
        rows = (line.decode().split(" ", 2) for line in self.ask("stats")[:-1])
        return {name: value for _, name, value in rows}

    def data(self, name):
        """Return what it holds under a name, or None."""
        lines = self.ask(f"get {name}")
        return lines[1] if len(lines) > 1 else None

    def put(self, name, data, exptime=600):
        """Hold bytes under a name, whatever was there."""
        assert self.ask(f"set {name} 0 {exptime} {len(data)}", data) == [b"STORED"]

    def names(self):
        """Return the names of everything it holds; two lists, for it passes over what is in use."""
        return {*self._list(), *self._list()}

    def _list(self):
        for _ in range(1000):  # while it looks for what is over, it lists nothing
            with self._connect() as sock, sock.makefile("rb") as answer:
                sock.sendall(b"lru_crawler metadump hash\r\n")
                lines = [answer.readline()]
                while lines[-1].startswith(b"key="):
                    lines.append(answer.readline())
            if lines.pop() == b"END\r\n":
                return [unquote(line.split()[0].removeprefix(b"key=").decode()) for line in lines]
            time.sleep(0.005)
        pytest.fail("memcached lists nothing")

    def expires_in(self, name):
        """Return in how many seconds it removes what it holds under a name."""
        (line,) = self.ask(f"mg {name} t")
        return int(line.removeprefix(b"HD t"))

    def connections(self):
        """Return how many are open besides the one that asks."""
        states = (line for line in self.ask("stats conns") if b":state " in line)
        return sum(not line.endswith(b"conn_listening") for line in states) - 1

    def _connect(self):
        if self.socket:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(STARTS_WITHIN)
            try:
                sock.connect(str(self.socket))
            except OSError:
                sock.close()
                raise
            return sock
        return socket.create_connection(("127.0.0.1", self.port), STARTS_WITHIN)


class MemcachedServer(KnownServer, Freezable):
    """A ``memcached`` of this test's own, for this machine alone.

    Args:
        folder: for the socket, where ``unix`` is given: a short path that everybody may enter.
        unix: listen on a socket in the folder instead of a port.
        options: more of the server's options: ``("-I", "4m")``.

    Attributes:
        port: where it listens, also after it was started again.
        socket: the path of its socket, or None.
    """

    def __init__(self, folder, *, unix=False, options=()):
        check_servers_are_meant()
        self.folder = Path(folder)
        self.socket = self.folder / "memcached.sock" if unix else None
        self._options = options
        self._program = find_program("memcached", "memcached", "apt-get install memcached")
        self._process = None
        if unix:
            hand_over(self.folder)
        for _ in range(20):  # until nobody else takes the port between our look and its start
            self.port = 0 if unix else free_port()
            if self._began():
                return
        pytest.fail("memcached does not start")

    @property
    def url(self):
        """What a store is opened with."""
        return f"memcached+unix://{self.socket}" if self.socket else f"memcached://{self.place}"

    @property
    def place(self):
        """Its host and port as they stand in a URL of several servers."""
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Start again where it was; it knows nothing of before."""
        if not self._began():
            pytest.fail("memcached does not start")

    def stop(self):
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self.socket:
            self.socket.unlink(missing_ok=True)

    def _began(self):
        place = ["-l", "127.0.0.1", "-p", str(self.port)]
        if self.socket:
            place = ["-s", str(self.socket)]
        command = [self._program, *place, "-U", "0", *self._options]
        self._process = subprocess.Popen(command, **run_as(unprivileged_user()))
        return self._answers()

    def _answers(self):
        end = time.monotonic() + STARTS_WITHIN
        while self._process.poll() is None and time.monotonic() < end:
            with suppress(OSError):
                if self._is_ours(self.ask("stats")):
                    return True
            time.sleep(0.005)
        self.stop()
        return False

    def _is_ours(self, told):
        wants_password = told == [b"CLIENT_ERROR unauthenticated"]  # and says nothing of itself
        return wants_password or told[0] == b"STAT pid %d" % self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


class MemcachedPair:
    """Two servers that hold the sessions together. No item of a test's is too large for them."""

    def __init__(self, folder):
        self.servers = [MemcachedServer(folder, options=("-I", "8m")) for _ in range(2)]

    @property
    def url(self):
        """What a store is opened with."""
        return f"memcached://{','.join(server.place for server in self.servers)}"

    def server_of(self, key):
        """Return the server that has the row of a key."""
        place = rendezvous(key, [server.place for server in self.servers])
        return next(server for server in self.servers if server.place == place)

    def each(self, act):
        """Have both do something."""
        for server in self.servers:
            getattr(server, act)()

    def flush(self):
        """Forget everything."""
        for server in self.servers:
            server.ask("flush_all")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.each("stop")


@functools.cache
def shared_pair():
    """Return the two servers that the tests of this process share; prefixes are theirs."""
    pair = MemcachedPair(tempfile.gettempdir())
    atexit.register(pair.each, "stop")
    return pair


@pytest.fixture
def own_pair(tmp_path):
    """Two memcached servers that this test may stop, freeze and count."""
    with MemcachedPair(tmp_path) as pair:
        yield pair


@functools.cache
def shared_memcached():
    """Return the memcached server that all tests of this process share; names are theirs."""
    server = MemcachedServer(tempfile.gettempdir())
    atexit.register(server.stop)
    return server


@pytest.fixture
def memcached_server():
    """The shared memcached server, running and not frozen."""
    return shared_memcached()


@pytest.fixture
def own_memcached(tmp_path):
    """A memcached server that this test may stop, freeze and count."""
    with MemcachedServer(tmp_path) as server:
        yield server
