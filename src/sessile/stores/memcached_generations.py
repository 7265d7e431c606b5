"""What the rows of each memcached server begin with, and how all of them end.

A row counts if it begins with the generation that stands on its own server, under a name of its
own: so ``end_everybody`` is one item a server. A generation is drawn at random, and none comes
twice. Where it is missing, because the server was restarted or flushed or has evicted it, no row
counts any more: whoever stores the next one begins a new generation, and brings nobody back.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeAlias, TypeVar

from sessile.core.flow import Flow
from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire import system
from sessile.wire.log import log_missing_generation
from sessile.wire.memcached.client import MemcachedClient, Swap
from sessile.wire.memcached.reader import CacheItem

R = TypeVar("R")

GENERATION: Final = 9
"""Bytes."""

ENDING_TTL: Final[Seconds] = 10.0
"""How long logins that carry a session over from one server to another are refused, if whoever ends
everybody crashes."""

FOR_EVER: Final[Seconds] = 0.0
OVER: Final[Seconds] = -1.0
"""A time to live: what has it is gone as soon as it is stored."""

_NONCE: Final = 8

_MISSING: Final = b""


class Generations:
    """Those of all servers.

    Args:
        client: of the servers.
        prefix: of the store's names.
        store: its name.

    Attributes:
        name: what a generation is stored under, on each server.
    """

    def __init__(self, client: MemcachedClient, prefix: str, store: str) -> None:
        self._client, self._store = client, store
        self.name, self._ending = f"{prefix}@generation", f"{prefix}@ending"
        self._seen: dict[str, bytes] = {}  # by server, what was found last
        self._current: frozenset[bytes] = frozenset()

    def judge(self, key: Key, item: CacheItem | None, *, has_row: bool = False) -> bytes | None:
        """Return the generation whose rows count, for what stands on the server of a key.

        Args:
            key: whose server it is.
            item: what was found under ``name``.
            has_row: whether a row was found there, too.
        """
        found = None if item is None or len(item.data) != GENERATION else item.data
        if found not in self._current:
            self._note(self._client.server_of(key), found, has_row=has_row)
        return found

    def _note(self, server: str, found: bytes | None, *, has_row: bool) -> None:
        """Remember what was found; log once that a generation is missing that was there before."""
        seen = self._seen.get(server)
        if found is None:
            if seen == _MISSING or not (seen or has_row):
                return
            log_missing_generation(self._store, server, self.name)
        self._seen[server] = found or _MISSING
        self._current = frozenset(self._seen.values()) - {_MISSING}

    async def begin(self, key: Key) -> None:
        """Begin a generation on the server of a key, if there is none."""

        def keep(found: bytes | None) -> bytes:
            is_one = found is not None and len(found) == GENERATION
            return found if found and is_one else system.entropy(GENERATION)

        await _alter(self._client, key, self.name, keep, FOR_EVER)

    async def is_ending(self, old: Key, new: Key) -> bool:
        """Tell whether everybody is being ended, server by server.

        It stands on every server, and that of the new row is asked: one that says no has still to
        be told, and to begin its generation after that, which ends the row that is there already.
        On one server a generation is enough.
        """
        if self._client.server_of(old) == self._client.server_of(new):
            return False
        (item,) = await self._client.get(new, self._ending)
        return item is not None

    async def end(self) -> None:
        """Begin a new generation on every server. Meanwhile no login carries a session over.

        Those that can be reached begin theirs, whatever becomes of the others.

        Raises:
            StoreUnavailable: a server was not reached, or nobody knows whether it was.
        """
        servers = list(self._client.keys().values())
        if len(servers) == 1:
            await self._renew(servers[0])
            return
        nonce, failures = system.entropy(_NONCE), list[StoreUnavailable]()
        marked = await _each(servers, partial(self._mark, nonce), failures)
        renewed = await _each(marked, self._renew, failures)
        stood = await _each(renewed, partial(self._unmark, nonce), failures)
        if failures:
            raise failures[0]
        if not all(stood.values()):
            raise StoreUnavailable(
                self._store,
                f"to end everybody took longer than {ENDING_TTL:g} s, or a server forgot that it "
                "was under way; ask again",
            )

    async def _mark(self, nonce: bytes, server: str) -> None:
        """Say on a server that everybody is being ended."""

        def add(found: bytes | None) -> bytes:
            return (found or b"") + nonce

        await _alter(self._client, server, self._ending, add, ENDING_TTL)

    async def _renew(self, server: str) -> None:
        """Begin a new generation on a server."""

        def draw(_: bytes | None) -> bytes:
            return system.entropy(GENERATION)

        await _alter(self._client, server, self.name, draw, FOR_EVER)

    async def _unmark(self, nonce: bytes, server: str) -> bool:
        """Take back what ``_mark`` said; tell whether it stood there until now."""

        def drop(found: bytes | None) -> bytes | None:
            return b"".join(each for each in _nonces(found) if each != nonce) or None

        found = await _alter(self._client, server, self._ending, drop, ENDING_TTL)
        return nonce in _nonces(found)


Alteration: TypeAlias = Callable[[bytes | None], bytes | None]
"""What takes an item's place, by what was in it; None for nothing."""


async def _alter(
    client: MemcachedClient, key: str, name: str, change: Alteration, lasts: Seconds
) -> bytes | None:
    """Change an item on the server of a key, by what is in it then; return what was in it."""
    while True:
        (item,) = await client.get(key, name, what="end everybody")
        found = None if item is None else item.data
        data = change(found)
        if data == found:
            return found
        if item is None:
            is_done = data is None or await client.add(key, name, data, lasts, what="end everybody")
        else:
            swap = client.swap(
                key, name, data or b"", item.unique, OVER if data is None else lasts,
                what="end everybody",
            )  # fmt: skip
            is_done = await swap is Swap.STORED
        if is_done:
            return found


def _nonces(found: bytes | None) -> list[bytes]:
    data = found or b""
    return [data[at : at + _NONCE] for at in range(0, len(data), _NONCE)]


async def _each(
    servers: Iterable[str], act: Callable[[str], Flow[R]], failures: list[StoreUnavailable]
) -> dict[str, R]:
    """Act on each server; return what it answered, if it did. A failure keeps no other waiting."""
    answers = {}
    for server in servers:
        try:
            answers[server] = await act(server)
        except StoreUnavailable as error:
            failures.append(error)
    return answers
