"""A server's end of the channel to its parent: a socket pair, handed down as standard input.

It has no address, so nobody else can send the parent commands: no browser, no other user of the
machine. When it breaks the parent is gone. ``process`` holds the other end.
"""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from typing import Self

from sessile.demo.fleet.message import VIEWS, FleetCommand, FleetView, encode


class ParentChannel:
    """Sends commands up; a view of the fleet comes down for each, in the same order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: deque[asyncio.Future[FleetView]] = deque()

    @classmethod
    async def from_stdin(cls) -> Self:
        """Return the channel this process was started with."""
        return cls(*await asyncio.open_unix_connection(sock=socket.socket(fileno=0)))

    async def ask(self, command: FleetCommand) -> FleetView:
        """Send a command and return the fleet as it is then."""
        answer: asyncio.Future[FleetView] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._writer.write(encode(command))
        return await answer

    async def listen(self) -> None:
        """Hand out answers until the parent is gone."""
        with suppress(ConnectionError):  # it was killed, and had not read all that we sent
            while text := await self._reader.readline():
                answer = self._waiting.popleft()
                if not answer.done():  # whoever asked may have been cancelled
                    answer.set_result(VIEWS.decode(text))
