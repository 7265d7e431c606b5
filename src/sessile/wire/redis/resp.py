"""RESP, Redis's protocol: commands to bytes, bytes to replies. Both colours' connections use it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, cast

import hiredis

from sessile.wire.commands.server import INCOMPLETE, CommandError, Language, ProtocolError
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import ERROR_REPLIES, NOT_PRIMARY, Endpoint, Words

pack: Final = cast("Callable[[Words], bytes]", hiredis.pack_command)
"""Encode a command. Whoever keeps it makes it ``Opaque``."""


def new_reader() -> hiredis.Reader:
    """Return a reader of replies, which gives errors as ``CommandError`` and raises none."""
    return hiredis.Reader(
        protocolError=ProtocolError, replyError=CommandError, notEnoughData=INCOMPLETE
    )


RESP: Final = Language(
    name="Redis",
    store="Redis store",
    new_reader=new_reader,
    answers=ERROR_REPLIES,
    farewells=NOT_PRIMARY,
)
"""How a server is spoken to that is asked for no handshake, as a Sentinel."""


def language_of(endpoint: Endpoint) -> Language:
    """Return how a server is spoken to."""
    return replace(RESP, handshake=partial(handshake, endpoint), check_greeting=refuse_replica)


def handshake(endpoint: Endpoint) -> list[Opaque]:
    """Return the commands that are answered before any other is sent, packed.

    RESP2: RESP3 has nothing that we use. ``refuse_replica`` looks at each answer.
    """
    packed = []
    if endpoint.password is not None:
        user = () if endpoint.username is None else (endpoint.username,)
        packed.append(Opaque(pack(("AUTH", *user, endpoint.password))))
    if endpoint.db:
        packed.append(Opaque(pack(("SELECT", endpoint.db))))
    if endpoint.sentinels is not None:
        packed.append(Opaque(pack(("HELLO", 2))))  # unlike ROLE and INFO no access list forbids it
    return packed


def refuse_replica(reply: object) -> None:
    """Do nothing unless an answer to HELLO says that the server is none to write to.

    A Sentinel may know less than the server: https://redis.io/docs/latest/develop/reference/sentinel-clients/.

    Raises:
        ConnectionError: it is a replica.
    """
    if isinstance(reply, list):
        reply = dict(zip(reply[::2], reply[1::2], strict=False))
    said = reply if isinstance(reply, dict) else {}
    if said.get(b"role", b"master") != b"master":
        raise ConnectionError("the server there is a replica; the Sentinels have not settled yet")
