"""One HTTP/1.1 connection: h11 over an asyncio stream. ``fault`` names how it can fail.

The same class serves both sides. Reading is bounded by the stream's buffer and writing by
``drain``, so a slow reader slows the writer at the other end of the balancer, and no more than a
few hundred kilobytes of a body are ever here.
"""

import asyncio
from contextlib import suppress

import h11

from sessile.balance.fault import Fault, PeerFailed, Side
from sessile.balance.limits import BalancerLimits

_CHUNK = 64 * 1024
_ANSWER_HEAD = 256 * 1024  # a server is trusted with more header than a client
_LINGER = 1.0
_BEFORE_RESPONSE = (h11.IDLE, h11.SEND_RESPONSE)
_MESSAGE_ENDED = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)


class Peer:
    """A client or a server at the other end of a connection.

    Attributes:
        reused: whether the connection carried an earlier exchange.
        has_sent: whether the peer has sent anything of the present exchange.
        closing: whether the connection is to close after the present exchange.
        last_active: when bytes last went either way, on the event loop's clock.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        side: Side,
        limits: BalancerLimits,
    ) -> None:
        role, head = (
            (h11.SERVER, limits.head) if side is Side.CLIENT else (h11.CLIENT, _ANSWER_HEAD)
        )
        self.side = side
        self.reused = False
        self.has_sent = False
        self.closing = False
        self._http = h11.Connection(role, max_incomplete_event_size=head)
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._failure: PeerFailed | None = None
        self.last_active = self._clock()

    @property
    def is_sending(self) -> bool:
        """Return whether the peer still owes some of its message, or broke it off."""
        return self._http.their_state in (h11.SEND_BODY, h11.ERROR)

    @property
    def is_unanswered(self) -> bool:
        """Return whether a final answer to this client can still be begun."""
        return self._http.our_state in _BEFORE_RESPONSE

    @property
    def has_switched(self) -> bool:
        """Return whether the connection has changed to another protocol."""
        return self._http.our_state is h11.SWITCHED_PROTOCOL

    def fail(self, fault: Fault, *, hint: int = 400) -> PeerFailed:
        """Return the failure of this peer, to be raised."""
        return PeerFailed(self.side, fault, hint=hint)

    # Messages

    async def request(self) -> h11.Request | None:
        """Return the client's next request; None if it was not begun in time.

        Raises:
            PeerFailed: the client left, or began something that is no request.
        """
        try:
            async with asyncio.timeout(self._limits.idle) as timer:
                while not (event := self._next()):
                    if self._failure:
                        raise self._failure
                    await self._fill(None)
        except TimeoutError as error:
            if timer.expired() and not self._http.trailing_data[0]:
                return None
            raise self.fail(Fault.SILENT) from error
        return event if isinstance(event, h11.Request) else None

    async def receive(self, silence: float | None = None) -> list[h11.Event]:
        """Wait for at least one event and return all that have arrived.

        Args:
            silence: seconds without a byte in either direction after which the peer has failed.
        """
        while not (events := self.ready()):
            await self._fill(silence)
        return events

    def ready(self) -> list[h11.Event]:
        """Return the events of this message that have arrived already; none is no error."""
        events: list[h11.Event] = []
        while self._http.their_state not in _MESSAGE_ENDED and (event := self._next()):
            events.append(event)
        if self._failure and not events:  # what came before a breach is still good
            raise self._failure
        return events

    async def send(self, *events: h11.Event) -> None:
        """Send events in one write, and wait while the peer is slow to take them."""
        try:
            data = b"".join(self._http.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise self.fail(Fault.PROTOCOL) from error
        await self.write(data)

    def recycle(self) -> bool:
        """Prepare for the next exchange; False if the connection cannot carry one."""
        # What a server says unasked must not become the answer to the next request.
        unasked = self.side is Side.SERVER and self._http.trailing_data != (b"", False)
        if unasked or self._writer.is_closing():
            return False
        try:
            self._http.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        self.reused, self.has_sent = True, False
        return not self.closing

    def _next(self) -> h11.Event | None:
        """Return the next event; None if there is none yet, or none any more after a failure."""
        try:
            event = None if self._failure else self._http.next_event()
        except h11.RemoteProtocolError as error:
            ended = self._http.trailing_data[1]
            fault = Fault.CLOSED if ended else Fault.PROTOCOL
            self._failure = self.fail(fault, hint=error.error_status_hint)
            self._failure.__cause__ = error
            return None
        if isinstance(event, h11.ConnectionClosed):  # h11 would repeat it for ever
            self._failure = self.fail(Fault.CLOSED)
            return None
        return event if isinstance(event, h11.Event) else None

    async def _fill(self, silence: float | None) -> None:
        data = await self.read(silence)
        self.has_sent = self.has_sent or bool(data)
        self._http.receive_data(data)

    # Bytes

    async def read(self, silence: float | None = None) -> bytes:
        """Return the next bytes; none means that the peer has finished."""
        while True:
            try:
                until = None if silence is None else self.last_active + silence
                async with asyncio.timeout_at(until) as timer:
                    data = await self._reader.read(_CHUNK)
            except OSError as error:
                if not timer.expired():
                    raise self.fail(Fault.CLOSED) from error
                if self._clock() - self.last_active >= (silence or 0):
                    raise self.fail(Fault.SILENT) from error
            else:
                self.last_active = self._clock()
                return data

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the peer is slow to take them."""
        if not data:
            return
        try:
            async with asyncio.timeout(self._limits.stall) as timer:
                self._writer.write(data)
                await self._writer.drain()
        except (OSError, RuntimeError) as error:  # uvloop raises this once a connection is gone
            raise self.fail(Fault.SILENT if timer.expired() else Fault.CLOSED) from error
        self.last_active = self._clock()

    def trailing_data(self) -> bytes:
        """Return the bytes that arrived behind the last message, as after a change of protocol."""
        return self._http.trailing_data[0]

    async def watch(self) -> None:
        """Return when the peer says more.

        Raises:
            PeerFailed: it left instead. One that closes only its sending half counts as gone:
                the two cannot be told apart, and an abandoned request should not run on.
        """
        data = await self.read()
        self._http.receive_data(data)
        if not data:
            raise self.fail(Fault.CLOSED)

    # Ends

    def finish(self) -> None:
        """Say that nothing more will be sent; the peer may go on."""
        with suppress(OSError):
            self._writer.write_eof()

    def abort(self) -> None:
        """Drop the connection at once. What was not sent is lost."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection when all that was sent has left."""
        with suppress(OSError):
            if self.is_sending:
                await self._linger()
            async with asyncio.timeout(self._limits.stall):
                self._writer.close()
                await self._writer.wait_closed()
        self.abort()

    async def _linger(self) -> None:
        """Read on for a moment: closing over unread data resets, and loses what we sent last."""
        self.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await self._reader.read(_CHUNK):
                    pass
