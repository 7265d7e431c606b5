"""Which versions of a NATS server have what a store needs. ``connection`` refuses all others."""

import re
from typing import Final

Version = tuple[int, ...]

BATCHES: Final[Version] = (2, 12, 1)
"""The first one that stores several messages as one act; 2.12.0 refuses each of ours."""

LIFETIMES: Final[Version] = (2, 11)
"""The first one where each message has a time to live of its own."""

BEHIND: Final[Version] = (2, 12)
"""The first one that does not count a message among those that are pending behind it."""

_SEVERAL: Final = "stores several messages as one act"
_LIFETIME: Final = "gives each message a time to live of its own"


def numbers_of(version: str) -> Version:
    """Return the numbers of a version, to compare it by."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def text_of(version: Version) -> str:
    """Return a version as one writes it."""
    return ".".join(map(str, version))


def too_old(version: str, *, has_batches: bool) -> str | None:
    """Say why a server is too old and what to write, if it is.

    Args:
        version: the server's.
        has_batches: whether the store has acts of several messages.
    """
    needed, why = (BATCHES, _SEVERAL) if has_batches else (LIFETIMES, _LIFETIME)
    found = numbers_of(version)
    if found >= needed:
        return None
    text = (
        f"its server is NATS {version}, and {text_of(needed)} or newer is needed, which {why}: "
        "https://nats.io/download"
    )
    return f"{text}; or write backup://, for which this one will do" if found >= LIFETIMES else text
