"""Asks one node how the streams are, over a connection that no wire of the demo is part of."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from sessile.core.value import Seconds
from sessile.demo.fleet.port import LOOPBACK
from sessile.demo.nodes.status import PREFIX, StreamStatus
from sessile.wire.nats.connection import NatsConnection, NoResponders
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.messages import Answer, StreamInfo, StreamNames

A = TypeVar("A", bound=Answer)

_LIMIT: Final[Seconds] = 1.0


class NodeObserver:
    """Whoever looks at one node.

    Args:
        port: where it takes workers.
        user: name and password.
        bucket: whose streams are looked at.

    Attributes:
        streams: what the node said when it was asked last.
        names: of the streams, where it knew them.
        has_leader: whether anybody answers for all nodes.
    """

    def __init__(self, port: int, user: tuple[str, str], bucket: str) -> None:
        self._host = LOOPBACK, port
        username, password = user
        self._endpoint = NatsEndpoint("a node of the demo", username=username, password=password)
        self._stream = PREFIX + bucket
        self._connection: NatsConnection | None = None
        self.streams: tuple[StreamStatus, ...] = ()
        self.names: tuple[str, ...] = ()
        self.has_leader = False

    @property
    def is_there(self) -> bool:
        """Whether the node takes connections."""
        return self._connection is not None and self._connection.is_open

    async def look(self, known: Collection[str]) -> None:
        """Ask the node.

        Args:
            known: names of streams that it may not know the names of just now.
        """
        if not self.is_there:
            await self.close()
            with suppress(ConnectionError):
                self._connection = await NatsConnection.open(self._endpoint, self._host)
        found = await self._ask("STREAM.NAMES", StreamNames)
        self.has_leader = found is not None and found.error is None
        if found is not None and self.has_leader:
            self.names = tuple(sorted(filter(self._is_ours, found.streams or ())))
        told = await asyncio.gather(
            *(self._ask(f"STREAM.INFO.{name}", StreamInfo) for name in {*self.names, *known})
        )
        streams = [StreamStatus.of(info) for info in told if info is not None]
        self.streams = tuple(
            sorted((one for one in streams if one is not None), key=lambda one: one.name)
        )

    async def close(self) -> None:
        """Hang up."""
        self.streams, self.names, self.has_leader = (), (), False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _is_ours(self, name: str) -> bool:
        return name.startswith(self._stream)

    async def _ask(self, verb: str, kind: type[A]) -> A | None:
        """Return the answer; None for none: there is no leader to answer."""
        if self._connection is None:
            return None
        with suppress(NoResponders, OSError):
            told = await self._connection.ask(f"$JS.API.{verb}", b"", None, _LIMIT)
            return msgspec.json.decode(told.data, type=kind)
        return None
