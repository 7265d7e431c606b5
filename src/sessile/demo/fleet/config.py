"""A server process's configuration, in its environment. ``process`` writes, ``child`` reads."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import msgspec

_NAME: Final = "SESSILE_DEMO_SERVER"


class ServerConfig(msgspec.Struct, frozen=True):
    """One server's configuration. Where sessions are kept stands beside it, in ``SESSILE_URL``.

    Attributes:
        name: what the page calls it.
        port: where it listens, on the loopback address.
        folder: holds the files that all servers share.
        has_nodes: whether the store is on nodes that the demo runs.
    """

    name: str
    port: int
    folder: str
    has_nodes: bool = False

    @property
    def database(self) -> Path:
        """The file with the user table, and all else that is no session."""
        return Path(self.folder) / "users.db"

    @property
    def naive(self) -> Path:
        """The file of the naive sessions."""
        return Path(self.folder) / "naive.db"

    @property
    def switch(self) -> Path:
        """The file that stops the store."""
        return Path(self.folder) / "store.stopped"

    @classmethod
    def from_environ(cls) -> Self:
        """Return the configuration this process was started with."""
        return msgspec.json.decode(os.environ[_NAME], type=cls)

    def environ(self, common: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a process with this configuration."""
        return {**common, _NAME: msgspec.json.encode(self).decode()}
