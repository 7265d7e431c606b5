"""The server that a ``postgresql://`` URL names. ``stores.postgres`` asks it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import unquote

from sessile.errors import ConfigError
from sessile.stores.location import Location, count, redact, seconds, yes
from sessile.stores.postgres_table import TABLE, table_name
from sessile.wire.postgres.endpoint import PostgresEndpoint, PostgresHost

LIMIT: Final = 0.5
"""Seconds for one operation unless the URL says otherwise."""

MOST: Final = 10
"""Connections of an event loop, or of all threads together, unless the URL says otherwise."""

LIBPQ: Final[Mapping[str, tuple[str, ...]]] = {
    "application_name": (),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "krbsrvname": (),
    "passfile": (),
    "sslcert": (),
    "sslcrl": (),
    "sslkey": (),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslrootcert": (),
    "target_session_attrs": (
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby",
    ),
}  # fmt: skip
"""Options that are handed to libpq as they are, and the values that they may have."""

_WRITABLE: Final = "read-write"
_NETLOC: Final = re.compile(
    r"(?P<scheme>[^:/?#]+://)(?P<user>[^/?#]*@)?(?P<hosts>[^/?#]*)(?P<rest>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """What a URL says.

    Attributes:
        endpoint: the database.
        table: the table's name.
        logged: whether a table that is made keeps its rows through a crash.
        feed: whether the store has a feed.
    """

    endpoint: PostgresEndpoint
    table: str = TABLE
    logged: bool = True
    feed: bool = False


def place_of(url: str) -> PostgresPlace:
    """Return the database and the table of a URL.

    Raises:
        ConfigError: the URL, or an option of it, is none of a Postgres server.
    """
    first, others = _split_hosts(url)
    place = Location(first)
    name = _name(place.safe, others)
    try:
        hosts = [PostgresHost(place.host, place.port), *map(_host, others)]
    except ValueError:
        raise ConfigError(
            f"the hosts of {redact(url)} cannot be read: write host:5432,host:5432"
        ) from None
    socket = place.option("host", str, "")
    if socket:
        if place.host is not None or others:
            raise ConfigError(f"{name} names two hosts: write one before the path, or host=")
        hosts = [PostgresHost(socket, place.port)]
    limit = place.option("timeout", seconds, LIMIT)
    options = {
        word: value
        for word, values in LIBPQ.items()
        if (value := place.option(word, partial(_one_of, values), ""))
    }
    if len(hosts) > 1:
        options.setdefault("target_session_attrs", _WRITABLE)
    endpoint = PostgresEndpoint(
        name,
        hosts=tuple(hosts),
        database=_database(place),
        username=place.username or None,
        password=place.password or None,
        options=options,
        timeout=limit,
        connect_timeout=place.option("connect_timeout", seconds, limit),
        most=place.option("connections", count, MOST),
        prepares=place.option("prepare", yes, default=True),
    )
    table = place.option("table", table_name, TABLE)
    logged = place.option("logged", yes, default=True)
    feed = place.option("feed", yes, default=False)
    place.refuse_leftovers()
    return PostgresPlace(endpoint, table, logged, feed)


def _one_of(values: tuple[str, ...], text: str) -> str:
    if values and text not in values:
        raise ValueError(f"write one of {', '.join(values)}")
    return text


def _split_hosts(url: str) -> tuple[str, list[str]]:
    """Return the URL with its first host alone, and the others as they stand there."""
    found = _NETLOC.fullmatch(url)
    if found is None or "," not in found["hosts"]:
        return url, []
    first, *others = found["hosts"].split(",")
    return f"{found['scheme']}{found['user'] or ''}{first}{found['rest']}", others


def _host(text: str) -> PostgresHost:
    place = Location(f"postgresql://{text}")
    if not place.host or place.path:
        raise ValueError
    return PostgresHost(place.host, place.port)


def _name(safe: str, others: list[str]) -> str:
    """Return the URL without credentials and options, with all hosts."""
    if not others:
        return safe
    scheme, _, rest = safe.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{','.join((host, *others))}{slash}{path}"


def _database(place: Location) -> str | None:
    name = place.path[1:]
    if "/" in name:
        raise ConfigError(
            f"the path of {place.safe} is no database: write one name, as in "
            "postgresql://host:5432/app"
        )
    return unquote(name) or None
