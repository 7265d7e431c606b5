"""Rendezvous hashing: which of several servers something belongs to, the same on every host."""

from collections.abc import Sequence
from hashlib import blake2b


def rendezvous(address: str, names: Sequence[str]) -> str:
    """Return the highest bidder for an address.

    Each name bids independently of the others, so taking one away moves only what it had won.
    """
    return max(names, key=lambda name: blake2b(f"{address}\0{name}".encode()).digest())
