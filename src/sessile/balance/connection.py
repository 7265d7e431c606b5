"""One client's connection, from its first request to its last. ``forwarder`` answers each."""

from sessile.balance.fault import PeerFailed
from sessile.balance.forwarder import Forwarder, IncomingRequest, send_failure
from sessile.balance.peer import Peer


class ClientConnection:
    """A connection that a client opened.

    Args:
        client: the connection.
        forwarder: answers its requests.
        address: the client's.
        own: the ``host:port`` the client connected to.
    """

    def __init__(self, client: Peer, forwarder: Forwarder, *, address: str, own: str) -> None:
        self._client = client
        self._forwarder = forwarder
        self._address = address
        self._own = own
        self._is_answering = False

    async def run(self) -> None:
        """Answer requests until either side closes."""
        try:
            while await self._serve_request():
                pass
            await self._client.close()
        except PeerFailed:
            pass  # the client is gone: nobody can be answered
        finally:
            self._client.abort()

    def shutdown(self) -> bool:
        """Make the present answer the last one; return whether there is one to wait for.

        A tunnel has no end of its own, so it is not waited for.
        """
        self._client.closing = True
        return self._is_answering and not self._client.has_switched

    async def _serve_request(self) -> bool:
        """Answer one request; return whether there may be another."""
        try:
            request = await self._client.request()
        except PeerFailed as failed:
            await send_failure(self._client, failed, None)
            return False
        if request is None:
            return False
        self._is_answering = True
        await self._forwarder.answer(
            IncomingRequest(self._client, request, self._address, self._own)
        )
        self._is_answering = False
        return self._client.recycle()
