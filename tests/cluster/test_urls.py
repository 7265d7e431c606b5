"""``sessile node url``: what workers are given, and that a node takes them by TLS."""

import json
import re
import socket
import time
from contextlib import suppress

import pytest
from typer.testing import CliRunner

from harness.nodes import LONG, OLDER, SECRET, NodeProcess
from sessile.cli.app import app
from sessile.cluster.authority import CertificateAuthority
from sessile.cluster.peers import NodePeer
from sessile.cluster.users import url_of, users_of
from sessile.core.flow import run
from sessile.core.secrets import KeyRing
from sessile.errors import StoreUnavailable
from sessile.stores.nats import NatsStore
from sessile.stores.nats_url import place_of
from sessile.testing.sample import key, record

NEWEST = users_of(KeyRing([SECRET]))[0]


def url(*words):
    """Return what the command prints."""
    done = CliRunner().invoke(app, ["node", "url", *words], prog_name="sessile")
    assert done.exit_code == 0, done.output
    return done.stdout.removesuffix("\n")


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("SESSILE_SECRETS", f"{SECRET},{OLDER}")


def test_url_is_all_that_is_printed():
    """A store is opened with it; its password is the newest secret's."""
    endpoint = place_of(url()).endpoint

    assert endpoint.hosts == (("127.0.0.1", 4222),)
    assert (endpoint.username, endpoint.password) == (NEWEST.name, NEWEST.password)
    assert endpoint.tls is None


def test_url_of_other_hosts_speaks_tls(tmp_path):
    """A password goes over a network in no other way."""
    authority = CertificateAuthority(tmp_path, time.time())
    files = authority.issue(NodePeer("a", "10.0.0.1"))
    place = place_of(url("10.0.0.1,10.0.0.2:5222,[fd00::3]", f"--ca={files.ca}"))

    assert place.endpoint.hosts == (("10.0.0.1", 4222), ("10.0.0.2", 5222), ("fd00::3", 4222))
    assert place.endpoint.tls.ca == str(files.ca)
    assert url("node-a").startswith("nats+tls://")


@pytest.mark.parametrize("kind", ["nats", "replicated", "backup"])
def test_url_of_each_kind_opens_its_store(kind):
    """By the same password, with TLS and without."""
    plain, secure = url(f"--store={kind}"), url("10.0.0.1", f"--store={kind}")

    assert plain.startswith(f"{kind}://{NEWEST.name}:")
    assert secure.startswith(f"{kind}+tls://{NEWEST.name}:")
    assert place_of(plain).endpoint.password == NEWEST.password


def test_users_give_no_secret_away():
    """Each secret has a user and a password of its own, and neither holds any of the other."""
    users = users_of(KeyRing([SECRET, OLDER]))

    assert len({user.name for user in users} | {user.password for user in users}) == 4
    assert all(re.fullmatch("sessile-[0-9a-f]{8}", user.name) for user in users)
    assert NEWEST.password not in repr(users)


def test_secrets_are_needed(monkeypatch):
    """With what to write."""
    monkeypatch.delenv("SESSILE_SECRETS")
    done = CliRunner().invoke(app, ["node", "url"], prog_name="sessile")

    assert done.exit_code == 2
    assert "SESSILE_SECRETS is not set: run `sessile keygen`" in done.output


def say_in_plain(port, line):
    """Send a node a line without TLS; return all that it answers."""
    with socket.create_connection(("127.0.0.1", port), LONG) as plain:
        answer = plain.recv(4096)
        plain.sendall(line)
        while more := _receive(plain):
            answer += more
        return answer


def _receive(plain):
    with suppress(ConnectionError):
        return plain.recv(4096)


def test_node_of_other_hosts_workers_speaks_tls(tmp_path):
    """Where it listens for more than its own host it takes nobody in plain text."""
    (tmp_path / "made").mkdir()
    files = CertificateAuthority(tmp_path / "made", time.time()).issue(NodePeer("one", "127.0.0.1"))
    with NodeProcess(tmp_path, host="0.0.0.0", certificate=files) as node:
        by_tls = url_of(NEWEST, [("127.0.0.1", node.port)], str(files.ca))
        store = NatsStore.from_url(f"{by_tls}&timeout=10")
        run(store.create(record("a")))
        found = run(store.read(key("a")))
        run(store.close())
        hello = {"user": NEWEST.name, "pass": NEWEST.password, "verbose": True}
        answer = say_in_plain(node.port, f"CONNECT {json.dumps(hello)}\r\n".encode())

    assert found == record("a")
    assert b'"tls_required":true' in answer
    assert b"+OK" not in answer


def test_node_that_ends_is_no_warning_about_tls(tmp_path, caplog):
    """The library has its own words for that; ours says what it means for the store."""
    (tmp_path / "made").mkdir()
    files = CertificateAuthority(tmp_path / "made", time.time()).issue(NodePeer("one", "127.0.0.1"))
    with NodeProcess(tmp_path, host="0.0.0.0", certificate=files) as node:
        store = NatsStore.from_url(
            f"{url_of(NEWEST, [('127.0.0.1', node.port)], str(files.ca))}&timeout=10"
        )
        run(store.create(record("a")))
    with pytest.raises(StoreUnavailable):
        run(store.read(key("a")))
    run(store.close())

    assert [each for each in caplog.records if each.name == "asyncio"] == []
