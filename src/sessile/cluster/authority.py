"""An authority for those who have none, and a certificate of it for each node."""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sessile.cluster.configuration import NodeCertificate
from sessile.cluster.peers import NodePeer, is_address
from sessile.core.value import Instant
from sessile.errors import ConfigError
from sessile.wire.private_files import make_private_folder, write_private

AUTHORITY: Final = "authority"

_AUTHORITY_LASTS: Final = dt.timedelta(days=3650)
_NODE_LASTS: Final = dt.timedelta(days=730)
_EARLIER: Final = dt.timedelta(days=1)  # a clock of another host may be behind
_HERE: Final = ("localhost", "127.0.0.1", "::1")  # workers of the same host, by TLS
_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def files_of(folder: Path, name: str) -> NodeCertificate:
    """Return the files of a node, by their names in a folder."""
    return NodeCertificate(
        folder / f"{AUTHORITY}.pem", folder / f"{name}.pem", folder / f"{name}.key"
    )


class CertificateAuthority:
    """An authority, in a folder of its own.

    Args:
        folder: where its certificate and key are, or are to be.
        now: the time.

    Attributes:
        is_new: whether it was made just now.

    Raises:
        ConfigError: its files cannot be read or made.
    """

    def __init__(self, folder: Path, now: Instant) -> None:
        self._folder = folder
        self._now = dt.datetime.fromtimestamp(now, dt.UTC)
        cert, key = folder / f"{AUTHORITY}.pem", folder / f"{AUTHORITY}.key"
        self.is_new = not key.exists()
        if self.is_new:
            if cert.exists():
                raise ConfigError(
                    f"{cert} is here without its key {key.name}: bring the key, or write another "
                    "--folder for a new authority"
                )
            make_private_folder(folder)
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._cert = self._sign_itself()
            _write(key, self._key)
            write_private(cert, self._cert.public_bytes(serialization.Encoding.PEM))
        else:
            self._key, self._cert = _load(cert, key)

    def issue(self, peer: NodePeer) -> NodeCertificate:
        """Make a certificate for a node, in the place of the one that it had.

        The key is new too.
        """
        if peer.name == AUTHORITY:
            raise ConfigError(f"a node cannot be named {AUTHORITY}: its files are the authority's")
        files, key = files_of(self._folder, peer.name), ec.generate_private_key(ec.SECP256R1())
        until = min(self._now + _NODE_LASTS, self._cert.not_valid_after_utc)
        builder = (
            self._builder(_subject(peer.name), key.public_key(), until)
            .add_extension(_names((peer.host, *_HERE)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(  # a node is the server of some routes, and the client of others
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
        )
        _write(files.key, key)
        signed = builder.sign(self._key, hashes.SHA256())
        write_private(files.cert, signed.public_bytes(serialization.Encoding.PEM))
        return files

    def _sign_itself(self) -> x509.Certificate:
        until, name = self._now + _AUTHORITY_LASTS, _subject("sessile nodes")
        builder = self._builder(name, self._key.public_key(), until, issuer=name)
        return (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        until: dt.datetime,
        *,
        issuer: x509.Name | None = None,
    ) -> x509.CertificateBuilder:
        ours = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self._cert.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _EARLIER)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ours), critical=False)
        )


def _load(cert: Path, key: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        found = x509.load_pem_x509_certificate(cert.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"the authority {cert} and {key.name} cannot be read: {error}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{key} is no key that `sessile node cert` has made")
    return private, found


def _write(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(
        path,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*granted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in granted for usage in _USAGES})


def _names(hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.IPAddress(ipaddress.ip_address(host)) if is_address(host) else x509.DNSName(host)
            for host in dict.fromkeys(hosts)
        ]
    )
