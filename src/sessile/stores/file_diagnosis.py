"""What ``sessile doctor`` looks at beside a file: who else can read or change it.

For ``sqlite`` and ``lmdb``.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sessile.stores.finding import Finding, fine, note, wrong
from sessile.wire.file_modes import FileMode, file_modes


def diagnose(path: Path, key_file: Path, *, beside: Iterable[str]) -> list[Finding]:
    """Look at the modes of the file, what is kept beside it, its key, and the folder.

    Args:
        path: the file.
        key_file: with its secret.
        beside: how the names of the others end.
    """
    files = file_modes([path, key_file])
    others = file_modes([path.with_name(f"{path.name}{end}") for end in beside])
    files += [one for one in others if one.mode != files[0].mode]  # else one line speaks for all
    found = [
        *(one for file in files for one in _judge_file(file)),
        *(one for folder in file_modes([path.parent]) for one in _judge_folder(folder)),
    ]
    return found or [fine("files", "no other user of this host can read or change them")]


def _judge_file(file: FileMode) -> Iterator[Finding]:
    where = f"{file.path} has mode {file.mode}"
    if file.writers:
        yield wrong(
            "files",
            f"{where}: {' and '.join(file.writers)} can change sessions; write "
            f"chmod 600 {file.path}",
        )
    elif file.readers:
        yield note(
            "files",
            f"{where}: {' and '.join(file.readers)} can read what sessions hold (no ticket); write "
            f"chmod 600 {file.path}",
        )
    if file.owner is not None:
        yield note("files", f"{file.path} belongs to user {file.owner}, who can do anything to it")


def _judge_folder(folder: FileMode) -> Iterator[Finding]:
    """A folder may be read; whoever can write it can put another file in the place of ours."""
    if folder.writers:
        yield note(
            "files",
            f"{folder.path} has mode {folder.mode}: {' and '.join(folder.writers)} can put another "
            f"file in its place; write chmod go-w {folder.path}",
        )
    if folder.owner is not None:
        yield note("files", f"{folder.path} belongs to user {folder.owner}, who can do the same")
