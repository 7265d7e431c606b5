"""``backup://`` on five NATS servers: who has a session, and whose death stalls which."""

import pytest

from harness.nats_server import NatsCluster, wait_for
from sessile.core.flow import run
from sessile.stores.backup import BackupStore
from sessile.stores.contract import Committed
from sessile.stores.finding import Mark
from sessile.stores.placement import CopyState
from sessile.testing.sample import change, record

BUCKET = "shop"
SHARDS = 6
LONG = 30.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with NatsCluster(tmp_path_factory.mktemp("nats"), number=5) as cluster:
        yield cluster


@pytest.fixture
def healed(cluster):
    """The cluster, with all servers; and so it is left."""
    cluster.heal()
    yield cluster
    cluster.heal()


@pytest.fixture
def store(healed):
    """A store whose acts outlast an election, in a bucket that is empty."""
    url = f"{healed.url.replace('nats:', 'backup:')}/{BUCKET}?shards={SHARDS}&timeout={LONG}"
    store = BackupStore.from_url(url)
    wait_for(lambda: run(store.ping()) is None, lambda: "the shards are not made", LONG)
    run(store.end_everybody())
    yield store
    run(store.close())


def leaders(cluster):
    """Return who leads each shard, and since when."""
    infos = [
        cluster.api(f"STREAM.INFO.SESSILE_{BUCKET}_{number}")["cluster"] for number in range(SHARDS)
    ]
    return [(info.get("leader"), info.get("leader_since")) for info in infos]


def one_in_each(store):
    """Make a session in each shard; return them in the shards' order."""
    rows = {}
    for number in range(200):
        row = record(f"row {number}")
        rows.setdefault(store._shards.of_key(row.key).place.shard, row)
    found = [rows[number] for number in range(SHARDS)]
    for row in found:
        run(store.create(row))
    return found


def write(store, rows):
    """Change each session once; return them as they are then."""
    steps = [change(row, {"n": b"1"}) for row in rows]
    assert all(isinstance(run(store.commit(step)), Committed) for step in steps)
    return [step.record for step in steps]


@pytest.mark.parametrize("way", ["stop", "freeze"])
def test_death_of_a_primary_stalls_its_own_shards_alone(store, healed, way):
    """The others keep their primaries, and nothing that was acknowledged is lost."""
    rows = write(store, one_in_each(store))
    before = leaders(healed)
    victim = next(server for server in healed.servers if server.name == before[0][0])
    getattr(victim, way)()
    rows = write(store, rows)

    found = [run(store.read(row.key)) for row in rows]
    there = next(server for server in healed.servers if server is not victim)
    after = [there.api(f"STREAM.INFO.SESSILE_{BUCKET}_{number}") for number in range(SHARDS)]
    now = [(each["cluster"]["leader"], each["cluster"]["leader_since"]) for each in after]
    assert found == rows
    assert [new == old for new, old in zip(now, before, strict=True)] == [
        name != victim.name for name, _ in before
    ]


def test_session_has_a_primary_two_backups_and_proxies(store, healed):
    """As its servers say; one that dies is named, and its copy is away."""
    row = one_in_each(store)[0]
    place = run(store.placement(row.key))

    assert place.shard == f"SESSILE_{BUCKET}_0"
    assert place.primary == leaders(healed)[0][0]
    assert len(place.backups) == 2
    assert set(place.backups) | {place.primary} | set(place.proxies) <= set("abcde")
    assert not set(place.proxies) & {place.primary, *place.backups}

    lost = next(server for server in healed.servers if server.name == min(place.backups))
    lost.stop()
    wait_for(
        lambda: run(store.placement(row.key)).backups.get(lost.name) is CopyState.AWAY,
        lambda: "nobody misses it",
        LONG,
    )
    told = {each.subject: each for each in run(store.diagnose())}
    assert told["followers"].mark is Mark.WRONG
    assert lost.name in told["followers"].message
