"""A proxy before a server: it cuts in the middle of answers, and parts it from everybody."""

import asyncio
import contextlib
from collections import Counter

CUT = 0.003
"""The share of a server's answers that are cut."""

FOLLOWS = b"PSYNC"
"""Says that a replica speaks, whose connection is parted from its primary and not cut."""


class Proxy:
    """One server's.

    Args:
        chance: decides what is cut, and where.
        cut: the share of the answers that are.

    Attributes:
        port: where it listens, once it is started.
        target: the server's port.
        counts: what it did.
    """

    def __init__(self, chance, cut=CUT):
        self.port = self.target = None
        self.counts = Counter()
        self._chance, self._cut = chance, cut
        self._whole = asyncio.Event()
        self._whole.set()
        self._transports = set()

    async def start(self):
        """Listen; return itself."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def part(self, seconds):
        """Hand nothing on for so long; then what was held, late, or nothing of it any more."""
        self.counts["partitions"] += 1
        self._whole.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            if self._chance.random() < 0.5:
                for transport in list(self._transports):
                    transport.abort()
            self._whole.set()

    def stop(self):
        """Listen no more."""
        self._server.close()

    async def _forward(self, reader, writer):
        await self._whole.wait()
        with contextlib.suppress(OSError):
            back, forth = await asyncio.open_connection("127.0.0.1", self.target)
            both = {writer.transport, forth.transport}
            self._transports |= both
            link = _Link()
            try:
                await asyncio.gather(
                    self._pump(reader, forth, link, 0.0), self._pump(back, writer, link, self._cut)
                )
            finally:
                self._transports -= both
                forth.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader, writer, link, cut):
        """Hand on what comes; of an answer, now and then, only a part before the end."""
        while data := await reader.read(1 << 16):
            await self._whole.wait()
            if writer.is_closing():
                break
            link.is_replica |= FOLLOWS in data
            if self._chance.random() < cut and not link.is_replica:
                self.counts["answers cut"] += 1
                writer.write(data[: self._chance.randrange(len(data))])
                break
            writer.write(data)
        raise ConnectionResetError


class _Link:
    """One connection through a proxy."""

    is_replica = False
