"""The servers and the stream that a ``nats://`` URL names. ``stores.nats`` asks them."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from zlib import crc32

from sessile.errors import ConfigError
from sessile.stores.location import Location, count, seconds
from sessile.wire.nats.endpoint import PORT, NatsEndpoint, StreamAddress
from sessile.wire.tls import Tls

BUCKET: Final = "sessile"

SHARDED: Final = "backup"
"""What the schemes begin with whose sessions are dealt out to several streams."""

MIRRORED: Final = "replicated"
"""What those begin with that have mirrors."""

SHARDS: Final = 6
"""Streams that two, three or six servers lead evenly; with more, each process sends more beats."""

MOST_SHARDS: Final = 64

LIMIT: Final = 0.5
"""Seconds for one operation unless the URL says otherwise."""

_CONNECT: Final = 1.5
"""Seconds, at most, for a new connection; who waits long for a leader need not for a server."""

_TLS: Final = "+tls"
_BUCKET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class MirrorScope(Enum):
    """Who has a mirror in common."""

    PROCESS = "process"  # nobody: each one reads in its own memory, and needs it
    HOST = "host"  # all of them: memory once, and one of them writes for all


@dataclass(frozen=True, slots=True)
class NatsPlace:
    """Where sessions are kept.

    Args:
        endpoint: the servers.
        bucket: what the stream and its subjects are named by.
        copies: how many servers hold the stream; None is 3 in a cluster, else 1.
        shards: how many streams the sessions are dealt out to; 0 where one has them all.
        shard: which of those it is.
        mirror: who has a mirror in common, where there are any.
    """

    endpoint: NatsEndpoint
    bucket: str = BUCKET
    copies: int | None = None
    shards: int = 0
    shard: int | None = None
    mirror: MirrorScope = MirrorScope.PROCESS

    @property
    def address(self) -> StreamAddress:
        """Where the stream is found."""
        return StreamAddress(self.stream, self.subjects)

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return (
            f"SESSILE_{self.bucket}"
            if self.shard is None
            else f"SESSILE_{self.bucket}_{self.shard}"
        )

    @property
    def subjects(self) -> str:
        """What all of its subjects begin with."""
        begin = f"$SESSILE.{self.bucket}."
        return begin if self.shard is None else f"{begin}{self.shard}."

    @property
    def parts(self) -> list["NatsPlace"]:
        """The place of each shard."""
        return [replace(self, shard=number) for number in range(self.shards)]

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
        raise ConfigError(
            f"ca, cert and key of {place.safe} are for TLS: write {place.scheme}{_TLS}://"
        )
    if place.password is not None and not place.username:
        raise ConfigError(f"{place.safe} has a password and no user name: write both")
    bucket = place.path.strip("/") or BUCKET
    if _BUCKET.fullmatch(bucket) is None:
        raise ConfigError(
            f"the path of {place.safe} names no bucket: write letters, digits, - and _, at most "
            f"64, as in {place.scheme}://host:4222/shop"
        )
    is_sharded = place.scheme.startswith(SHARDED)
    found = NatsPlace(
        NatsEndpoint(
            place.safe,
            hosts=place.servers(PORT),
            username=place.username or None,
            password=place.password or None,
            credentials=place.option("credentials", str, "") or None,
            tls=Tls(*files) if is_tls else None,
            timeout=limit,
            connect_timeout=place.option("connect_timeout", seconds, min(limit, _CONNECT)),
            has_batches=not is_sharded,
        ),
        bucket,
        place.option("copies", _copies, None),
        place.option("shards", _shards, SHARDS) if is_sharded else 0,
        mirror=(
            place.option("mirror", _mirror, MirrorScope.PROCESS)
            if place.scheme.startswith(MIRRORED)
            else MirrorScope.PROCESS
        ),
    )
    place.refuse_leftovers()
    return found


def shard_of(name: bytes, shards: int) -> int:
    """Return the number of the shard that a session's key is in, or the digest of an owner."""
    return crc32(name) % shards


def _shards(text: str) -> int:
    number = count(text)
    if not 1 <= number <= MOST_SHARDS:
        raise ValueError(f"write a number from 1 to {MOST_SHARDS}")
    return number


def _copies(text: str) -> int:
    number = count(text)
    if number not in (1, 3, 5):
        raise ValueError("write 1, 3 or 5: a majority of them has to be there")
    return number


def _mirror(text: str) -> MirrorScope:
    try:
        return MirrorScope(text)
    except ValueError:
        raise ValueError("write process or host") from None
