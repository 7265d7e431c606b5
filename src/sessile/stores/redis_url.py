"""The server that a ``redis://`` URL and its kin name. ``stores.redis`` asks it.

``valkey://`` says the same as ``redis://``, and ``valkeys://`` as ``rediss://``: the two speak one
protocol.
"""

from typing import Final

from sessile.errors import ConfigError
from sessile.stores.location import Location, count, seconds
from sessile.wire.redis.endpoint import Endpoint, Sentinels
from sessile.wire.tls import Tls

_CLUSTER: Final = frozenset(
    ("redis+cluster", "rediss+cluster", "valkey+cluster", "valkeys+cluster")
)
_SENTINEL: Final = frozenset(
    ("redis+sentinel", "rediss+sentinel", "valkey+sentinel", "valkeys+sentinel")
)
_TLS: Final = frozenset(
    f"{scheme}{kind}" for scheme in ("rediss", "valkeys") for kind in ("", "+cluster", "+sentinel")
)
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26_379

LIMIT: Final = 0.5
"""Seconds for one operation unless the URL says otherwise."""


def endpoint_of(place: Location) -> Endpoint:
    """Return the server and the database of a URL.

    Raises:
        ConfigError: the URL, or an option of it, is none of a Redis server.
    """
    unix, sentinels = place.scheme == "unix", None
    cluster: tuple[tuple[str, int], ...] = ()
    if place.scheme in _SENTINEL:
        service, _, number = place.path[1:].partition("/")
        sentinels, db = _sentinels(place, service), _database_of(place, number)
    elif place.scheme in _CLUSTER:
        cluster, db = place.servers(_PORT), _no_database(place)
    else:
        db = place.option("db", _database, 0) if unix else _database_of(place, place.path[1:])
    limit = place.option("timeout", seconds, LIMIT)
    return Endpoint(
        place.safe,
        host=place.host or "localhost",
        port=place.port or _PORT,
        path=_socket(place) if unix else None,
        db=db,
        username=place.username or None,
        password=place.password or None,
        tls=_tls(place) if place.scheme in _TLS else None,
        sentinels=sentinels,
        cluster=cluster,
        acks=place.option("acks", count, 0),
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


def _sentinels(place: Location, service: str) -> Sentinels:
    if not service:
        raise ConfigError(
            f"{place.safe} names no primary: write {place.scheme}://one:26379,two:26379/NAME/0 "
            "with the name that stands in 'sentinel monitor NAME ...'"
        )
    return Sentinels(
        place.servers(_SENTINEL_PORT),
        service,
        username=place.option("sentinel_username", str, "") or None,
        password=place.option("sentinel_password", str, "") or None,
    )


def _no_database(place: Location) -> int:
    if place.path not in ("", "/", "/0"):
        raise ConfigError(
            f"the path of {place.safe} is a database, and a cluster has one alone: write "
            f"{place.scheme}://one:6379,two:6379,three:6379"
        )
    return 0


def _database_of(place: Location, text: str) -> int:
    try:
        return _database(text or "0")
    except ValueError as error:
        example = "one:26379,two:26379/NAME/0" if place.scheme in _SENTINEL else "host:6379/0"
        raise ConfigError(
            f"the path of {place.safe} is no database: {error}, and {place.scheme}://{example}"
        ) from None


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("write a whole number from 0")
    return int(text)
