"""Certificates for servers that speak TLS, from an authority that nobody trusts unless told to."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Certificate:
    """A certificate and its key, in PEM.

    Attributes:
        file: the certificate's path.
        key: the key's path.
    """

    def __init__(self, folder, name, made, key):
        self.file, self.key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        Path(self.file).write_bytes(made.public_bytes(serialization.Encoding.PEM))
        Path(self.key).write_bytes(private)


class Authority:
    """A certificate authority that nobody trusts unless told to.

    Args:
        folder: where it keeps its files.
        name: what it calls itself.

    Attributes:
        file: its own certificate's path, for whoever shall trust it.
    """

    def __init__(self, folder, name="authority"):
        self._folder, self._name = Path(folder), x509.Name.from_rfc4514_string(f"CN={name}")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued = {}
        made = self._builder(self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(_SIGNS, critical=True)  # Python 3.13 verifies strictly
        signed = made.sign(self._key, hashes.SHA256())
        self.file = Certificate(self._folder, name, signed, self._key).file

    def issue(self, host):
        """Return the certificate of a host, the same one when asked again."""
        if host not in self._issued:
            key = ec.generate_private_key(ec.SECP256R1())
            names = x509.SubjectAlternativeName([_name(host)])
            subject = x509.Name.from_rfc4514_string(f"CN={host}")
            made = self._builder(subject, key.public_key()).add_extension(names, critical=False)
            signed = made.sign(self._key, hashes.SHA256())
            self._issued[host] = Certificate(self._folder, host, signed, key)
        return self._issued[host]

    def _builder(self, subject, public_key):
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )


def _name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
