"""RESP, Redis's protocol: commands to bytes, bytes to replies. Both colours' connections use it."""

from collections.abc import Callable
from typing import Final, cast

import hiredis

from sessile.wire.redis.endpoint import CommandError, Endpoint, Words
from sessile.wire.redis.opaque import Opaque

pack: Final = cast("Callable[[Words], bytes]", hiredis.pack_command)
"""Encode a command. Whoever keeps it makes it ``Opaque``."""

INCOMPLETE: Final = object()
"""What a reader gives until a reply is whole."""

NOT_REDIS: Final = "its answer is not the Redis protocol"

ProtocolError: Final = hiredis.ProtocolError


def new_reader() -> hiredis.Reader:
    """Return a reader of replies, which gives errors as ``CommandError`` and raises none."""
    return hiredis.Reader(replyError=CommandError, notEnoughData=INCOMPLETE)


def handshake(endpoint: Endpoint) -> list[Opaque]:
    """Return the commands that are answered before any other is sent, packed.

    RESP2: to ask for RESP3 takes a HELLO, and it has nothing that we use.
    """
    packed = []
    if endpoint.password is not None:
        user = () if endpoint.username is None else (endpoint.username,)
        packed.append(Opaque(pack(("AUTH", *user, endpoint.password))))
    if endpoint.db:
        packed.append(Opaque(pack(("SELECT", endpoint.db))))
    return packed
