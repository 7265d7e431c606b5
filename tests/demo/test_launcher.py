"""The launcher starts everything, says what is wrong, and leaves nothing behind."""

import asyncio
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from demo.process import PATIENCE, DemoProcess, is_alive, wait_for
from sessile.demo.fleet.channel import ParentChannel
from sessile.demo.fleet.message import GetView
from sessile.demo.fleet.port import local_address
from sessile.demo.launcher import launch
from sessile.errors import ConfigError, StoreUnavailable


def pids(demo):
    return [member["pid"] for member in demo.members().values()]


def folder(demo):
    return Path(re.search(r"sqlite:///(/\S+)/sessions.db", demo.output).group(1))


def test_the_terminal_says_where_and_who():
    """Address, users and passwords, and how to stop stand on the terminal; no secret does."""
    with DemoProcess(servers=1) as demo:
        told = Path(f"/proc/{pids(demo)[0]}/environ").read_text()
        secret = re.search(r"SESSILE_SECRETS=([^\0]+)", told)[1]
        demo.end()

    users = re.findall(r"log in as (\w+) with the password (\S+)", demo.output)
    assert [name for name, _ in users] == ["alice", "bob", "carol"]
    assert "Ctrl-C" in demo.output
    assert secret not in demo.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(number):
    """Ctrl-C, a polite kill and a closed terminal end the servers and remove what they kept."""
    with DemoProcess(servers=1) as demo:
        servers, kept = pids(demo), folder(demo)
        assert kept.exists()

        code = demo.end(number)

    assert code == 0
    assert not any(map(is_alive, servers))
    assert not kept.exists()
    assert demo.output.endswith("closed\n")
    assert "Traceback" not in demo.output


def test_servers_do_not_outlive_their_parent(tmp_path):
    """Even when the launcher is killed without a last word, its servers notice and end."""
    env = {**os.environ, "TMPDIR": str(tmp_path)}  # for what nobody can clear away
    with DemoProcess(servers=2, env=env) as demo:
        servers = pids(demo)

        demo.end(signal.SIGKILL)

    wait_for(lambda: not any(map(is_alive, servers)))


def test_parent_that_has_not_read_everything_is_gone_all_the_same():
    """A server that has sent a word to a parent that was killed hears of an end, and no error."""

    async def die():
        ours, theirs = socket.socketpair()
        channel = ParentChannel(*await asyncio.open_unix_connection(sock=theirs))
        asking = asyncio.create_task(channel.ask(GetView()))
        await asyncio.sleep(0)  # it is sent
        ours.close()
        await asyncio.wait_for(channel.listen(), PATIENCE)
        asking.cancel()

    asyncio.run(die())


def test_a_taken_port_is_left_to_its_owner():
    """Where the wanted port is taken the next free one is used, and it is said so."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = owner.getsockname()[1]
        with DemoProcess(servers=1, port=taken) as demo:
            port = int(demo.url.rpartition(":")[2])

    assert taken < port <= taken + 20
    assert f"port {taken} is taken; using {port}" in demo.output


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.2", "http://127.0.0.2:"), ("::1", "http://[::1]:")]
)
def test_the_shop_listens_where_it_is_told(host, address):
    """For another address, and for IPv6, the banner names one where the buttons work."""
    with DemoProcess(servers=2, host=host) as demo, demo.visitor() as visitor:
        page = visitor.get("/").text

    assert demo.url.startswith(address)
    assert "/servers/A/kill" in page


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_address_that_stands_for_all_is_asked_at_our_own(host, address):
    """No browser can open ``http://0.0.0.0``, and no test listens there."""
    assert local_address(host) == address


def test_a_server_that_fails_to_start_is_quoted(tmp_path):
    """The demo ends, and what the server said before is on the terminal."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho the sea is dry >&2\nexit 3\n")
    broken.chmod(0o700)

    with DemoProcess(servers=1, before=f"sys.executable = {str(broken)!r}") as demo:
        code = demo.end()

    assert demo.url is None
    assert code == 1
    assert "server A ended with exit code 3\nthe sea is dry\n" in demo.output


def test_a_death_that_nobody_ordered_is_reported():
    """A server killed from outside is down and can be restarted; when all are dead it is over."""
    with DemoProcess(servers=2) as demo, demo.visitor() as visitor:
        visitor.log_in()
        os.kill(demo.members()["A"]["pid"], signal.SIGKILL)
        demo.until(lambda members: members["A"]["phase"] == "down")
        visitor.post("/servers/A/restart")
        demo.until(lambda members: members["A"]["phase"] == "up")
        survivor = visitor.look().user

        for server in pids(demo):
            os.kill(server, signal.SIGKILL)
        code = demo.wait()

    assert survivor == "alice"
    assert code == 1
    assert demo.output.count("server A ended with exit code -9") == 2
    assert demo.output.count("server B ended with exit code -9") == 1


def test_the_demo_runs_on_redis(own_redis, monkeypatch):
    """With a Redis URL the servers share its sessions, and a secret that is drawn and never shown.

    While Redis is frozen the answer is 503 with Retry-After; afterwards the session is there.
    """
    monkeypatch.delenv("SESSILE_SECRETS", raising=False)
    with DemoProcess(servers=2, url=own_redis.url) as demo, demo.visitor() as visitor:
        visitor.log_in()
        users = {visitor.look().user for _ in range(2)}
        environ = Path(f"/proc/{pids(demo)[0]}/environ").read_bytes().decode()
        secret = re.search(r"SESSILE_SECRETS=([\w-]+)", environ).group(1)

        own_redis.freeze()
        frozen = visitor.get("/")
        own_redis.thaw()
        thawed = visitor.look().user
        demo.end()

    assert users == {"alice"}
    assert (frozen.status_code, "retry-after" in frozen.headers) == (503, True)
    assert "set-cookie" not in frozen.headers
    assert thawed == "alice"
    assert "a secret drawn for this run" in demo.output
    assert secret not in demo.output
    assert own_redis.ask("DBSIZE") > 0


def test_given_secrets_are_used(own_redis, monkeypatch):
    """Where SESSILE_SECRETS is set no other secret is drawn."""
    monkeypatch.setenv("SESSILE_SECRETS", "qV7-kz0Lw3Xn9Rb5Tm1Yc8Hd4Fs6Jp2GuA")
    with DemoProcess(servers=1, url=own_redis.url) as demo:
        environ = Path(f"/proc/{pids(demo)[0]}/environ").read_text()

    assert "SESSILE_SECRETS=qV7-kz0Lw3Xn9Rb5Tm1Yc8Hd4Fs6Jp2GuA" in environ
    assert "drawn" not in demo.output


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"url": "memory://"}, "redis://localhost:6379/0"),
        ({"url": "mongo://there"}, "known are"),
        ({"servers": 0}, "from 1 to 16"),
        ({"servers": 17}, "from 1 to 16"),
        ({"host": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        ({"host": "no.such.host.invalid"}, "cannot listen on no.such.host.invalid"),
    ],
)
def test_what_cannot_start_says_what_to_write(options, advice):
    """A wrong option is one error before anything is started."""
    with pytest.raises(ConfigError, match=advice):
        launch(**{"port": 0, **options})


def test_a_store_that_is_down_is_named(monkeypatch):
    """A Redis where nobody listens is an error of the store, without its password."""
    monkeypatch.delenv("SESSILE_SECRETS", raising=False)
    with pytest.raises(StoreUnavailable) as caught:
        launch(port=0, url="redis://:sesame@127.0.0.1:1/0")

    assert "sesame" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)
