"""Redis behind Sentinels with TLS: whom the store trusts, and by which name."""

import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager, suppress

import pytest

from harness.certificates import Authority
from harness.redis_server import RedisServer
from harness.sentinels import SERVICE, Replicated, eventually
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Record
from sessile.stores.redis import RedisStore
from sessile.testing.sample import key, record

PATIENCE = 30
"""Seconds for an operation: nothing here is about time, and the machine may be busy."""


@pytest.fixture
def authority(tmp_path):
    """An authority that the system does not trust."""
    return Authority(tmp_path)


@pytest.fixture
def secure(authority, tmp_path):
    """A server that speaks TLS as localhost."""
    (tmp_path / "server").mkdir()
    with RedisServer(tmp_path / "server", authority=authority) as server:
        yield server


@pytest.fixture
def opened(drive):
    """What opens a store, and closes it after the test."""
    stores = []

    def opened(url):
        stores.append(RedisStore.from_url(f"{url}&timeout={PATIENCE}"))
        return stores[-1]

    yield opened
    for store in stores:
        drive(store.close())


@contextmanager
def sentinel_of(mine, host, port):
    """A Sentinel that shows this certificate, and names this primary; gives a port, and what came.

    It says what a real one would, whose certificate and names a test could not choose.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(mine.file, mine.key)
    answer = f"*2\r\n${len(host)}\r\n{host}\r\n${len(str(port))}\r\n{port}\r\n".encode()
    heard = []

    def serve():
        with suppress(OSError):  # the test is over
            while True:
                plain, _ = listener.accept()
                with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as sock:
                    heard.append(sock.recv(65_536))
                    sock.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def url_of(port, ca, host="localhost", scheme="rediss"):
    """Return the URL of one Sentinel."""
    return f"{scheme}+sentinel://{host}:{port}/{SERVICE}/0?ca={ca.file}"


def why(drive, flow):
    """Return what the error says of a flow that must fail."""
    with pytest.raises(StoreUnavailable) as refused:
        drive(flow)
    return str(refused.value)


def serves(drive, store):
    """Tell whether a store answers."""
    try:
        drive(store.ping())
    except StoreUnavailable:
        return False
    return True


def test_fail_over_is_followed_under_tls(tmp_path, authority, opened, drive):
    """All of them speak TLS alone and call each other by name; another primary is found."""
    with ExitStack() as stack:
        replicated = Replicated(tmp_path, stack, authority=authority)
        store = opened(f"{replicated.url}&ca={authority.file}")
        drive(store.create(record("a")))
        assert replicated.primary.ask("WAIT", 1, 10_000) == 1
        replicated.primary.stop()
        eventually(lambda: replicated.where() == replicated.replica.port, "the fail-over")
        eventually(lambda: serves(drive, store), "the new primary serves")
        assert isinstance(drive(store.read(key("a"))), Record)
        drive(store.create(record("b")))


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_server_proves_to_be_whom_the_sentinel_names(secure, authority, opened, drive, scheme):
    """The name that is verified is the announced one, whatever the Sentinel itself is called."""
    mine = authority.issue("127.0.0.1")
    with sentinel_of(mine, "localhost", secure.port) as (port, _):
        drive(opened(url_of(port, authority, "127.0.0.1", scheme)).create(record("a")))


def test_server_of_another_name_is_refused(secure, authority, opened, drive):
    """A certificate for localhost is none for the address that is announced; it says what to do."""
    mine = authority.issue("localhost")
    with sentinel_of(mine, "127.0.0.1", secure.port) as (port, _):
        said = why(drive, opened(url_of(port, authority)).ping())

    assert "the server that the Sentinels name did not prove to be it" in said
    assert "'sentinel resolve-hostnames yes' and 'sentinel announce-hostnames yes'" in said


def test_server_of_another_authority_is_refused(secure, tmp_path, opened, drive):
    """A Sentinel that is trusted makes nobody trusted whom it names."""
    ours = Authority(tmp_path, "ours")
    with sentinel_of(ours.issue("localhost"), "localhost", secure.port) as (port, _):
        said = why(drive, opened(url_of(port, ours)).ping())

    assert "did not prove to be it" in said
    assert not secure.calls().get("ping")


@pytest.mark.parametrize("name", ["another authority", "another host"])
def test_sentinel_of_somebody_else_is_refused(name, authority, tmp_path, opened, drive):
    """It is told nothing, its password neither."""
    another = Authority(tmp_path, "another") if name == "another authority" else authority
    mine = another.issue("localhost" if name == "another authority" else "elsewhere")
    with sentinel_of(mine, "localhost", 6379) as (port, heard):
        url = f"{url_of(port, authority)}&sentinel_password=hunter2"
        said = why(drive, opened(url).ping())

    assert f"no Sentinel knows it (localhost:{port}: " in said
    assert "certificate verify failed" in said
    assert heard == []


def test_plain_sentinel_is_refused(secure, authority, opened, drive):
    """One that speaks no TLS is not asked in plain text instead."""
    with RedisServer(secure.folder.parent) as plain:
        said = why(drive, opened(f"{url_of(plain.port, authority)}&connect_timeout=1").ping())

    assert f"the primary '{SERVICE}' leads nowhere: " in said
