"""A secret in a file that its owner alone can read. For stores that live on one host."""

import contextlib
import errno
import hmac
import os
import secrets
import stat
from pathlib import Path

from sessile.errors import ConfigError
from sessile.wire.log import log_other_secret


class KeyFile:
    """The key file of one store, and the secret that its process goes by.

    Args:
        path: where it is, or is to be.
        any_mode: whether others may read or replace it, because there are none.
    """

    __slots__ = ("_any_mode", "_secret", "path")

    def __init__(self, path: Path, *, any_mode: bool = False) -> None:
        self.path = path
        self._any_mode = any_mode
        self._secret: bytes | None = None

    def keep(self, fresh: bytes) -> bytes:
        """Return the secret, as ``load_or_create`` does, and remember it."""
        self._secret = load_or_create(self.path, fresh, any_mode=self._any_mode)
        return self._secret

    def restore(self) -> None:
        """Put the file back if it was deleted, so that a process that starts later shares it."""
        if self._secret is None:
            return
        try:
            found = load_or_create(self.path, self._secret, any_mode=self._any_mode)
        except ConfigError:
            found = b""
        if not hmac.compare_digest(found, self._secret):
            log_other_secret(self.path)


def load(path: Path, *, any_mode: bool = False) -> bytes:
    """Return the secret of a file that is there.

    Raises:
        ConfigError: there is none, or it is not to be trusted.
    """
    try:
        return _read(path, any_mode=any_mode)
    except OSError as error:
        raise _unusable(path, error) from error


def load_or_create(path: Path, fresh: bytes, *, any_mode: bool = False) -> bytes:
    """Return the secret of that file; create it with ``fresh`` where there is none.

    Processes that start at once agree on one: the file appears whole or not at all.

    Raises:
        ConfigError: others could read it, it is no plain file or empty, or it cannot be used.
    """
    try:
        if not os.path.lexists(path):
            _create(path, fresh)
    except OSError as error:
        raise _unusable(path, error) from error
    return load(path, any_mode=any_mode)


def _unusable(path: Path, error: OSError) -> ConfigError:
    if error.errno == errno.ELOOP:
        return ConfigError(f"the key file {path} is a symbolic link: move the file itself there")
    return ConfigError(
        f"the key file {path} cannot be used ({error.strerror}): let this user read and write it, "
        "or set SESSILE_SECRETS to what `sessile keygen` prints"
    )


def _create(path: Path, fresh: bytes) -> None:
    """Write a draft and link it: a link never replaces a rival's file, and is never half there."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, fresh)
        os.fsync(file)  # a power cut must not leave sessions without their key
        with contextlib.suppress(FileExistsError):  # the rival's link came first, so theirs counts
            path.hardlink_to(draft)
    finally:
        os.close(file)
        draft.unlink()


def _read(path: Path, *, any_mode: bool) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(file), any_mode=any_mode)
        return os.read(file, 1 << 16)
    finally:
        os.close(file)


def _check(path: Path, found: os.stat_result, *, any_mode: bool) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"the key file {path} is no plain file: move it away")
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not any_mode:
        raise ConfigError(
            f"the key file {path} has mode {mode:04o}, so others can read or replace the secret: "
            f"delete it for a new one, which ends every session, or trust it: chmod 600 {path}"
        )
    if found.st_size == 0:
        raise ConfigError(f"the key file {path} is empty: delete it for a new secret")
