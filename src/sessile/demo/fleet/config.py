"""A server process's configuration, in its environment. ``process`` writes, ``child`` reads."""

import os
from collections.abc import Mapping
from typing import Final, Self

import msgspec

_NAME: Final = "SESSILE_DEMO_SERVER"


class ServerConfig(msgspec.Struct, frozen=True):
    """One server's configuration. Where sessions are kept stands beside it, in ``SESSILE_URL``.

    Attributes:
        name: what the page calls it.
        port: where it listens, on the loopback address.
        users: the file with the user table and the alarms.
    """

    name: str
    port: int
    users: str

    @classmethod
    def from_environ(cls) -> Self:
        """Return the configuration this process was started with."""
        return msgspec.json.decode(os.environ[_NAME], type=cls)

    def environ(self, common: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a process with this configuration."""
        return {**common, _NAME: msgspec.json.encode(self).decode()}
