"""Where the server of a ``redis://`` URL is, and how it is reached. For ``stores.redis``."""

from typing import Final

from sessile.errors import ConfigError
from sessile.stores.location import Location, seconds
from sessile.wire.redis.endpoint import Endpoint, Tls

LIMIT: Final = 0.5
"""Seconds for one command unless the URL says otherwise."""


def endpoint_of(place: Location) -> Endpoint:
    """Return the server and database of a URL."""
    unix = place.scheme == "unix"
    limit = place.option("timeout", seconds, LIMIT)
    return Endpoint(
        place.safe,
        host=place.host or "localhost",
        port=place.port or 6379,
        path=_socket(place) if unix else None,
        db=place.option("db", _database, 0) if unix else _path_database(place),
        username=place.username or None,
        password=place.password or None,
        tls=_tls(place) if place.scheme == "rediss" else None,
        timeout=limit,
        connect_timeout=place.option("connect_timeout", seconds, limit),
    )


def _tls(place: Location) -> Tls:
    files = (place.option(name, str, "") or None for name in ("ca", "cert", "key"))
    return Tls(*files)


def _socket(place: Location) -> str:
    if place.host or len(place.path) < 2:
        raise ConfigError(f"{place.safe} names no socket: write unix:///run/redis.sock?db=0")
    return place.path


def _path_database(place: Location) -> int:
    try:
        return _database(place.path[1:] or "0")
    except ValueError as error:
        raise ConfigError(
            f"the path of {place.safe} is no database: {error}, and redis://host:6379/0"
        ) from None


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("write a whole number from 0")
    return int(text)
