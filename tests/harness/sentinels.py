"""A primary with a replica, and three real Sentinels that watch them; started here, on loopback."""

import subprocess
import time
from contextlib import ExitStack

import pytest
import redis

from harness.programs import free_port
from harness.redis_server import RedisServer, find_redis

SERVICE = "shop"
WITHIN = 60.0
"""Seconds for what Sentinels do of themselves: a busy machine delays them."""
_RULES = """
bind 127.0.0.1
port {port}
dir {folder}
logfile {folder}/log
requirepass {password}
sentinel sentinel-pass {password}
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 2000
"""


class Sentinel:
    """A ``redis-server --sentinel`` that watches one primary."""

    def __init__(self, folder, primary, password):
        self.folder, self.password = folder, password
        self.port = free_port()
        folder.mkdir()
        rules = folder / "sentinel.conf"
        given = {"folder": folder, "primary": primary, "service": SERVICE, "password": password}
        rules.write_text(_RULES.format(port=self.port, **given))
        self.process = subprocess.Popen([find_redis(), str(rules), "--sentinel"])

    def ask(self, *words):
        """Return the reply to a command."""
        with redis.Redis(port=self.port, password=self.password, protocol=2) as client:
            return client.execute_command(*words)

    def stop(self):
        """Kill it."""
        self.process.kill()
        self.process.wait()


class Replicated:
    """One primary, its replica, and their Sentinels.

    Attributes:
        primary: as it was at first.
        replica: as it was at first.
        sentinels: all three.
        url: what a store is opened with, passwords included.
    """

    def __init__(self, folder, stack, password="between us"):
        self.password = password.replace(" ", "-")
        both = {"password": self.password}
        auth = ("--masterauth", self.password, "--repl-diskless-sync-delay", "0")
        homes = [folder / name for name in ("primary", "replica")]
        for home in homes:
            home.mkdir()
        self.primary = stack.enter_context(RedisServer(homes[0], options=auth, **both))
        after = ("--replicaof", f"127.0.0.1 {self.primary.port}", *auth)
        self.replica = stack.enter_context(RedisServer(homes[1], options=after, **both))
        eventually(lambda: self._link() == "up", "the replica follows")
        self.sentinels = []
        for number in range(3):
            one = Sentinel(folder / f"sentinel-{number}", self.primary.port, self.password)
            stack.callback(one.stop)
            self.sentinels.append(one)
        eventually(self._is_settled, "the Sentinels know each other")

    @property
    def url(self):
        places = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        pw = self.password
        return f"redis+sentinel://:{pw}@{places}/{SERVICE}/0?sentinel_password={pw}"

    def _link(self):
        return self.replica.ask("INFO", "replication")["master_link_status"]

    def _is_settled(self):
        for one in self.sentinels:
            try:
                state = one.ask("SENTINEL", "MASTER", SERVICE)
            except redis.RedisError:
                return False
            said = state if isinstance(state, dict) else _pairs(state)
            if (int(said["num-other-sentinels"]), int(said["num-slaves"])) != (2, 1):
                return False
        return True

    def where(self):
        """Return the port at which the first Sentinel that lives sees the primary."""
        for one in self.sentinels:
            if one.process.poll() is None:
                return int(one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
        return None

    def fail_over(self):
        """Make the replica the primary, both servers being well."""
        before = self.where()
        self.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
        eventually(lambda: self.where() != before, "the other one is the primary")


def eventually(truth, what):
    """Return when something holds that other processes bring about."""
    end = time.monotonic() + WITHIN
    while not truth():
        if time.monotonic() > end:
            pytest.fail(f"not within {WITHIN:g} s: {what}")
        time.sleep(0.02)


def ask_again(question):
    """Return the answer of a server that Sentinels turn around.

    With its new role each of the three has it cut whoever is connected, us too: so it is asked
    again until it has said all.
    """
    answers = []

    def answer():
        try:
            answers.append(question())
        except redis.ConnectionError:
            return False
        return True

    eventually(answer, "the server answers")
    return answers[0]


def _pairs(state):
    names = [each.decode() for each in state]
    return dict(zip(names[::2], names[1::2], strict=True))


@pytest.fixture
def replicated(tmp_path):
    """A primary, a replica and three Sentinels of this test's own."""
    with ExitStack() as stack:
        yield Replicated(tmp_path, stack)
