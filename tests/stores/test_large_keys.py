"""Large sessions on Redis: they have a connection of their own, and pages are bounded in bytes."""

import asyncio

from sessile.core.flow import arun, run
from sessile.stores.contract import PAGE_BYTES, Page
from sessile.stores.redis import RedisStore
from sessile.testing.sample import key, record
from sessile.wire.commands.lane import LARGE

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
    monkeypatch.setattr("sessile.stores.large_keys._MOST_LARGE", 2)
    store = RedisStore.from_url(URL.format(own_redis.port))
    for name in ("a", "b", "c", "d", "e"):
        run(store.create(record(name, data={"fat": bytes(LARGE)})))
        assert run(store.read(key(name))) is not None
        assert len(store._large._keys) <= 2
    run(store.close())


def test_no_answer_of_a_scan_has_more_than_a_page(own_redis):
    """However large sessions are, one page of them is on its way at a time, and none is read twice.

    The rest of what the server listed at once needs no listing again: one script for each page.
    """
    store, number, size = RedisStore.from_url(URL.format(own_redis.port)), 24, PAGE_BYTES * 2 // 5
    for n in range(number):
        run(store.create(record(f"row {n}", data={"fat": bytes(size)})))
    run(store.scan())
    own_redis.ask("CONFIG", "RESETSTAT")
    found, sent, cursor = [], [], None
    while cursor is not None or not sent:
        before = own_redis.ask("INFO", "stats")["total_net_output_bytes"]
        page = run(store.scan(cursor))
        sent.append(own_redis.ask("INFO", "stats")["total_net_output_bytes"] - before)
        found += [row.key for row in page.records]
        cursor = page.cursor
    run(store.close())

    assert sorted(found) == sorted(key(f"row {n}") for n in range(number))
    assert max(sent) < PAGE_BYTES + size + 65_536
    calls = own_redis.calls()
    assert calls["scan"] == 1
    assert calls["evalsha"] == len(sent) == number / 3


def test_cursor_of_a_scan_names_sessions_alone(own_redis):
    """Whoever makes up a cursor reads no key that is none of a session."""
    store = RedisStore.from_url(URL.format(own_redis.port))
    run(store.create(record("a")))
    page = run(store.scan(f"0,@generation,../x,{key('a')},{key('gone')}"))
    run(store.close())

    assert page == Page([record("a")], None)
