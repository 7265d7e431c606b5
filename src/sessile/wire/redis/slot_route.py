"""What of a command decides which node of a Redis Cluster performs it, and what came of it."""

import asyncio
from typing import Any

import msgspec

from sessile.errors import StoreUnavailable


class SlotRoute(msgspec.Struct, eq=False):
    """The way of one command. ``redis.cluster`` makes it, ``redis.reroute`` changes it.

    Attributes:
        slot: of its keys.
        tells_split: whether who asks is told that its keys are at two nodes for now.
        is_large: whether it goes where small commands need not wait behind it.
        is_acked: whether a WAIT goes directly behind it.
        hops: how often a node sent it to another.
        acks: the reply to the WAIT behind it, on the node that it went to last.
        is_watched: whether a timer of its own has it fail in time.
        cause: the error for who asked, should nothing better come of it.
    """

    slot: int
    tells_split: bool = False
    is_large: bool = False
    is_acked: bool = False
    hops: int = 0
    acks: "asyncio.Future[Any] | None" = None
    is_watched: bool = False
    cause: StoreUnavailable | None = None
