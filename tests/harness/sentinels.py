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
PAUSE = 10_000
"""Milliseconds for which a primary takes no change before another one takes its place."""

_RULES = """
bind 127.0.0.1
dir {folder}
logfile {folder}/log
requirepass {password}
sentinel sentinel-pass {password}
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor {service} {host} {primary} 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 2000
"""
_TLS_RULES = """
port 0
tls-port {port}
tls-replication yes
tls-auth-clients no
tls-cert-file {cert}
tls-key-file {key}
tls-ca-cert-file {ca}
"""


class Sentinel:
    """A ``redis-server --sentinel`` that watches one primary.

    Args:
        folder: where nothing is yet.
        primary: its port.
        password: of it, and of the Sentinels.
        authority: speak TLS alone, with a certificate of its own for localhost.
    """

    def __init__(self, folder, primary, password, authority=None):
        self.folder, self.password, self.authority = folder, password, authority
        self.port = free_port()
        folder.mkdir()
        rules = folder / "sentinel.conf"
        given = {"folder": folder, "primary": primary, "service": SERVICE, "password": password}
        given["host"] = "localhost" if authority else "127.0.0.1"
        rules.write_text(self._way() + _RULES.format(**given))
        self.process = subprocess.Popen([find_redis(), str(rules), "--sentinel"])

    def _way(self):
        if self.authority is None:
            return f"port {self.port}\n"
        mine = self.authority.issue("localhost")
        files = {"cert": mine.file, "key": mine.key, "ca": self.authority.file}
        return _TLS_RULES.format(port=self.port, **files)

    def ask(self, *words):
        """Return the reply to a command."""
        tls = {"ssl": True, "ssl_ca_certs": self.authority.file} if self.authority else {}
        with redis.Redis(port=self.port, password=self.password, protocol=2, **tls) as client:
            return client.execute_command(*words)

    def stop(self):
        """Kill it."""
        self.process.kill()
        self.process.wait()


class Replicated:
    """One primary, its replicas, and their Sentinels.

    Args:
        folder: an empty directory.
        stack: ends them.
        password: of all of them.
        replicas: how many.
        authority: all of them speak TLS alone, as localhost.
        proxies: by whose ports the servers are known to everybody, one for each; its ``target`` is
            set to the server's own.

    Attributes:
        servers: the primary as it was at first, and then the replicas.
        primary: as it was at first.
        replica: the first one, as it was at first.
        sentinels: all three.
        url: what a store is opened with, passwords included.
    """

    def __init__(
        self,
        folder,
        stack,
        password="between us",
        *,
        replicas=1,
        authority=None,
        proxies=(),
    ):
        self.password = password.replace(" ", "-")
        self.authority, self.proxies, self.servers = authority, proxies, []
        for number in range(1 + replicas):
            home = folder / f"server-{number}"
            home.mkdir()
            options = self._options(number, after=0 if number else None)
            both = {"password": self.password, "authority": authority}
            self.servers.append(stack.enter_context(RedisServer(home, options=options, **both)))
            if proxies:
                proxies[number].target = self.servers[-1].port
        self.primary, self.replica, *_ = self.servers
        self.sentinels = []
        for number in range(3):
            port = self.known_port(self.primary)
            one = Sentinel(folder / f"sentinel-{number}", port, self.password, authority)
            stack.callback(one.stop)
            self.sentinels.append(one)
        eventually(self.is_well, "the Sentinels know each other, and the replicas follow")

    @property
    def url(self):
        host = "localhost" if self.authority else "127.0.0.1"
        places = ",".join(f"{host}:{one.port}" for one in self.sentinels)
        pw, scheme = self.password, "rediss" if self.authority else "redis"
        return f"{scheme}+sentinel://:{pw}@{places}/{SERVICE}/0?sentinel_password={pw}"

    def known_port(self, server):
        """Return the port by which everybody knows a server."""
        number = self.servers.index(server)
        return self.proxies[number].port if self.proxies else server.port

    def where(self):
        """Return the port at which the first Sentinel that lives sees the primary."""
        for one in self.sentinels:
            if one.process.poll() is None:
                return int(one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
        return None

    def primary_now(self):
        """Return the server that is there."""
        port = self.where()
        return next(one for one in self.servers if self.known_port(one) == port)

    def pause_writes(self, primary):
        """Have a primary take no change, and return when every replica has the last one."""
        primary.ask("CLIENT", "PAUSE", PAUSE, "WRITE")
        last = primary.ask("INFO", "replication")["master_repl_offset"]
        others = [one for one in self.servers if one is not primary]

        def is_there():
            said = [one.ask("INFO", "replication") for one in others]
            # one of them is the primary by now where Sentinels were faster
            return all(each.get("slave_repl_offset", last) >= last for each in said)

        eventually(is_there, "the replicas have the last change")

    def fail_over(self):
        """Make a replica the primary, all servers being well."""
        before = self.where()
        self.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
        eventually(lambda: self.where() != before, "the other one is the primary")

    def heal(self):
        """Start what was stopped, as a replica, and return when all is well."""
        for number, server in enumerate(self.servers):
            if server.is_stopped:
                after = self.servers.index(self.primary_now())
                server.start(self._options(number, after))
        eventually(self.is_well, "every server follows the primary that the Sentinels name")

    def is_well(self):
        """Tell whether the Sentinels agree, and every server follows whom they name."""
        try:
            views = [one.ask("SENTINEL", "MASTER", SERVICE) for one in self.sentinels]
            views = [view if isinstance(view, dict) else _pairs(view) for view in views]
            replicas = len(self.servers) - 1
            seen = {
                (int(view["port"]), int(view["num-other-sentinels"]), int(view["num-slaves"]))
                for view in views
            }
            return seen == {(self.where(), 2, replicas)} and self._all_follow(self.where())
        except redis.RedisError:
            return False

    def _all_follow(self, port):
        for server in self.servers:
            said = server.ask("INFO", "replication")
            is_primary = self.known_port(server) == port
            if (said["role"] == "master") is not is_primary:
                return False
            if not is_primary and (said["master_port"], said["master_link_status"]) != (port, "up"):
                return False
        return True

    def _options(self, number, after):
        options = ["--masterauth", self.password, "--repl-diskless-sync-delay", "0"]
        host = "localhost" if self.authority else "127.0.0.1"
        options += ["--replica-announce-ip", host]
        if self.authority:
            options += ["--tls-replication", "yes"]
        if self.proxies:
            options += ["--replica-announce-port", str(self.proxies[number].port)]
        if after is not None:
            options += ["--replicaof", f"{host} {self.known_port(self.servers[after])}"]
        return tuple(options)


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
