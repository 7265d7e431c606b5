"""The trail of a session: what was done with it, when and from where. Bounded; part of its record.

The service writes the lines that matter to the session's safety, ``session.note`` the
application's own.
"""

from collections import Counter
from typing import Final, TypeAlias

import msgspec

from sessile.core.client import Client
from sessile.core.value import Instant
from sessile.errors import ConfigError

MAX_ENTRIES: Final = 20
"""Lines a trail keeps. Of the others than the first, the oldest of the commonest kind gives way
to a newer one: whoever repeats one act, as a thief who hops from address to address, cannot push
out the rest."""

_MAX_LENGTH: Final = 80

CLIENT_CHANGED: Final = "another client"
TURNED_AWAY: Final = "another client was turned away"


class TrailEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a trail.

    Attributes:
        at: when, in seconds since 1970.
        what: in words, as in ``"login"``.
        address: from where; empty when unknown.
        device: by what, as in ``"Chrome on Android"``.
    """

    at: Instant
    what: str
    address: str = ""
    device: str = ""


Trail: TypeAlias = tuple[TrailEntry, ...]

pack_trail: Final = msgspec.msgpack.Encoder().encode
"""A trail's bytes, as a record keeps them: it is unpacked for those who look, not per request."""

_unpack: Final = msgspec.msgpack.Decoder(Trail).decode


def unpack_trail(past: bytes) -> Trail:
    """Return the trail of a record's bytes; what is none is empty."""
    try:
        return _unpack(past) if past else ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def extend_trail(trail: Trail, at: Instant, client: Client, *words: str) -> Trail:
    """Return the trail with a line for each of these words."""
    new = tuple(TrailEntry(at, printable(what), client.address, client.device) for what in words)
    whole = [*trail, *new]
    while len(whole) > MAX_ENTRIES:
        kinds = Counter(line.what for line in whole[1:])
        most = max(kinds.values())
        del whole[next(n for n, line in enumerate(whole) if n and kinds[line.what] == most)]
    return tuple(whole)


def has_entry(trail: Trail, what: str, client: Client) -> bool:
    """Tell whether the trail has that line of that client already."""
    return any(
        line.what == what and line.address == client.address and line.device == client.device
        for line in trail
    )


def printable(words: str, name: str = "note") -> str:
    """Return words fit for a line: printable, and 80 characters at most.

    Args:
        words: what was given.
        name: as what, for the error.

    Raises:
        ConfigError: they are no text.
    """
    if not isinstance(words, str):
        raise ConfigError(f"{name}: write a text, not {type(words).__name__}")
    return "".join(filter(str.isprintable, words))[:_MAX_LENGTH]
