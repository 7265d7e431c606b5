"""Where the contract suite finds Redis: one database of the shared server, emptied each time."""

import itertools

from servers import shared_redis
from sessile.core.ticket import Key
from sessile.stores.redis import RedisStore
from sessile.testing.clock import T0
from sessile.testing.place import Place

NUMBERS = itertools.count()
DATABASE = 9


class OnRedis(Place):
    """One prefix; its neighbour's begins alike."""

    def __init__(self, folder):
        super().__init__(folder)
        self.server = shared_redis()
        self.prefix = f"place{next(NUMBERS)}"
        self.url = self.server.url.removesuffix("/0") + f"/{DATABASE}"

    def leave(self) -> None:
        self.ask("FLUSHDB")

    def ask(self, *words):
        return self.server.ask(*words, db=DATABASE)

    def open(self) -> RedisStore:
        return RedisStore.from_url(f"{self.url}?prefix={self.prefix}")

    def neighbour(self) -> RedisStore:
        return RedisStore.from_url(f"{self.url}?prefix={self.prefix}:")

    def open_with_password(self, password: str) -> RedisStore:
        return RedisStore.from_url(self.url.replace("://", f"://user:{password}@"))

    def dump(self) -> bytes:
        names = self.ask("KEYS", f"{self.prefix}*")
        return b"".join(name + self.ask("DUMP", name) for name in names)

    def spoil(self, key: Key, blob: bytes) -> None:
        generation = self.ask("GET", f"{self.prefix}@generation")
        self.ask("SET", self.prefix + key, generation + blob, "KEEPTTL")

    def server_expiry(self, key: Key) -> float:
        return T0 + self.ask("PTTL", self.prefix + key) / 1000

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()
