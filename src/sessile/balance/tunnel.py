"""Carry bytes both ways after a change of protocol. ``forwarder`` opens it after a 101."""

import asyncio
from contextlib import suppress

from sessile.balance.fault import PeerFailed
from sessile.balance.peer import Peer


async def tunnel(one: Peer, other: Peer, *, silence: float) -> None:
    """Carry bytes until both ends have finished, or either is gone.

    An end that finishes sending may still receive; then the other has ``silence`` seconds at most
    between two pieces, so that an end that never finishes is not waited for.
    """
    pumps = {
        asyncio.create_task(_pump(one, other)),
        asyncio.create_task(_pump(other, one)),
    }
    try:
        done, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        while left and all(pump.result() for pump in done) and _is_active(one, other, silence):
            done, left = await asyncio.wait(left, timeout=silence)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: Peer, sink: Peer) -> bool:
    """Carry bytes one way; return whether the source finished in good order."""
    with suppress(PeerFailed):
        await sink.write(source.trailing_data())
        while data := await source.read():
            await sink.write(data)
        sink.finish()
        return True
    return False


def _is_active(one: Peer, other: Peer, silence: float) -> bool:
    now = asyncio.get_running_loop().time()
    return now - max(one.last_active, other.last_active) < silence
