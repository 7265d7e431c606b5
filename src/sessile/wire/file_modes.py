"""Who else on this host can read or change a file. ``wire.permissions`` refuses the worst of it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_READ = ((stat.S_IRGRP, "its group"), (stat.S_IROTH, "everybody"))
_WRITE = ((stat.S_IWGRP, "its group"), (stat.S_IWOTH, "everybody"))


@dataclass(frozen=True, slots=True)
class FileMode:
    """What the mode of a file or folder allows to others than this user.

    Attributes:
        path: which.
        mode: in octal digits, as ``chmod`` takes it.
        readers: who can read it besides its owner.
        writers: who can change it besides its owner, or in a folder replace its files.
        owner: the number of another user that it belongs to; None where it is ours.
    """

    path: Path
    mode: str
    readers: tuple[str, ...]
    writers: tuple[str, ...]
    owner: int | None


def file_modes(paths: list[Path]) -> list[FileMode]:
    """Look at those of the paths that exist; at none where modes mean nothing."""
    if os.name != "posix":
        return []
    return [_file_mode(path, path.stat()) for path in paths if path.exists()]


def _file_mode(path: Path, found: os.stat_result) -> FileMode:
    mode = found.st_mode
    readers = tuple(who for bit, who in _READ if mode & bit)
    writers = tuple(who for bit, who in _WRITE if mode & bit and not _is_sticky(mode))
    owner = None if found.st_uid in (os.geteuid(), 0) else found.st_uid
    return FileMode(path, f"{stat.S_IMODE(mode):04o}", readers, writers, owner)


def _is_sticky(mode: int) -> bool:
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)
