"""``sessile node cert``, and what is said of certificates that the other nodes would refuse."""

import datetime as dt
import re
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from typer.testing import CliRunner

from harness.certificates import Authority
from sessile.cli.app import app
from sessile.cluster.authority import CertificateAuthority, files_of
from sessile.cluster.certificates import check_certificate
from sessile.cluster.configuration import NodeCertificate
from sessile.cluster.peers import NodePeer
from sessile.errors import ConfigError
from sessile.wire import system

PEER = NodePeer("a", "10.0.0.1")
NOW = 1_800_000_000.0
DAY = 86_400.0


def node(*words):
    return CliRunner().invoke(app, ["node", *words], prog_name="sessile")


@pytest.fixture
def files(tmp_path):
    """A node's files, of an authority of its own."""
    return CertificateAuthority(tmp_path, NOW).issue(PEER)


def test_makes_what_three_nodes_need(tmp_path):
    """An authority, and a certificate and key for each, that the node itself takes."""
    done = node("cert", f"--folder={tmp_path}", "--peers=a=10.0.0.1,b=node-b.example,c=[fd00::1]:7")
    assert done.exit_code == 0, done.output

    for name, host in (("a", "10.0.0.1"), ("b", "node-b.example"), ("c", "fd00::1")):
        until = check_certificate(files_of(tmp_path, name), host, system.clock())
        assert until > dt.datetime.now(dt.UTC) + dt.timedelta(days=700)
        assert f"carry to {name}, {host}, into its node's folder: {tmp_path}/authority.pem " in (
            done.output
        )
    assert f"carry {tmp_path}/authority.key nowhere" in done.output


def test_files_are_their_owners_alone(tmp_path):
    """Keys above all."""
    folder = tmp_path / "made"
    node("cert", f"--folder={folder}", "--peers=a=10.0.0.1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert modes == dict.fromkeys(("authority.key", "authority.pem", "a.key", "a.pem"), 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_authority_is_used_again(tmp_path):
    """So that a further node, or a new certificate, is taken by those that run."""
    first = node("cert", f"--folder={tmp_path}", "--peers=a=10.0.0.1")
    authority, former = ((tmp_path / f"{one}.pem").read_bytes() for one in ("authority", "a"))
    again = node("cert", f"--folder={tmp_path}", "--peers=a=10.0.0.1")

    assert first.output.startswith("made the authority")
    assert again.output.startswith("used the authority")
    assert (tmp_path / "authority.pem").read_bytes() == authority
    assert (tmp_path / "a.pem").read_bytes() != former


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ([], "--peers is missing"),
        (["--peers=authority=10.0.0.1"], "cannot be named authority"),
        (["--peers=a=10.0.0.1,b=10.0.0.2"], "name a third"),
    ],
)
def test_wrong_words_are_told(tmp_path, words, wrong):
    """As the node itself tells them."""
    done = node("cert", f"--folder={tmp_path}", *words)

    assert done.exit_code == 2
    assert wrong in done.output


def test_authority_without_its_key_is_told(tmp_path, files):
    """As on a node, which has the certificate alone: to make another one would shut it out."""
    (tmp_path / "authority.key").unlink()

    with pytest.raises(ConfigError, match=r"without its key authority\.key: bring the key"):
        CertificateAuthority(tmp_path, NOW)
    assert files.ca.exists()


def swap_key(files, folder):
    other = CertificateAuthority(folder / "other", NOW).issue(PEER)
    shutil.copy(other.key, files.key)


def swap_both(files, folder):
    swap_key(files, folder)
    shutil.copy(folder / "other" / "a.pem", files.cert)


def spoil(name):
    return lambda files, _: getattr(files, name).write_text("spoilt")


def remove(name):
    return lambda files, _: getattr(files, name).unlink()


@pytest.mark.parametrize(
    ("harm", "wrong"),
    [
        (swap_key, "is not the key of"),
        (swap_both, "is no certificate of the authority"),
        (spoil("cert"), "is no certificate in PEM"),
        (spoil("ca"), "is no certificate in PEM"),
        (spoil("key"), "is no key in PEM, or has a password"),
        (remove("cert"), "cannot be read: No such file"),
        (remove("ca"), "cannot be read: No such file"),
        (remove("key"), "cannot be read: No such file"),
        (lambda files, _: files.key.chmod(0o644), "everybody on this host can read"),
    ],
)
def test_harm_is_told(tmp_path, files, harm, wrong):
    """Before the server starts, whose log would say less."""
    harm(files, tmp_path)

    with pytest.raises(ConfigError, match=wrong):
        check_certificate(files, PEER.host, NOW)


@pytest.mark.parametrize(
    ("later", "wrong"),
    [(731, "was good until"), (3651, "was good until"), (-2, "look at the clock of this host")],
)
def test_certificate_out_of_its_time_is_told(files, later, wrong):
    with pytest.raises(ConfigError, match=wrong):
        check_certificate(files, PEER.host, NOW + later * DAY)


@pytest.mark.parametrize("host", ["10.0.0.2", "node-a.example"])
def test_certificate_of_another_host_is_told(files, host):
    """The others verify the address by which they reach it."""
    with pytest.raises(ConfigError, match=rf"is not for {host}, .* but for 10\.0\.0\.1, "):
        check_certificate(files, host, NOW)
    assert check_certificate(files, None, NOW)


def test_certificate_for_servers_alone_is_told(tmp_path, monkeypatch):
    """As an authority for web sites makes them: a node is the client of other nodes as well."""
    only = SimpleNamespace(SERVER_AUTH=Purpose.SERVER_AUTH, CLIENT_AUTH=Purpose.SERVER_AUTH)
    monkeypatch.setattr("sessile.cluster.authority.ExtendedKeyUsageOID", only)
    files = CertificateAuthority(tmp_path, NOW).issue(PEER)

    with pytest.raises(ConfigError, match="is not for servers and clients both"):
        check_certificate(files, PEER.host, NOW)


def test_certificate_of_another_authority_is_taken(tmp_path):
    """One need not use ours."""
    authority = Authority(tmp_path)
    made = authority.issue(PEER.host)
    files = NodeCertificate(*(Path(file) for file in (authority.file, made.file, made.key)))
    files.key.chmod(0o600)

    assert check_certificate(files, PEER.host, system.clock())


def test_key_is_shown_nowhere(tmp_path):
    """The command prints paths."""
    done = node("cert", f"--folder={tmp_path}", "--peers=a=10.0.0.1")
    lines = "".join(path.read_text() for path in tmp_path.glob("*.key")).splitlines()

    assert [line for line in lines if line in done.output] == []
    assert not re.search("PRIVATE", done.output)
