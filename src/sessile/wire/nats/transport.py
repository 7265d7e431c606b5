"""nats-py's socket, which is left open by nobody. ``wire.nats.connection``."""

import asyncio
import ssl
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport


class NatsTransport(TcpTransport):
    """The socket of one connection.

    nats-py closes it after it has waited for other things, and not at all where it is cancelled
    meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,  # noqa: ARG002  (the reader stays the same)
        connect_timeout: int,
    ) -> None:
        """Speak TLS from now on; ``uri`` has the name of the server.

        By the stream's own way: over one that nats-py makes asyncio logs a warning at each end.
        """
        if self._io_writer is None:
            raise ConnectionError("there is no connection")
        name = uri if isinstance(uri, str) else uri.hostname
        async with asyncio.timeout(connect_timeout):
            await self._io_writer.start_tls(ssl_context, server_hostname=name)

    def abort(self) -> None:
        """Close it at once, whatever has not been sent."""
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    def __bool__(self) -> bool:
        return True  # else nats-py takes one of its own
