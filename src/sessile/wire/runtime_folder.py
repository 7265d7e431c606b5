"""The folder of this user for files that are lost when the machine stops: they are memory.

It is that of ``XDG_RUNTIME_DIR``, which systemd gives to whoever is logged in, else one in
``/dev/shm``, where everybody may make folders: so it is looked at whose it is.
"""

import os
import stat
import sys
from pathlib import Path

from sessile.errors import ConfigError
from sessile.wire import system

VARIABLE = "XDG_RUNTIME_DIR"


def runtime_folder() -> Path:
    """Return the folder, which is made if there is none.

    Raises:
        ConfigError: it cannot be made, or is not for this user alone.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigError("there is memory in files on Linux alone: leave mirror=host out")
    given = system.setting(VARIABLE)
    home = Path("/dev/shm") if given is None else Path(given)  # noqa: S108
    folder = home / (f"sessile-{os.getuid()}" if given is None else "sessile")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made: {error.strerror}; set {VARIABLE} to a folder "
            "that is memory, as of tmpfs, and this user's"
        ) from error
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_ours or stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{folder} is not for this user alone, and sessions are kept there: remove it, or "
            f"set {VARIABLE} to a folder of this user's"
        )
    return folder
