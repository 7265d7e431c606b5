"""The hops in a forwarding header, last one first. ``core.proxies`` decides which it believes.

Each proxy adds to the right, and what stands to the left may be the client's own writing. So both
readers begin at the right and stop at what they cannot read: nothing that a client wrote changes
how the part of a proxy is understood, not even a quote that it left open.
"""

import re
from collections.abc import Iterator
from typing import Final

from sessile.core.address import canonical

WINDOW: Final = 2048  # characters at the right end; what is further left is not looked at

_OWS: Final = r"[ \t]*+"
_NAME: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_BACKWARDS: Final = re.compile(
    # One optional pair name=value of RFC 7239, 4, and what stands before it; to be matched
    # against reversed text. Brackets and colons are taken without quotes too: proxies write so.
    rf'{_OWS}(?:(?:"((?:.\\|[^"\\])*)"|([][:!#$%&\'*+\-.^_`|~0-9A-Za-z]++))=({_NAME}))?'
    rf"{_OWS}([;,]|\Z)",
    re.ASCII | re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def listed(header: str) -> Iterator[str | None]:
    """Yield the addresses of an X-Forwarded-For header from the right; None is unreadable."""
    pieces = header[-WINDOW:].split(",")
    if len(header) > WINDOW:
        pieces[0] = "?"  # cut in the middle
    for piece in reversed(pieces):
        text = piece.strip(" \t")
        if text:  # RFC 9110, 5.6.1.2: empty elements of a list are ignored
            yield canonical(text)


def paired(header: str) -> Iterator[str | None]:
    """Yield the addresses of a Forwarded header (RFC 7239) from the right; None is unreadable."""
    for pairs in _elements(header):
        nodes = [value for name, value in pairs or () if name == "for"]
        if pairs is None or len(nodes) != 1:  # RFC 7239, 4: once at most in each element
            yield None
            return
        yield canonical(nodes[0])


def _elements(header: str) -> Iterator[list[tuple[str, str]] | None]:
    """Yield each element's names and values from the right; None where the grammar is broken."""
    text, at = header[: -WINDOW - 1 : -1], 0
    pairs: list[tuple[str, str]] = []
    while at <= len(text):
        found = _BACKWARDS.match(text, at)
        if found is None or (not found[4] and len(header) > WINDOW):
            yield None
            return
        quoted, plain, name, end = found.groups()
        if name is not None:
            value = plain[::-1] if quoted is None else _ESCAPED.sub(r"\1", quoted[::-1])
            pairs.append((name[::-1].lower(), value))
        at = found.end()
        if end == ";":
            continue
        if pairs:
            yield pairs
        pairs = []
        if not end:
            return
