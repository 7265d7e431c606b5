"""``sessile node`` alone: what it starts, refuses and says, and how it ends. A real server."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import nats
import nats.errors
import pytest

from harness.nats_server import wait_for
from harness.nodes import LONG, OLDER, SECRET, SOURCE, NodeProcess, node_url
from sessile.cluster.users import users_of
from sessile.core.flow import run
from sessile.core.secrets import KeyRing
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.nats import NatsStore
from sessile.stores.replicated import ReplicatedStore
from sessile.testing.promises.feeds import hear
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire.private_files import make_private_folder

PATIENT = "?timeout=10"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A node that no test stops."""
    with NodeProcess(tmp_path_factory.mktemp("node"), secrets=f"{SECRET},{OLDER}") as node:
        yield node


@pytest.fixture
def own(tmp_path):
    """A node of this test's own."""
    with NodeProcess(tmp_path) as node:
        yield node


@pytest.fixture
def fails(tmp_path):
    """Run a command that is refused; return what it says."""

    def call(*words, code=2, **environ):
        done = subprocess.run(
            [sys.executable, "-m", "sessile.cli", "node", *words],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "SESSILE_SECRETS": SECRET, **environ},
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    return call


def keep(url, name):
    """Store a session, and read it back."""
    store = NatsStore.from_url(url)
    run(store.create(record(name)))
    found = run(store.read(key(name)))
    run(store.close())
    return found


def texts_of(node):
    """Return what every user of the host may see of a node: command lines; and its log."""
    numbers = [node.process.pid, *node.children()]
    lines = [Path(f"/proc/{number}/cmdline").read_bytes().decode() for number in numbers]
    return [*lines, node.said]


def test_keeps_sessions(running):
    """Whoever has the secret has the URL."""
    assert keep(running.url("kept", PATIENT), "a") == record("a")


def test_former_secret_lets_in_as_well(running):
    """While a secret is changed some workers have the new one, and some not yet."""
    assert keep(node_url([running], "former", PATIENT, OLDER), "a") == record("a")


def test_workers_may_do_whatever_a_store_does(running):
    """Make the stream, every act of a store, and follow it."""
    store = NatsStore.from_url(running.url("all", PATIENT))
    feed = store.open_feed(time.monotonic, tuple)
    run(store.create(record("visitor")))
    run(store.replace(login(record("a", owner="alice"), old=record("visitor"), limit=1)))
    run(store.commit(change(record("a", owner="alice"))))
    hear(feed, lambda heard: heard.as_of is not None)
    assert len(records_of(store, run, "alice")) == 1
    assert run(store.size()).bytes > 0
    assert len(run(store.scan()).records) == 1
    run(store.delete_owned("alice"))
    run(store.server_time())
    run(store.end_everybody())
    feed.close()
    run(store.close())


def test_workers_may_have_a_mirror_of_much(running):
    """More than the server sends before somebody says that it was taken."""
    url = running.url("mirrored", PATIENT)
    store = NatsStore.from_url(url)
    for n in range(40):
        run(store.create(record(f"row {n}", data={"v": bytes(500_000)})))
    mirror = ReplicatedStore.from_url(url.replace("nats://", "replicated://"))
    run(mirror.read(key("row 0")))
    wait_for(lambda: mirror.peek(key("row 39"), 1) is not None, lambda: "nothing is told")

    assert mirror.copies == 40
    for each in (mirror, store):
        run(each.close())


def test_workers_may_do_nothing_else(running):
    """Of the server's other acts none is theirs."""
    with pytest.raises(nats.errors.Error):
        asyncio.run(ask(running.url().rstrip("/"), "$JS.API.STREAM.DELETE.SESSILE_all"))
    assert json.loads(asyncio.run(ask(running.url().rstrip("/"), "$JS.API.STREAM.INFO.none")))


async def ask(url, subject):
    """Ask a server something; return its answer."""
    client = await nats.connect(url, error_cb=_ignore)
    try:
        return (await client.request(subject, b"", timeout=1)).data
    finally:
        await client.close()


async def _ignore(error):
    pass


@pytest.mark.parametrize("credentials", ["", "sessile:wrong@", "sessile-{}:wrong@"])
def test_whoever_has_no_secret_is_refused(running, credentials):
    """Also by the name of a user that there is."""
    name = users_of(KeyRing([SECRET]))[0].name.removeprefix("sessile-")
    url = f"nats://{credentials.format(name)}127.0.0.1:{running.port}/none"
    store = NatsStore.from_url(f"{url}{PATIENT}")

    with pytest.raises(StoreUnavailable, match="authentication failed"):
        run(store.ping())
    run(store.close())


def test_session_of_a_mebibyte_is_kept(running):
    """Which is more than a server takes that was told nothing."""
    large = record("large", data={"v": b"x" * (1 << 20)})
    store = NatsStore.from_url(running.url("large", PATIENT))
    run(store.create(large))
    found = run(store.read(large.key))
    run(store.close())

    assert found == large


def test_no_secret_is_seen(running):
    """In no command line, and in no line of the log."""
    hidden = [SECRET, OLDER, *(user.password for user in users_of(KeyRing([SECRET, OLDER])))]
    shown = texts_of(running)

    assert len(shown) == 3
    assert [one for one in hidden for text in shown if one in text] == []


def test_server_has_no_secret_in_its_environment(running):
    """It needs none: passwords are in its file."""
    (server,) = running.children()
    environ = Path(f"/proc/{server}/environ").read_bytes()

    assert SECRET.encode() not in environ
    ours = {line.partition(b"=")[0] for line in environ.split(b"\0") if line[:7] == b"SESSILE"}
    assert ours <= {b"SESSILE_REQUIRE"}  # which is of the tests


def test_files_are_its_owners_alone(running):
    """The configuration, which has passwords, and whatever the server writes."""
    keep(running.url("owned", PATIENT), "a")
    files = [running.folder, *running.folder.rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files}

    assert "node.conf" in modes
    assert {name: mode for name, mode in modes.items() if mode} == {}


def test_listens_for_this_host_alone(running):
    """One port, on loopback."""
    (server,) = running.children()
    inodes = {str(link.readlink()) for link in Path(f"/proc/{server}/fd").iterdir()}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listening = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]

    assert listening == [f"0100007F:{running.port:04X}"]


def test_says_which_server_it_runs(running):
    """Version, origin and checksum, so that it can be compared with its makers' own."""
    assert re.search(r"sessile: nats-server 2\.\d+\.\d+\S* of .*: /\S+", running.said)
    assert re.search(r"its sha256 is [0-9a-f]{64}\n", running.said)
    assert "SESSILE_URL=$(sessile node url)" in running.said


def test_second_node_on_a_folder_is_refused(running, fails):
    """Two servers on the same files would ruin them."""
    said = fails(f"--folder={running.folder}")

    assert "runs in" in said
    assert "already" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stops_when_asked(own, number):
    """Its server is over as well, and what it kept is there again afterwards."""
    url = own.url("kept", PATIENT)
    keep(url, "a")
    (server,) = own.children()

    assert own.ask_to_stop(number).end() == 0
    assert not Path(f"/proc/{server}").exists()

    own.start()
    store = NatsStore.from_url(url)
    assert run(store.read(key("a"))) == record("a")
    run(store.close())


def test_server_that_dies_is_told(own):
    """The node ends with it, and says the last lines of its log."""
    (server,) = own.children()
    os.kill(server, signal.SIGKILL)

    assert own.end() == 1
    assert "nats-server has ended by signal 9, and nobody had asked it to" in own.said
    assert own.said.rstrip().rpartition("sessile:   ")[2].endswith("Server is ready")


def test_log_that_nobody_reads_stops_nothing(tmp_path):
    """The sessions are there, and the node still ends when it is asked."""
    node = NodeProcess(tmp_path)
    node.begin(stderr=subprocess.PIPE)
    try:
        for line in node.process.stderr:
            if b"Server is ready" in line:
                break
        node.process.stderr.close()
        for name in ("a", "b", "c"):
            with socket.create_connection(("127.0.0.1", node.port), LONG) as client:
                client.sendall(b"CONNECT {}\r\nPING\r\n")  # refused, which the log says
                client.recv(4096)
            assert keep(node.url("unread", PATIENT), name) == record(name)
        assert node.ask_to_stop().end() == 0
    finally:
        node.kill()


def test_server_of_a_node_that_was_killed_keeps_the_folder(own, fails):
    """Nobody is let in beside it, though the node is not there to say so."""
    (server,) = own.children()
    own.process.kill()
    own.process.wait()
    try:
        assert "already" in fails(f"--folder={own.folder}")
    finally:
        os.kill(server, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{server}").exists(), lambda: "it lives", LONG)


def test_port_in_use_is_told(running, fails, tmp_path):
    """In the server's words, which are the last."""
    said = fails(f"--folder={tmp_path}/b", f"--listen=127.0.0.1:{running.port}", code=1)

    assert "address already in use" in said


def fake_server(folder, says):
    """Make a program that says a version, and would never end."""
    path = folder / "fake-nats-server"
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{says}' && exit\nexec sleep 1000\n")
    path.chmod(0o755)
    return path


def test_full_disk_is_told_with_what_to_do(fails, tmp_path):
    """In a line of the node's own, below the one of the server."""
    program = tmp_path / "nats-server"
    full = "[ERR] JetStream out of resources, will be DISABLED"
    program.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo 'nats-server: v2.15.0' && exit\n"
        f"echo '{full}' >&2\nexit 3\n"
    )
    program.chmod(0o755)
    said = fails(f"--server={program}", code=1)

    assert full in said
    assert "node one keeps nothing any more: make room on its disk" in said


def test_old_server_is_refused(fails, tmp_path):
    """As the one of Debian 12, with what to write."""
    said = fails(f"--server={fake_server(tmp_path, 'nats-server: v2.9.10')}")

    assert "is nats-server 2.9.10, and 2.12.1 or newer is needed" in said
    assert "pip install 'sessile[cluster]'" in said
    assert not (tmp_path / "sessile-node").exists()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--server=/none"], "there is no program at /none"),
        (["--server=/bin/true"], "/bin/true is no nats-server"),
        (["--peers=a=10.0.0.1,b=10.0.0.2"], "name a third"),
        (["--peers=a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"], "--name is missing"),
        (["--name=d", "--peers=a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"], "known are: a, b, c"),
        (["--name=a", "--peers=a=h,b=h,c=i"], "two peers have the place h:6222"),
        (["--name=a", "--peers=a=h,a=i,c=j"], "two peers have the name a"),
        (["--name=a", "--peers=10.0.0.1,10.0.0.2"], "write a=10.0.0.1,b=10.0.0.2"),
        (["--name=a", "--peers=a=10.0.0.1,b=10.0.0.2,c=10.0.0.3"], "authority.pem cannot be read"),
        (["--listen=10.0.0.1:4222"], "cannot be read: No such file or directory"),
        (["--listen=127.0.0.1:99999"], "is no host and port"),
        (["--name=a b"], "names no node"),
        (["--disk=lots"], "is no number of bytes"),
        (["--memory=0"], "is no number of bytes"),
        (["--sync=never"], "is no interval"),
        (["--folder=/proc/none"], "cannot be made"),
    ],
)
def test_wrong_words_are_told(fails, words, wrong):
    """Before anything is started."""
    assert wrong in fails(*words)


def test_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    """With what to do about it. Root may write everywhere, so the answer is ours."""
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(ConfigError, match=r"this user cannot write in .*: chown it to the user"):
        make_private_folder(tmp_path)


def test_secrets_are_needed(fails):
    """A URL alone would be enough for anybody."""
    assert "SESSILE_SECRETS is set and empty" in fails(SESSILE_SECRETS="")


def test_configuration_is_what_was_asked_for(tmp_path):
    """Limits of the disk and of memory, and how often files are flushed."""
    options = ["--disk=2GB", "--memory=64MB", "--sync=10s"]
    with NodeProcess(tmp_path, options=options) as node:
        rows = dict(
            line.split(": ", 1) for line in (node.folder / "node.conf").read_text().splitlines()
        )
        settings = json.loads(rows["jetstream"])

    assert settings["max_file_store"] == 2 << 30
    assert settings["max_memory_store"] == 16 << 20
    assert settings["sync_interval"] == "10s"
    assert "cluster" not in rows
