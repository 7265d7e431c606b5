"""Large sessions on Redis have a connection of their own, so that small ones need not wait."""

import asyncio

from sessile.core.flow import arun, run
from sessile.stores.redis import RedisStore
from sessile.testing.sample import key, record
from sessile.wire.redis.client import LARGE

URL = "redis://127.0.0.1:{}/0?timeout=20"


def test_large_session_is_read_beside_the_small_ones(own_redis):
    """What was large when it was last read is read where no small one waits behind it."""
    writer = RedisStore.from_url(URL.format(own_redis.port))
    run(writer.create(record("a", data={"fat": bytes(LARGE)})))
    run(writer.create(record("b")))
    run(writer.close())

    async def scenario():
        store = RedisStore.from_url(URL.format(own_redis.port))
        opened = []
        for name in ("b", "a", "b", "a", "a"):
            await arun(store.read(key(name)))
            opened.append(await asyncio.to_thread(own_redis.connections))
        await arun(store.close())
        return opened

    assert asyncio.run(scenario()) == [1, 1, 1, 2, 2]


def test_large_sessions_that_are_remembered_are_bounded(own_redis, monkeypatch):
    """However many large sessions there are, the names of some are kept and no more."""
    monkeypatch.setattr("sessile.stores.redis._MOST_LARGE", 2)
    store = RedisStore.from_url(URL.format(own_redis.port))
    for name in ("a", "b", "c", "d", "e"):
        run(store.create(record(name, data={"fat": bytes(LARGE)})))
        assert run(store.read(key(name))) is not None
        assert len(store._large) <= 2
    run(store.close())
