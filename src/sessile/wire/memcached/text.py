"""memcached's text protocol: commands to bytes, and which answer may be whose.

https://docs.memcached.org/protocols/basic/. Not its meta commands: a server before 1.6 has none,
they read one name at a time, and one that refuses an item as too large drops the old one with it
where ``cas`` and ``add`` leave it alone.
"""

import math
import re
from enum import Enum
from typing import Any, Final

from sessile.core.value import Instant, Seconds
from sessile.wire.commands.server import Language
from sessile.wire.memcached.reader import Stats, TextReader
from sessile.wire.opaque import Opaque

LONGEST_NAME: Final = 250
"""Bytes of a name."""

_RELATIVE: Final = 30 * 86_400
"""Seconds up to which a time to live is one. Beyond, the server takes it for a date."""

_LAST_DATE: Final = 2**31 - 1
"""The last second that a server knows. What is later it takes for the past, or for never."""

_NAME: Final = re.compile(rb"[^\x00-\x20\x7f]{1,%d}" % LONGEST_NAME)

STORED, NOT_STORED, EXISTS = b"STORED", b"NOT_STORED", b"EXISTS"
NOT_FOUND, DELETED = b"NOT_FOUND", b"DELETED"

_LINES: Final = {
    b"add ": {STORED, NOT_STORED},
    b"cas ": {STORED, EXISTS, NOT_FOUND},
    b"dele": {DELETED, NOT_FOUND},
}
"""What a command may be answered with, by its first bytes."""


class Question(Enum):
    """What every server is asked about itself."""

    VERSION = "version"
    STATS = "stats"
    SETTINGS = "stats settings"


def pack_get(names: tuple[str, ...]) -> Opaque:
    """Ask for items and their tokens."""
    if not names:
        raise ValueError("name what to get")
    return Opaque(b"gets %b\r\n" % b" ".join(map(encode_name, names)))


def pack_add(name: str, data: bytes, exptime: int) -> Opaque:
    """Ask to keep an item if there is none of that name."""
    return Opaque(b"add %b 0 %d %d\r\n%b\r\n" % (encode_name(name), exptime, len(data), data))


def pack_cas(name: str, data: bytes, unique: int, exptime: int) -> Opaque:
    """Ask to put an item in the place of the one that has that token."""
    head = (encode_name(name), exptime, len(data), unique)
    return Opaque(b"cas %b 0 %d %d %d\r\n%b\r\n" % (*head, data))


def pack_delete(name: str) -> Opaque:
    """Ask to remove an item."""
    return Opaque(b"delete %b\r\n" % encode_name(name))


def pack_question(question: Question) -> Opaque:
    """Ask a server about itself."""
    return Opaque(question.value.encode() + b"\r\n")


def encode_name(name: str) -> bytes:
    """Return the bytes of a name that a server takes, and takes for one.

    Raises:
        ValueError: it is none; the error does not show it.
    """
    encoded = name.encode()
    if _NAME.fullmatch(encoded) is None:
        raise ValueError(
            f"a name of {len(encoded)} bytes: memcached takes 1 to {LONGEST_NAME}, of them no "
            "blank and no control character"
        )
    return encoded


def exptime(expires_in: Seconds, now: Instant) -> int:
    """Return until when to keep an item, as the server counts: 0 is for ever.

    Args:
        expires_in: seconds; 0 for ever. Fractions are rounded up, so none becomes 0.
        now: by this machine's clock; what is longer than 30 days is told as a date.
    """
    if expires_in <= 0:
        return 0 if expires_in == 0 else -1  # -1 is over already
    if expires_in <= _RELATIVE:
        return math.ceil(expires_in)
    return math.ceil(min(now + expires_in, _LAST_DATE))


def fits(packed: Opaque, reply: Any) -> bool:
    """Tell whether a reply may be the one to a command: of its kind, and of its names."""
    verb = packed[:4]
    if verb == b"gets":
        if type(reply) is not dict:
            return False
        return not reply or reply.keys() <= {*packed[5:-2].split(b" ")}
    if verb in _LINES:
        return type(reply) is bytes and reply in _LINES[verb]
    return type(reply) is Stats or reply == {}


TEXT: Final = Language(
    name="memcached",
    store="memcached store",
    new_reader=TextReader,
    fits=fits,
    farewells=frozenset(("ERROR", "CLIENT_ERROR")),  # who did not read one may misread the next
)
"""How a memcached server is spoken to."""
