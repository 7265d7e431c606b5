"""``memcached://``: sessions in the memory of memcached servers. ``wire.memcached`` reaches them.

A session is on one server, by its key. ``memcached_rows`` has its row, and a login is a two-phase
commit over rows (``two_phase_login``). Memcached is a cache: it evicts what was not used for long
when its memory is full, and a restart forgets everybody. So no index of a user's sessions is kept:
one that has lost entries would end all but some of them, and say nothing.
"""

from typing import ClassVar, Final

from sessile.core.value import Seconds
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.contract import (
    Capability,
    Corrupt,
    Extent,
    Instant,
    Key,
    Page,
    Record,
    StoreSize,
    unpack,
)
from sessile.stores.finding import Finding
from sessile.stores.intents import MARK
from sessile.stores.key_value_store import KeyValueStore
from sessile.stores.location import Location, seconds
from sessile.stores.memcached_diagnosis import diagnose
from sessile.stores.memcached_generations import Generations
from sessile.stores.memcached_rows import MemcachedRows
from sessile.stores.settling import PATIENCE
from sessile.wire.memcached.client import MemcachedClient
from sessile.wire.memcached.endpoint import PORT, MemcachedEndpoint
from sessile.wire.memcached.text import LONGEST_NAME, Question, encode_name

PREFIX: Final = "sessile:"

LIMIT: Final = 0.5
"""Seconds for one operation unless the URL says otherwise."""

_UNIX: Final = "memcached+unix"

_NAME_END: Final = 20
"""Bytes of a name behind its prefix."""


class MemcachedStore(KeyValueStore):
    """Records in the items of memcached servers.

    Args:
        endpoint: the servers.
        prefix: stands before every name; two applications on one server need two.
        patience: how long a login that is under way is waited for.

    Raises:
        ConfigError: no name of the server's can begin with that prefix.
    """

    capabilities: ClassVar[Capability] = (
        Capability.NATIVE_EXPIRY | Capability.SHARED | Capability.NETWORK
    )

    def __init__(
        self, endpoint: MemcachedEndpoint, *, prefix: str = PREFIX, patience: Seconds = PATIENCE
    ) -> None:
        _check_prefix(prefix)
        self.name, self._prefix = endpoint.name, prefix
        self._client = MemcachedClient(endpoint)
        self._generations = Generations(self._client, prefix, endpoint.name)
        self._memcached_rows = MemcachedRows(self._client, self._generations, prefix)
        super().__init__(self._memcached_rows, None, patience)

    @classmethod
    def from_url(cls, url: str) -> "MemcachedStore":
        """Return the store of ``memcached://one:11211,two``, or ``memcached+unix:///its/socket``.

        Write the same servers in every application's URL: by their names a session's is chosen.

        Options: ``prefix``, ``timeout``, ``connect_timeout``.
        """
        place = Location(url)
        if place.username or place.password:
            raise ConfigError(
                f"{place.safe} is reached without user name and password: leave them out, and let "
                "nobody but your servers reach it"
            )
        limit = place.option("timeout", seconds, LIMIT)
        endpoint = MemcachedEndpoint(
            place.safe,
            servers=() if place.scheme == _UNIX else _servers(place),
            path=_socket(place) if place.scheme == _UNIX else None,
            timeout=limit,
            connect_timeout=place.option("connect_timeout", seconds, limit),
        )
        prefix = place.option("prefix", str, PREFIX)
        place.refuse_leftovers()
        return cls(endpoint, prefix=prefix)

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        row = await self._memcached_rows.read(key)
        if row is None:
            return None
        return await self._load(key, row) if row[:1] == MARK else unpack(row, key)

    async def end_everybody(self) -> str | None:
        """Begin a new generation on every server; a crash forgets the sessions as well."""
        await self._generations.end()
        return None

    async def scan(
        self,
        cursor: str | None = None,  # noqa: ARG002
        batch: int = 100,  # noqa: ARG002
    ) -> Page:
        """Refuse: a server lists its items for debugging, one page and no more."""
        raise self._no_list

    async def count(self) -> int:
        """Refuse, as ``scan`` does."""
        raise self._no_list

    @property
    def _no_list(self) -> ConfigError:
        return ConfigError(
            f"{self.name} lists no sessions; use a store with Capability.SCAN, as redis://"
        )

    async def size(self) -> StoreSize:
        """Ask every server, which knows its items and not whose they are."""
        told = (await self._ask_each(Question.STATS)).values()
        items, taken = (sum(int(one[name]) for one in told) for name in ("curr_items", "bytes"))
        return StoreSize(items, taken, records_of=Extent.SERVER, bytes_of=Extent.SERVER)

    async def sweep(
        self,
        now: Instant,  # noqa: ARG002  (the server removes what is past its deadline)
        batch: int = 1000,  # noqa: ARG002
    ) -> int:
        """Leave it to the servers."""
        self._client.check_open()
        return 0

    async def ping(self) -> None:
        """Ask every server."""
        await self._ask_each(Question.VERSION)

    async def server_time(self) -> Instant:
        """Return the time of the server whose clock is farthest ahead; it counts whole seconds."""
        told = await self._ask_each(Question.STATS)
        return max(float(stats["time"]) for stats in told.values()) + 0.5

    async def diagnose(self) -> list[Finding]:
        """Look at every server."""
        stats = await self._ask_each(Question.STATS)
        settings = await self._ask_each(Question.SETTINGS)
        return diagnose({place: (stats[place], settings[place]) for place in stats})

    async def _ask_each(self, question: Question) -> dict[str, dict[str, str]]:
        """Return the figures or settings of every server, by its place.

        Raises:
            StoreUnavailable: one of them does not answer.
        """
        told = await self._client.ask_each(question)
        for each in told.values():
            if isinstance(each, StoreUnavailable):
                raise each
        return {place: each for place, each in told.items() if isinstance(each, dict)}

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()


def _check_prefix(prefix: str) -> None:
    try:
        encode_name(prefix + "k" * _NAME_END)
    except ValueError:
        most = LONGEST_NAME - _NAME_END
        raise ConfigError(
            f"prefix={prefix[:most]!r}: write at most {most} bytes, without blanks and control "
            "characters"
        ) from None


def _servers(place: Location) -> tuple[tuple[str, int], ...]:
    if place.path not in ("", "/"):
        raise ConfigError(
            f"the path of {place.safe} says nothing, for memcached has no databases: write "
            "memcached://one:11211,two:11211?prefix=myapp:"
        )
    return place.servers(PORT)


def _socket(place: Location) -> str:
    if place.host or len(place.path) < 2:
        raise ConfigError(
            f"{place.safe} names no socket: write {_UNIX}:///run/memcached/memcached.sock"
        )
    return place.path
