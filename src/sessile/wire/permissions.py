"""Refuse files that everybody on this host can change. ``wire.keyfile`` checks its own file."""

import os
import stat
from pathlib import Path
from typing import Final

from sessile.errors import ConfigError

_KNOWN: Final = (
    "; where nobody else has a login here, as in a container or under WSL, say so: write "
    "?world-writable=yes behind the URL"
)


def refuse_world_writable(path: Path) -> None:
    """Refuse a file that every user of the host can write, or replace in its folder.

    A folder with the sticky bit, as ``/tmp`` has, lets only its owner replace a file.

    Raises:
        ConfigError: whoever has a login here could write sessions, and so be anybody.
    """
    if os.name != "posix":
        return
    folder = path.parent.stat().st_mode
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        raise ConfigError(
            f"anybody on this host can replace {path}: chmod o-w {path.parent}, "
            f"or keep the file in a folder of its own{_KNOWN}"
        )
    if path.exists() and path.stat().st_mode & stat.S_IWOTH:
        raise ConfigError(f"anybody on this host can write {path}: chmod o-w {path}{_KNOWN}")
