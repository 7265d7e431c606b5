"""One client's connection, from its first request to its last. ``carrier`` answers each."""

from sessile.balance.carrier import Call, Carrier, excuse
from sessile.balance.fault import PeerFailed
from sessile.balance.peer import Peer


class Visit:
    """A connection that a client opened.

    Args:
        client: the connection.
        carrier: answers its requests.
        address: the client's.
        own: the ``host:port`` the client connected to.
    """

    def __init__(self, client: Peer, carrier: Carrier, *, address: str, own: str) -> None:
        self._client = client
        self._carrier = carrier
        self._address = address
        self._own = own
        self._is_answering = False

    async def run(self) -> None:
        """Answer requests until either side has had enough."""
        try:
            while await self._once():
                pass
            await self._client.close()
        except PeerFailed:
            pass  # nobody is left to be told
        finally:
            self._client.abort()

    def leave(self) -> bool:
        """Ask that the present answer be the last; return whether there is one to wait for.

        A tunnel has no end of its own, so it is not waited for.
        """
        self._client.leaving = True
        return self._is_answering and not self._client.has_switched

    async def _once(self) -> bool:
        """Answer one request; return whether there may be another."""
        try:
            request = await self._client.request()
        except PeerFailed as failed:
            await excuse(self._client, failed, None)
            return False
        if request is None:
            return False
        self._is_answering = True
        await self._carrier.answer(Call(self._client, request, self._address, self._own))
        self._is_answering = False
        return self._client.recycle()
