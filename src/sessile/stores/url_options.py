"""Options that the URL of any store may have. ``stores.open`` takes them off; others use them."""

from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from sessile.core.value import Seconds
from sessile.errors import ConfigError
from sessile.stores.location import OF_EVERY_STORE, count, redact, seconds

WATCH: Final[Seconds] = 5.0
"""How often a store is asked whether the session of an open socket lives, unless the URL says."""


class UrlOptions(msgspec.Struct, frozen=True):
    """What a URL says besides where the store is.

    Attributes:
        near: how many records a process keeps to itself; None for no near cache.
        watch: seconds between two looks whether the session of an open socket lives, where the
            store tells nobody.
    """

    near: int | None = None
    watch: Seconds = WATCH


def _copies(text: str) -> int:
    """Convert how many copies are kept."""
    try:
        return count(text)
    except ValueError:
        raise ValueError(
            "write how many sessions a process keeps, as in near=10000, or leave it out for none"
        ) from None


_CONVERT: Final = dict(zip(OF_EVERY_STORE, (_copies, seconds), strict=True))


def split_options(url: str) -> tuple[str, UrlOptions]:
    """Return a URL without these options, and what they say.

    Raises:
        ConfigError: one has a value that it cannot have, or stands twice.
    """
    place, mark, query = url.partition("?")
    if not any(f"{name}=" in query for name in _CONVERT):
        return url, UrlOptions()
    found: dict[str, float] = {}
    kept = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _CONVERT:
            kept.append((name, value))
            continue
        if name in found:
            raise ConfigError(f"option {name!r} stands twice in {redact(url)}; keep one")
        try:
            found[name] = _CONVERT[name](value)
        except ValueError as error:
            raise ConfigError(f"option {name}={value} of {redact(url)}: {error}") from None
    rest = urlencode(kept)
    return f"{place}{mark if rest else ''}{rest}", msgspec.convert(found, UrlOptions)
