"""The servers and the stream that a ``nats://`` URL names. ``stores.nats`` asks them."""

import re
from dataclasses import dataclass
from typing import Final

from sessile.errors import ConfigError
from sessile.stores.location import Location, count, seconds
from sessile.wire.nats.endpoint import PORT, NatsEndpoint
from sessile.wire.tls import Tls

BUCKET: Final = "sessile"

LIMIT: Final = 0.5
"""Seconds for one operation unless the URL says otherwise."""

_CONNECT: Final = 1.5
"""Seconds, at most, for a new connection; who waits long for a leader need not for a server."""

_TLS: Final = "+tls"
_BUCKET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class NatsPlace:
    """Where sessions are kept.

    Args:
        endpoint: the servers.
        bucket: what the stream and its subjects are named by.
        copies: how many servers hold the stream; None is 3 in a cluster, else 1.
    """

    endpoint: NatsEndpoint
    bucket: str = BUCKET
    copies: int | None = None

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self.endpoint.stream

    @property
    def subjects(self) -> str:
        """What all of its subjects begin with."""
        return _subjects(self.bucket)

    @property
    def sessions(self) -> str:
        """What the subjects of sessions begin with; their keys stand behind."""
        return f"{self.subjects}s."

    @property
    def owners(self) -> str:
        """What the subjects of owners' indexes begin with."""
        return f"{self.subjects}o."

    @property
    def everybody(self) -> str:
        """The subject of what is stored when all have ended."""
        return f"{self.subjects}everybody"


def place_of(url: str) -> NatsPlace:
    """Return the place of a URL.

    Raises:
        ConfigError: the URL, or an option of it, is none of NATS servers.
    """
    place = Location(url)
    is_tls = place.scheme.endswith(_TLS)
    limit = place.option("timeout", seconds, LIMIT)
    files = [place.option(name, str, "") or None for name in ("ca", "cert", "key")]
    if any(files) and not is_tls:
        raise ConfigError(f"ca, cert and key of {place.safe} are for TLS: write nats{_TLS}://")
    if place.password is not None and not place.username:
        raise ConfigError(f"{place.safe} has a password and no user name: write both")
    bucket = place.path.strip("/") or BUCKET
    if _BUCKET.fullmatch(bucket) is None:
        raise ConfigError(
            f"the path of {place.safe} names no bucket: write letters, digits, - and _, at most "
            f"64, as in {place.scheme}://host:4222/shop"
        )
    found = NatsPlace(
        NatsEndpoint(
            place.safe,
            stream=f"SESSILE_{bucket}",
            beats=f"{_subjects(bucket)}beat.",
            hosts=place.servers(PORT),
            username=place.username or None,
            password=place.password or None,
            credentials=place.option("credentials", str, "") or None,
            tls=Tls(*files) if is_tls else None,
            timeout=limit,
            connect_timeout=place.option("connect_timeout", seconds, min(limit, _CONNECT)),
        ),
        bucket,
        place.option("copies", _copies, None),
    )
    place.refuse_leftovers()
    return found


def _subjects(bucket: str) -> str:
    return f"$SESSILE.{bucket}."


def _copies(text: str) -> int:
    number = count(text)
    if number not in (1, 3, 5):
        raise ValueError("write 1, 3 or 5: a majority of them has to be there")
    return number
