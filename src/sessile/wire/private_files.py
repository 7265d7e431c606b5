"""Files and folders for the eyes of their owner alone. ``cluster`` keeps its own in them.

``wire.keyfile`` is about one that is never written twice.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from sessile.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows, where other commands run
    fcntl = None  # type: ignore[assignment]


def make_private_folder(path: Path) -> None:
    """Make a folder with mode 0700, where there is none.

    Raises:
        ConfigError: it cannot be made, or not be written.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {path} cannot be made: {error.strerror}") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"this user cannot write in {path}: chown it to the user who runs this, or write "
            "--folder with another one"
        )


def check_private_folder(path: Path) -> None:
    """Do nothing if a folder is ours, and nobody else may enter it.

    Raises:
        ConfigError: it is somebody else's, or open to others.
    """
    found = path.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"others may enter the folder {path}, and secrets are kept there: chmod 700 {path}"
        )


def write_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600, whole or not at all, in the place of what was there.

    Raises:
        ConfigError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(file, "wb") as handle:
                handle.write(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def lock_folder(path: Path, holder: str) -> Iterator[int]:
    """Hold the lock of a folder; give the open file that has it.

    Whoever inherits the file holds the lock too, until all have ended.

    Args:
        path: the folder.
        holder: who has it, for the error.

    Raises:
        ConfigError: somebody else holds it.
    """
    if fcntl is None:
        raise ConfigError(f"{holder} locks its folder, which needs Linux or macOS")
    try:
        handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{path / 'lock'} cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{holder} runs in {path} already: stop that one, or write another --folder"
            ) from None
        yield handle
    finally:
        os.close(handle)
