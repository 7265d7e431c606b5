"""The ways to a Redis server: TLS that verifies, and Unix sockets."""

import pytest

from harness.certificates import Authority
from harness.redis_server import RedisServer
from sessile.errors import ConfigError, StoreUnavailable
from sessile.wire.tls import Tls
from wire.redis.clients import client_of, close, echo


@pytest.fixture
def authority(tmp_path):
    """An authority that the system does not trust."""
    return Authority(tmp_path)


@pytest.fixture
def secure(authority, tmp_path):
    """A server that speaks TLS as localhost."""
    with RedisServer(tmp_path, authority=authority) as server:
        yield server


@pytest.fixture
def suspicious(authority, tmp_path):
    """A server that speaks TLS and demands a certificate of its clients."""
    demand = ("--tls-auth-clients", "yes")
    with RedisServer(tmp_path, authority=authority, options=demand) as server:
        yield server


def failure(server, drive, **more):
    """Return why an Ask failed."""
    client = client_of(server, timeout=5.0, connect_timeout=5.0, **more)
    with pytest.raises(StoreUnavailable) as failed:
        drive(echo(client, 1))
    drive(close(client))
    return failed.value.why


def test_server_of_a_trusted_authority_is_asked(secure, authority, drive):
    """A certificate that the given authority signed for this host is accepted."""
    client = client_of(secure, host="localhost", tls=Tls(ca=authority.file))
    assert [drive(echo(client, n)) for n in range(3)] == [0, 1, 2]
    drive(close(client))


def test_server_of_an_unknown_authority_is_refused(secure, drive):
    """Unless told otherwise only the system's authorities are trusted."""
    assert "certificate" in failure(secure, drive, host="localhost", tls=Tls()).lower()


def test_server_of_another_authority_is_refused(secure, tmp_path, drive):
    """An authority is trusted for what it signed, not for what calls itself the same."""
    impostor = Authority(tmp_path, "impostor")
    why = failure(secure, drive, host="localhost", tls=Tls(ca=impostor.file))
    assert "certificate" in why.lower()


def test_certificate_of_another_host_is_refused(secure, authority, drive):
    """A certificate for localhost proves nothing about 127.0.0.1."""
    why = failure(secure, drive, host="127.0.0.1", tls=Tls(ca=authority.file))
    assert "certificate" in why.lower()


def test_plain_text_is_no_way_in(secure, drive):
    """A server that speaks TLS alone is unavailable in plain text."""
    assert failure(secure, drive, host="localhost")


def test_own_certificate_is_shown(suspicious, authority, drive):
    """A server that asks for our certificate gets it."""
    mine = authority.issue("application")
    tls = Tls(ca=authority.file, cert=mine.file, key=mine.key)
    client = client_of(suspicious, host="localhost", tls=tls)
    assert drive(echo(client, 1)) == 1
    drive(close(client))


def test_no_certificate_is_refused(suspicious, authority, drive):
    """A server that asks for our certificate refuses us without one."""
    assert failure(suspicious, drive, host="localhost", tls=Tls(ca=authority.file))


@pytest.mark.parametrize("wrong", ["ca", "cert"])
def test_file_that_is_no_pem_is_an_error_at_start(tmp_path, wrong):
    """Files are read when the store is opened, and the error names them and the options."""
    absent = str(tmp_path / "absent.pem")
    with pytest.raises(ConfigError, match=f"{absent}.*ca=, cert= and key="):
        Tls(**{wrong: absent})


def test_unix_socket_is_a_way(tmp_path, drive):
    """A server on the same host is reached through its socket."""
    with RedisServer(tmp_path, unix=True, password="open sesame") as server:
        client = client_of(server, path=str(server.socket), password="open sesame", db=3)
        assert [drive(echo(client, n)) for n in range(3)] == [0, 1, 2]
        drive(close(client))


def test_no_unix_socket_is_unavailable(tmp_path, redis_server, drive):
    """A socket that is not there is an outage."""
    assert "No such file" in failure(redis_server, drive, path=str(tmp_path / "absent"))
