"""A leader of three NATS servers that hung, and goes on when another one leads: nobody hears it."""

import asyncio
from contextlib import suppress

import pytest

from harness.nats_server import NatsCluster, wait_for
from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.stores.nats import NatsStore
from sessile.testing.sample import change, key, record

BUCKET = "shop"
LONG = 60
"""Seconds that outlast any election, on a busy machine too."""

READERS = 100
ROUNDS = 2


@pytest.fixture
def cluster(tmp_path):
    with NatsCluster(tmp_path) as cluster:
        wait_for(lambda: make(cluster), lambda: "nobody makes the stream")
        yield cluster


def make(cluster):
    """Try to make the stream: the servers take a while to know each other."""
    store = NatsStore.from_url(f"{cluster.url}/{BUCKET}?timeout={LONG}")
    with suppress(StoreUnavailable):
        run(store.end_everybody())
        return True
    run(store.close())
    return False


def leader_of(servers):
    """Return the one that leads, as soon as those know."""

    def look():
        with suppress(OSError, KeyError):
            told = servers[0].api(f"STREAM.INFO.SESSILE_{BUCKET}")
            found.extend(each for each in servers if each.name == told["cluster"]["leader"])
        return found

    found = []
    wait_for(look, lambda: "they have no leader")
    return found[0]


async def read(store):
    """Return the version that is read; None where there is no answer."""
    with suppress(StoreUnavailable):
        return (await arun(store.read(key("a")))).version


async def swap(cluster, row):
    """Return what was written last, and the versions that were read as the old leader came back.

    The new one hangs then, so that whoever takes itself for the leader is not outrun.
    """
    old = leader_of(cluster.servers)
    others = [each for each in cluster.servers if each is not old]
    places = ",".join(each.place for each in others)
    writer = NatsStore.from_url(f"nats://{places}/{BUCKET}?timeout={LONG}")
    await arun(writer.read(row.key))
    old.freeze()
    for number in range(5):
        step = change(row, {"n": b"%d" % number})
        await arun(writer.commit(step))
        row = step.record
    new = leader_of(others)
    (third,) = (each for each in others if each is not new)
    store = NatsStore.from_url(f"{third.url}/{BUCKET}?timeout=2")
    for _ in range(3):
        assert (await arun(store.read(row.key))).version == row.version

    new.freeze()
    readers = [asyncio.create_task(read(store)) for _ in range(READERS)]
    await asyncio.sleep(0.1)  # they have asked
    old.thaw()
    await asyncio.sleep(0.2)
    new.thaw()
    versions = await asyncio.gather(*readers)
    for each in (writer, store):
        await arun(each.close())
    return row, versions


def test_leader_that_hung_is_not_heard_when_it_goes_on(cluster):
    """It takes itself for the leader for an instant, and answers what it was asked meanwhile."""
    store = NatsStore.from_url(f"{cluster.url}/{BUCKET}?timeout={LONG}")
    row = record("a")
    run(store.create(row))
    for _ in range(ROUNDS):
        cluster.heal()
        row, versions = asyncio.run(swap(cluster, row))
        assert set(versions) <= {row.version, None}
    run(store.close())
