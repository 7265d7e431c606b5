"""A client of memcached servers: what is asked of the one that a key belongs to.

Each key belongs to one server, by the key and the servers' names alone: the same one on every host,
in whatever order they are named. It is never another one while that is gone: whoever went there and
came back would find what was true before.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from itertools import count
from typing import Any, Final, TypeAlias

from sessile.core.flow import Ask
from sessile.core.rendezvous import rendezvous
from sessile.core.value import Instant, Seconds
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.wire import system
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.memcached.endpoint import MemcachedEndpoint
from sessile.wire.memcached.node import Node
from sessile.wire.memcached.reader import CacheItem
from sessile.wire.memcached.text import (
    DELETED,
    EXISTS,
    NOT_FOUND,
    STORED,
    TEXT,
    Question,
    encode_name,
    exptime,
    pack_add,
    pack_cas,
    pack_delete,
    pack_get,
    pack_question,
)
from sessile.wire.opaque import Opaque

Told: TypeAlias = dict[str, str] | StoreUnavailable
"""What a server told of itself, or why it did not."""


class Swap(Enum):
    """What became of an item that was to take the place of another one."""

    STORED = "it stands there"
    CHANGED = "another one had taken the place; nothing was stored"
    GONE = "there was none any more; nothing was stored"


_SWAPS: Final = {STORED: Swap.STORED, EXISTS: Swap.CHANGED, NOT_FOUND: Swap.GONE}


class MemcachedClient:
    """Everything that this process asks of its memcached servers.

    A refused ``add`` or ``swap``, as of data that is too large, leaves what was there as it was.

    Args:
        endpoint: the servers.
        clock: seconds since 1970; what is to be kept for more than 30 days is told as a date.
        lookup: finds the addresses of a server's name, as ``socket.getaddrinfo`` does.
    """

    def __init__(
        self,
        endpoint: MemcachedEndpoint,
        *,
        clock: Callable[[], Instant] = system.clock,
        lookup: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._clock, self._name = clock, endpoint.name
        self._nodes = {place.label: Node(place, lookup) for place in endpoint.places}
        self._labels = tuple(self._nodes)
        self._closed = False

    def get(
        self, key: str, *names: str, is_large: bool = False, what: str = "get"
    ) -> Ask[list[CacheItem | None]]:
        """Return the Ask for items of one server, each in the place of its name.

        Args:
            key: whose server it is.
            names: what they were stored under.
            is_large: they are likely to be; small ones do not wait behind them.
            what: its name in traces, as with every other Ask.

        Raises:
            StoreClosed: the client was closed, as with every other Ask.
            ValueError: a server would not take a name, as with every other Ask.
        """
        interpret = partial(_items, [encode_name(name) for name in names])
        return self._ask(what, key, pack_get(names), Repeat.HARMLESS, interpret, is_large=is_large)

    def add(
        self, key: str, name: str, data: bytes, expires_in: Seconds, *, what: str = "add"
    ) -> Ask[bool]:
        """Return the Ask to keep an item; False where there is one of that name.

        It is sent once. Where the answer is lost it may have been stored.

        Args:
            key: whose server it is.
            name: what it is stored under.
            data: what is stored.
            expires_in: seconds; 0 for ever. The server may be a second early or late.
            what: as of ``get``.
        """
        packed = pack_add(name, data, exptime(expires_in, self._clock()))
        return self._ask(what, key, packed, Repeat.NEVER, partial(_equals, STORED))

    def swap(
        self,
        key: str,
        name: str,
        data: bytes,
        unique: int,
        expires_in: Seconds,
        *,
        what: str = "cas",
    ) -> Ask[Swap]:
        """Return the Ask to put an item in the place of the one that has that token.

        It is sent once. Where the answer is lost it may have been stored. What expires before now
        is over as soon as it is stored: so an item is removed if it still has its token, which no
        command of the protocol does by itself.

        Args:
            key: whose server it is.
            name: what both are stored under.
            data: what is stored.
            unique: the token of the other one, as it was read.
            expires_in: as of ``add``.
            what: as of ``get``.

        Raises:
            StoreUnavailable: the server gives no tokens.
        """
        packed = self._pack_cas(name, data, unique, expires_in)
        return self._ask(what, key, packed, Repeat.NEVER, _SWAPS.__getitem__)

    def swap_and_get(
        self,
        key: str,
        name: str,
        data: bytes,
        unique: int,
        expires_in: Seconds,
        *,
        other: str,
        what: str = "cas",
    ) -> Ask[tuple[Swap, CacheItem | None]]:
        """Return the Ask for a ``swap`` and, sent together with it, another item of that server.

        Args:
            key: as of ``swap``, and so are the others.
            name: what both are stored under.
            data: what is stored.
            unique: the token of the item in whose place it is put.
            expires_in: as of ``add``.
            other: the name of the other item.
            what: as of ``get``.
        """
        self.check_open()
        packed = self._pack_cas(name, data, unique, expires_in)
        node = self._nodes[self.server_of(key)]
        interpret = partial(_swap_and_item, encode_name(other))
        return node.ask_both(f"memcached {what}", packed, pack_get((other,)), interpret)

    def delete(self, key: str, name: str) -> Ask[bool]:
        """Return the Ask to remove an item; False where there was none.

        Sent a second time it says True: who removed it nobody can tell, and it is gone.
        """
        return self._ask("delete", key, pack_delete(name), Repeat.TOLD, _is_deleted)

    def ask_each(self, question: Question) -> Ask[dict[str, Told]]:
        """Return the Ask for what every server says of itself, by host and port; of all at once.

        One that does not answer is no error: its ``StoreUnavailable`` stands in its place.
        """
        self.check_open()
        asks = [
            node.ask(f"memcached {question.value}", pack_question(question), Repeat.HARMLESS, dict)
            for node in self._nodes.values()
        ]
        return Ask(
            f"memcached {question.value}", partial(self._block, asks), partial(self._wait, asks)
        )

    def check_open(self) -> None:
        """Do nothing if the client is open.

        Raises:
            StoreClosed: it was closed.
        """
        if self._closed:
            raise StoreClosed(TEXT.store)

    def close(self) -> Ask[None]:
        """Return the Ask that closes every connection; harmless when repeated."""
        return Ask("memcached close", self._close, self._close_and_wait)

    def keys(self) -> dict[str, str]:
        """Return a key of each server, by host and port: for what is asked of one by its place."""
        found: dict[str, str] = {}
        for number in count():
            found.setdefault(self.server_of(str(number)), str(number))
            if len(found) == len(self._labels):
                return {label: found[label] for label in self._labels}
        raise AssertionError("there are numbers enough")

    def server_of(self, key: str) -> str:
        """Return the host and port, or the socket's path, of the server of a key."""
        return self._labels[0] if len(self._labels) == 1 else rendezvous(key, self._labels)

    def _pack_cas(self, name: str, data: bytes, unique: int, expires_in: Seconds) -> Opaque:
        if not unique:  # of a server without tokens; each comparison would fail, for ever
            raise StoreUnavailable(
                self._name,
                "a server compares nothing (-C), so nothing can change: start it without",
            )
        return pack_cas(name, data, unique, exptime(expires_in, self._clock()))

    def _ask(
        self,
        what: str,
        key: str,
        packed: Opaque,
        repeat: Repeat,
        interpret: Callable[[Any], Any],
        *,
        is_large: bool = False,
    ) -> Ask[Any]:
        self.check_open()
        node = self._nodes[self.server_of(key)]
        return node.ask(f"memcached {what}", packed, repeat, interpret, is_large=is_large)

    def _block(self, asks: "list[Ask[dict[str, str]]]") -> dict[str, Told]:
        with ThreadPoolExecutor(len(asks)) as threads:  # one that is silent keeps none waiting
            told = list(threads.map(_tell, asks))
        return dict(zip(self._labels, told, strict=True))

    async def _wait(self, asks: "list[Ask[dict[str, str]]]") -> dict[str, Told]:
        waits = [ask.wait() for ask in asks if ask.wait is not None]
        told = await asyncio.gather(*waits, return_exceptions=True)
        for each in told:
            if isinstance(each, BaseException) and not isinstance(each, StoreUnavailable):
                raise each
        return dict(zip(self._labels, told, strict=True))  # type: ignore[arg-type]  # see above

    def _close(self) -> None:
        self._closed = True
        for node in self._nodes.values():
            node.close()

    async def _close_and_wait(self) -> None:
        self._closed = True
        await asyncio.gather(*(node.aclose() for node in self._nodes.values()))


def _items(names: list[bytes], found: dict[bytes, CacheItem]) -> list[CacheItem | None]:
    return [found.get(name) for name in names]


def _swap_and_item(
    name: bytes, line: bytes, found: dict[bytes, CacheItem]
) -> tuple[Swap, CacheItem | None]:
    return _SWAPS[line], found.get(name)


def _equals(wanted: bytes, line: bytes) -> bool:
    return line == wanted


def _is_deleted(line: bytes | Repeated) -> bool:
    return isinstance(line, Repeated) or line == DELETED


def _tell(ask: "Ask[dict[str, str]]") -> Told:
    try:
        return ask.block()
    except StoreUnavailable as error:
        return error
