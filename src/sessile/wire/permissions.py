"""Refuse files that everybody on this host can change, or that this user cannot.

``wire.keyfile`` checks its own file.
"""

import os
import stat
from pathlib import Path
from typing import Final

from sessile.errors import ConfigError

_KNOWN: Final = (
    "; where nobody else has a login here, as in a container or under WSL, say so: write "
    "?world-writable=yes behind the URL"
)


def place_of(path: Path, example: str, *, world_writable: bool) -> Path:
    """Return the absolute path of a store's file, which is there or may be made.

    Args:
        path: as it was given.
        example: the name of a file, for the error.
        world_writable: whether everybody on this host may change it.

    Raises:
        ConfigError: it has no folder, is one, or everybody may change it.
    """
    place = path.absolute()
    if not place.parent.is_dir():
        raise ConfigError(f"the folder {place.parent} does not exist: make it, or write another")
    if place.is_dir():
        raise ConfigError(f"{place} is a folder: write a file in it, as in {place / example}")
    if not world_writable:
        refuse_world_writable(place)
    return place


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


def refuse_missing_rights(path: Path, beside: list[Path]) -> None:
    """Refuse a file, with those beside it, that this user cannot make, read and write.

    Raises:
        ConfigError: it would fail at the first call.
    """
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(
            f"this user cannot write in {path.parent}, where files beside {path.name} are made: "
            f"chown it to the application's user, or write a path in a folder of its own"
        )
    for file in (path, *beside):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise ConfigError(
                f"this user cannot read and write {file}: chown it to the application's user"
            )
