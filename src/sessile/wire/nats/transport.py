"""nats-py's socket, which is left open by nobody. ``wire.nats.connection``."""

from nats.aio.transport import TcpTransport


class NatsTransport(TcpTransport):
    """The socket of one connection.

    nats-py closes it after it has waited for other things, and not at all where it is cancelled
    meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """Close it at once, whatever has not been sent."""
        for writer in (self._io_writer, self._bare_io_writer):  # by TLS, and without
            if writer is not None:
                writer.transport.abort()

    def __bool__(self) -> bool:
        return True  # else nats-py takes one of its own
