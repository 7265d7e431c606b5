"""A server process's task, as it stands in its environment. ``process`` writes, ``child`` reads."""

import os
from collections.abc import Mapping
from typing import Final, Self

import msgspec

_NAME: Final = "SESSILE_DEMO_SERVER"


class Task(msgspec.Struct, frozen=True):
    """One server's part. Where sessions are kept stands beside it, in ``SESSILE_URL``.

    Attributes:
        name: what the page calls it.
        port: where it listens, on the loopback address.
        users: the file with the user table and the alarms.
    """

    name: str
    port: int
    users: str

    @classmethod
    def inherited(cls) -> Self:
        """Return the task this process was started with."""
        return msgspec.json.decode(os.environ[_NAME], type=cls)

    def environ(self, common: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a process with this task."""
        return {**common, _NAME: msgspec.json.encode(self).decode()}
