"""Look at a node's certificate before the server does, which says less. ``node`` calls it."""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from sessile.cluster.configuration import NodeCertificate
from sessile.cluster.peers import is_address
from sessile.core.value import Instant
from sessile.errors import ConfigError
from sessile.wire.file_modes import file_modes

_MAKE: Final = "`sessile node cert` makes what is needed"
_BOTH: Final = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def check_certificate(files: NodeCertificate, host: str | None, now: Instant) -> dt.datetime:
    """Return until when a node's certificate is good.

    Args:
        files: of the node.
        host: by which the others reach it; None if none do.
        now: the time.

    Raises:
        ConfigError: one is missing, or would be refused by the others.
    """
    authorities = _load(files.ca)
    cert, *between = _load(files.cert)
    _check_key(files, cert)
    if not between and not any(_has_issued(authority, cert) for authority in authorities):
        raise ConfigError(f"{files.cert} is no certificate of the authority {files.ca}; {_MAKE}")
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    for path, one in ((files.cert, cert), *((files.ca, each) for each in authorities[:1])):
        if moment > one.not_valid_after_utc:
            raise ConfigError(f"{path} was good until {one.not_valid_after_utc:%Y-%m-%d}; {_MAKE}")
        if moment < one.not_valid_before_utc:
            begins = f"{one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            raise ConfigError(f"{path} is good from {begins} on: look at the clock of this host")
    if host is not None:
        _check_name(files.cert, cert, host)
        _check_usage(files.cert, cert)
    return cert.not_valid_after_utc


def _load(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"the certificate {path} cannot be read: {error.strerror}; {_MAKE}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is no certificate in PEM: {error}") from error


def _check_key(files: NodeCertificate, cert: x509.Certificate) -> None:
    try:
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except OSError as error:
        raise ConfigError(
            f"the key {files.key} cannot be read: {error.strerror}; {_MAKE}"
        ) from error
    except (ValueError, TypeError):  # whose text may say more than it should
        raise ConfigError(f"{files.key} is no key in PEM, or has a password") from None
    if key.public_key() != cert.public_key():
        raise ConfigError(f"{files.key} is not the key of {files.cert}")
    for mode in file_modes([files.key]):
        if "everybody" in (*mode.readers, *mode.writers):
            raise ConfigError(f"everybody on this host can read {files.key}: chmod 600 {files.key}")


def _has_issued(authority: x509.Certificate, cert: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_name(path: Path, cert: x509.Certificate, host: str) -> None:
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ConfigError(f"{path} names no host: it needs {host} among its names") from None
    hosts = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    hosts += names.get_values_for_type(x509.DNSName)
    wanted = str(ipaddress.ip_address(host)) if is_address(host) else host
    if wanted not in hosts and f"*.{host.partition('.')[2]}" not in hosts:
        raise ConfigError(
            f"{path} is not for {host}, by which the others reach this node, but for "
            f"{', '.join(hosts)}; {_MAKE}"
        )


def _check_usage(path: Path, cert: x509.Certificate) -> None:
    try:
        usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if any(one not in usage for one in _BOTH):
        raise ConfigError(f"{path} is not for servers and clients both, as a node's has to be")
