"""An LMDB file that threads, event loops and processes use at once."""

import sys
from typing import Final

from sessile.errors import ConfigError

ONLY_LINUX: Final = (
    "lmdb:// needs Linux, whose word it takes that the machine was started anew: write "
    "sqlite:///sessile.db"
)

if sys.platform == "win32":  # what follows cannot even be imported
    raise ConfigError(ONLY_LINUX)
