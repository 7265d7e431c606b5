"""A wire between two hosts: a port that leads to another one, and can be cut. For ``hosts``.

A wire that is cut lets nothing through and says nothing: no end is told, as when a switch dies.
What was under way comes through once it is mended, or never.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Final

from sessile.demo.fleet.port import LOOPBACK

_CHUNK: Final = 1 << 16


class HostWire:
    """One way from a host to a port of another one.

    Args:
        target: the port that it leads to.

    Attributes:
        port: where it begins.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Lead whoever comes to the other end, from now on."""
        self._server = await asyncio.start_server(self._take, sock=self._socket)

    def cut(self) -> None:
        """Let nothing through."""
        self._whole.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self._whole.set()

    async def close(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for call in self._calls:
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.create_task(self._lead(reader, writer))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways, until either end hangs up."""
        ends = [writer]
        try:
            await self._whole.wait()
            there, back = await asyncio.open_connection(LOOPBACK, self._target)
            ends.append(back)
            ways = [
                asyncio.create_task(self._carry(*way)) for way in ((reader, back), (there, writer))
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.wait(ways)
        except OSError:  # nobody listens at the other end
            pass
        finally:
            for end in ends:
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
            await self._whole.wait()  # nor is an end told through a wire that is cut
