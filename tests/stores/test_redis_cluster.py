"""What is a cluster's own in its store: partitions, slots that move, nodes that die, commands."""

import asyncio
import hashlib
import logging
import threading

import pytest

from harness.backends import ClusterPlace
from harness.sentinels import eventually
from sessile.core.flow import arun, run
from sessile.core.record import RecordKind
from sessile.errors import ConfigError, StoreClosed, StoreUnavailable
from sessile.stores.contract import COMMITTED, Committed, Conflict, Key, Record, Replaced
from sessile.stores.finding import Mark
from sessile.stores.redis import RedisStore
from sessile.stores.redis_cluster import RedisClusterStore
from sessile.stores.redis_partitions import PARTITIONS, Partitions, tags
from sessile.testing.promises.scanning import scan_all
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire.redis.slots import SLOTS, slot_of

GRAVE = record("a", idle=120.0, version=0, kind=RecordKind.TOMBSTONE)


@pytest.fixture
def place(redis_cluster, tmp_path):
    place = ClusterPlace(tmp_path)
    yield place
    redis_cluster.heal()
    place.leave()


@pytest.fixture
def store(place, drive):
    store = place.open()
    yield store
    drive(store.close())


@pytest.fixture
def hasty(place, drive):
    """A store that gives up soon."""
    store = RedisClusterStore.from_url(place.url(timeout=0.3))
    yield store
    drive(store.close())


def row(place, name="a"):
    """Return the key of a session's row at the nodes."""
    return place.row(key(name)).prefix + key(name)


# Partitions


def test_tags_never_change():
    """With other tags no row that is stored would be found."""
    digest = hashlib.sha256(",".join(tags()).encode()).hexdigest()

    assert tags()[:3] == ("460", "14", "278")
    assert digest == "148c494e3e562af81d14968f6c120b0daa169d5f13394ec62426a63f053a0d52"


def test_slots_are_spread_evenly():
    """Each share of the slots has one partition: nodes that have as many slots are as full."""
    shares = [slot_of(f"{{{tag}}}") * PARTITIONS // SLOTS for tag in tags()]

    assert shares == list(range(PARTITIONS))


def test_keys_are_dealt_out_evenly():
    """Every partition has as many of the beginnings that a key may have."""
    partitions = Partitions(None, "sessile:", "")
    sizes = [list(partitions.by_start.values()).count(one) for one in partitions.all]

    assert set(sizes) == {64 * 64 // PARTITIONS}
    assert len(partitions.by_start) == 64 * 64


def test_row_is_where_its_generation_is(place, store, drive):
    """A record, its generation, and nothing else of the store, is in one slot."""
    drive(store.create(record("a")))
    drive(store.replace(login(record("b", owner="alice"))))
    names = [name for node in place.cluster.primaries() for name in node.ask("KEYS", "*")]
    rows = [name for name in names if b"@" not in name]

    assert len(rows) == 2
    for name in rows:
        generation = name[: name.index(b"}") + 1] + b"@generation"
        assert generation in names
        assert slot_of(generation) == slot_of(name)


# Commands


@pytest.mark.parametrize(
    ("act", "commands"),
    [
        (lambda store: store.read(key("a")), {"mget": 1}),
        (lambda store: store.create(record("new")), {"evalsha": 1}),
        (lambda store: store.commit(change(record("a"), {"n": b"1"})), {"evalsha": 1}),
        (lambda store: store.commit(change(record("b", owner="alice"))), {"evalsha": 2}),
        (lambda store: store.delete(key("a")), {"evalsha": 1}),
        (lambda store: store.delete(key("b"), "alice"), {"evalsha": 2}),
        (lambda store: store.replace(login(record("n"))), {"evalsha": 1}),
        (
            lambda store: store.replace(login(record("n", owner="alice"), limit=9)),
            {"evalsha": 4},  # newest, prepare, enter, replace
        ),
        (
            lambda store: store.replace(
                login(record("n", owner="alice"), limit=9, old=record("a"), tombstone=GRAVE)
            ),
            {"evalsha": 7, "exists": 1},  # and the lock, and two to settle
        ),
        (lambda store: store.owned_by("alice"), {"evalsha": 1, "mget": 1}),
        (lambda store: store.delete_owned("alice"), {"evalsha": 4, "mget": 1}),
    ],
    ids=[
        "read", "create", "commit", "touch", "delete", "logout", "visitor", "login", "login from",
        "owned_by", "delete_owned",
    ],
)  # fmt: skip
def test_commands_of_an_act(store, place, drive, act, commands):
    """A page is one command, a change another; a login takes more, in the name of its order."""
    drive(store.create(record("a")))
    drive(store.replace(login(record("b", owner="alice"))))
    drive(store.ping())
    for node in place.cluster.nodes:
        node.ask("SCRIPT", "FLUSH")
        node.ask("CONFIG", "RESETSTAT")
    drive(act(store))

    calls = place.cluster.calls()
    asked = {"evalsha": calls["evalsha"]} | {n: calls[n] for n in ("mget", "exists") if calls[n]}
    assert {name: count for name, count in asked.items() if count} == commands


# Slots that move


def test_row_is_read_at_every_step_of_its_migration(place, store, drive):
    """Whatever of a slot has moved, its sessions are read; and they are changed once it is over."""
    drive(store.create(record("a")))
    migration = place.cluster.migrate(place.row(key("a")).slot).begin()
    assert drive(store.read(key("a"))) == record("a")
    migration.move(place.row(key("a")).generation)
    assert drive(store.read(key("a"))) == record("a")
    migration.move(row(place))
    assert drive(store.read(key("a"))) == record("a")
    assert drive(store.commit(change(record("a"), {"n": b"1"}))) == COMMITTED
    migration.move()
    migration.end()

    assert drive(store.read(key("a"))) == change(record("a"), {"n": b"1"}).record


def test_change_waits_for_a_row_that_is_apart_from_its_generation(place, hasty, drive):
    """It is told in time that nothing was done, and made when both are at one node."""
    drive(hasty.create(record("a")))
    with place.cluster.migrate(place.row(key("a")).slot) as migration:
        migration.move(place.row(key("a")).generation)
        with pytest.raises(StoreUnavailable, match="TRYAGAIN"):
            drive(hasty.commit(change(record("a"))))
        assert drive(hasty.read(key("a"))) == record("a")
        migration.move()
        assert drive(hasty.commit(change(record("a")))) == COMMITTED


def test_scan_begins_anew_where_slots_have_moved(place, store, drive):
    """What moves from a node that is not yet looked at to one that was is on some page."""
    rows = {key(f"row {n}"): record(f"row {n}") for n in range(60)}
    for one in rows.values():
        drive(store.create(one))
    order = drive(store._client.slot_map()).primaries
    first, last = (_node_at(place, order[at]) for at in (0, -1))
    moving = [slot for slot in slots_of(place, rows) if place.cluster.primary_of(slot) is last][:3]
    assert moving
    found, cursor = set(), None
    while cursor is None or cursor.split(",")[1] == "0":  # until the first node is done
        page = drive(store.scan(cursor, 10))
        found |= {one.key for one in page.records}
        cursor = page.cursor
    for slot in moving:
        place.cluster.migrate(slot, first).run()
    while cursor is not None:
        page = drive(store.scan(cursor, 10))
        found |= {one.key for one in page.records}
        cursor = page.cursor
    for slot in moving:
        place.cluster.migrate(slot, last).run()

    assert found == set(rows)


def test_scan_finds_what_is_on_its_way(place, store, drive):
    """What has left a node before it was looked at, for one that was, is on the last page."""
    rows = {key(f"row {n}"): record(f"row {n}") for n in range(60)}
    for one in rows.values():
        drive(store.create(one))
    order = drive(store._client.slot_map()).primaries
    first, last = (_node_at(place, order[at]) for at in (0, -1))
    slot = next(s for s in slots_of(place, rows) if place.cluster.primary_of(s) is last)
    found, cursor = set(), None
    while cursor is None or cursor.split(",")[1] == "0":  # until the first node is done
        page = drive(store.scan(cursor, 10))
        found |= {one.key for one in page.records}
        cursor = page.cursor
    with place.cluster.migrate(slot, first) as migration:
        migration.move()
        while cursor is not None:
            page = drive(store.scan(cursor, 10))
            found |= {one.key for one in page.records}
            cursor = page.cursor
    place.cluster.migrate(slot, last).run()

    assert found == set(rows)


def slots_of(place, rows):
    """Return the slots of some rows, in order."""
    return sorted({place.row(name).slot for name in rows})


def _node_at(place, where):
    return next(node for node in place.cluster.nodes if node.place == where)


def test_nothing_is_lost_while_slots_move(place, store):
    """Writers that count while their slots move to and fro find every change that was told."""
    names = [f"counter {n}" for n in range(8)]
    for name in names:
        run(store.create(record(name, data={"n": b"0"})))
    over = threading.Event()

    async def count(name):
        told = 0
        while not over.is_set():
            try:
                found = await arun(store.read(key(name)))
                number = int(found.data["n"]) + 1
                result = await arun(store.commit(change(found, {"n": b"%d" % number})))
            except StoreUnavailable:  # a slot that takes longer than the time limit
                continue
            told += isinstance(result, Committed)
        return told

    async def counts():
        try:
            return await asyncio.gather(*map(count, names))
        finally:
            await arun(store.close())

    def reshard():
        try:
            for name in names:
                slot = place.row(key(name)).slot
                owner = place.cluster.primary_of(slot)
                place.cluster.migrate(slot).run()
                place.cluster.migrate(slot, owner).run()
        finally:
            over.set()

    mover = threading.Thread(target=reshard)
    mover.start()
    told = asyncio.run(counts())
    mover.join()
    after = place.open()
    kept = [int(run(after.read(key(name))).data["n"]) for name in names]
    run(after.close())
    assert kept == told
    assert min(told) > 0


# Nodes that die


@pytest.mark.parametrize("kill", [True, False])
def test_no_acknowledged_change_is_lost_by_a_fail_over(place, drive, kill):
    """With ``acks=1`` the replica that takes over has all that was acknowledged."""
    store = RedisClusterStore.from_url(place.url(timeout=20) + "&acks=1")
    current = record("a", data={"n": b"0"})
    drive(store.create(current))
    node = place.cluster.primary_of(place.row(key("a")).slot)
    for number in range(20):
        step = change(current, {"n": b"%d" % number})
        assert drive(store.commit(step)) == COMMITTED
        current = step.record
    if kill:
        node.stop()
    else:
        place.cluster.fail_over(node)
    eventually(lambda: serves(drive, store, "a"), "the replica is the primary")
    assert drive(store.read(key("a"))) == current
    place.cluster.heal()
    assert drive(store.commit(change(current, {"n": b"last"}))) == COMMITTED
    drive(store.close())


def serves(drive, store, name):
    """Tell whether a session can be read."""
    try:
        return isinstance(drive(store.read(key(name))), Record)
    except StoreUnavailable:
        return False


def test_change_without_enough_replicas_is_not_acknowledged(place, drive):
    """Where the replica is gone ``acks=1`` says so of a change, and a read goes on."""
    store = RedisClusterStore.from_url(place.url(timeout=5) + "&acks=1")
    drive(store.create(record("a")))
    node = place.cluster.primary_of(place.row(key("a")).slot)
    node.ask("SCRIPT", "FLUSH")
    place.cluster.replica_of(node).stop()
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
        drive(store.commit(change(record("a"))))
    assert isinstance(drive(store.read(key("a"))), Record)
    drive(store.close())


@pytest.fixture
def full(place):
    """Fill every node, for those who write, once it is called."""
    nodes = place.cluster.nodes
    yield lambda: [node.ask("CONFIG", "SET", "maxmemory", "1") for node in nodes]
    for node in nodes:
        node.ask("CONFIG", "SET", "maxmemory", "0")


def test_logout_holds_on_a_full_cluster(full, store, drive):
    """It needs less memory than there was, and leaves a tombstone even so."""
    drive(store.replace(login(record("a", owner="alice"))))
    full()
    drive(store.delete(key("a"), "alice", leaving=GRAVE))

    assert drive(store.read(key("a"))) == GRAVE
    assert records_of(store, drive, "alice") == []


def test_everybody_is_ended_on_a_full_cluster(full, store, drive):
    """Whoever ends everybody need not find memory first."""
    drive(store.create(record("a")))
    full()
    drive(store.end_everybody())

    assert drive(store.read(key("a"))) is None


@pytest.mark.parametrize("is_there", [True, False], ids=["moved", "on its way"])
def test_everybody_is_ended_while_slots_move(place, store, drive, monkeypatch, is_there):
    """A generation that has left its node since the look at the slots is found where it is."""
    drive(store.create(record("a")))
    partition = place.row(key("a"))
    migration = place.cluster.migrate(partition.slot)
    begin = RedisClusterStore._begin_generations

    async def move_first(*words):
        migration.begin()
        migration.move(partition.generation)
        if is_there:
            migration.move()
            migration.end()
        return await begin(*words)

    monkeypatch.setattr(RedisClusterStore, "_begin_generations", move_first)
    drive(store.end_everybody())

    assert drive(store.read(key("a"))) is None
    migration.move()
    migration.end()
    assert drive(store.read(key("a"))) is None


def test_end_of_everybody_waits_for_its_replicas(place, drive):
    """With ``acks=1`` it is told only where a fail-over of any primary could not undo it."""
    store = RedisClusterStore.from_url(place.url(timeout=5) + "&acks=1")
    drive(store.create(record("a")))
    drive(store.end_everybody())
    place.cluster.replica_of(place.cluster.primaries()[-1]).stop()
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
        drive(store.end_everybody())
    drive(store.close())


def test_end_of_everybody_fails_where_a_node_is_gone(place, hasty, store, drive):
    """Whoever is not told that everybody ended asks again; logins are not refused meanwhile."""
    rows = [record(f"row {n}") for n in range(30)]
    for one in rows:
        drive(store.create(one))
    node = place.cluster.primaries()[0]
    node.freeze()
    with pytest.raises(StoreUnavailable):
        drive(hasty.end_everybody())
    place.cluster.heal()
    new = record("new", owner="alice")
    visitor = record("visitor")
    drive(store.create(visitor))
    assert drive(store.replace(login(new, old=visitor))) == Replaced()
    drive(store.end_everybody())
    assert [drive(store.read(Key(one.key))) for one in (*rows, new)] == [None] * 31


def test_login_waits_while_everybody_is_ended(place, store, drive):
    """A login that carries a session over is told so, where whoever ends everybody has crashed."""
    drive(store.create(record("a")))
    first = store._partitions.all[0]
    place.cluster.primary_of(first.slot).ask("SADD", store._partitions.ending, "crashed")
    new = record("new", owner="alice")
    with pytest.raises(StoreUnavailable, match="everybody is being ended"):
        drive(store.replace(login(new, old=record("a"))))
    assert drive(store.read(key("a"))) == record("a")
    assert records_of(store, drive, "alice") == []
    assert drive(store.replace(login(record("other", owner="bob")))) == Replaced()


# What is wrong at the start


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+cluster://one:7000/1", "a cluster has one alone"),
        ("redis+cluster://one:7000/shop/0", "a cluster has one alone"),
        ("redis+cluster://one?prefix={a}", "leave braces out"),
        ("redis+cluster://one?db=1", "unknown option 'db'"),
        ("redis+cluster://one?acks=-1", "write a whole number above 0"),
        ("rediss+cluster://one?ca=/nowhere", "TLS files /nowhere"),
    ],
)
def test_wrong_url_says_what_to_write(url, says):
    """It is refused before anything is connected."""
    with pytest.raises(ConfigError, match=says):
        RedisClusterStore.from_url(url)


def test_server_that_is_no_cluster_says_so(own_redis, drive):
    """A server by itself is reached by another URL, which the error names."""
    store = RedisClusterStore.from_url(f"redis+cluster://localhost:{own_redis.port}?timeout=2")
    with pytest.raises(StoreUnavailable, match="redis://"):
        drive(store.read(key("a")))
    drive(store.close())


@pytest.mark.parametrize(
    "act", [RedisStore.scan, RedisStore.count, RedisStore.end_everybody, RedisStore.diagnose]
)
def test_store_of_one_server_refuses_a_node(place, store, drive, act):
    """``redis://`` at a node would list nobody, and say that it had ended everybody."""
    drive(store.create(record("a")))
    alone = [RedisStore.from_url(f"redis://127.0.0.1:{one.port}") for one in place.cluster.nodes]
    for other in alone:
        with pytest.raises(StoreUnavailable, match=r"write redis\+cluster://"):
            drive(act(other))
        drive(other.close())

    assert drive(store.read(key("a"))) == record("a")


def test_one_seed_that_lives_is_enough(place, drive):
    """The nodes that the URL names name the others; those that are gone are passed over."""
    port = place.cluster.primaries()[0].port
    store = RedisClusterStore.from_url(f"redis+cluster://127.0.0.1:1,127.0.0.1:{port}?timeout=5")
    drive(store.create(record("a")))
    assert drive(store.read(key("a"))) == record("a")
    drive(store.delete(key("a")))
    drive(store.close())


def test_doctor_finds_a_cluster_well_and_ill(place, store, drive):
    """What all nodes share is said once, and what one has is said of that."""
    findings = drive(store.diagnose())
    assert [one.mark for one in findings if one.subject == "cluster"] == [Mark.FINE]
    node = place.cluster.primaries()[0]
    node.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    told = [one.message for one in drive(store.diagnose()) if one.subject == "eviction"]
    node.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert len(told) == 2
    assert sum(f"127.0.0.1:{node.port}" in message for message in told) == 1


def test_doctor_names_slots_that_are_on_their_way(place, store, drive):
    """A resharding that was broken off leaves them so, and changes of sessions there fail."""
    slot = place.row(key("a")).slot
    with place.cluster.migrate(slot):
        told = [one for one in drive(store.diagnose()) if one.subject == "slots"]

    assert [(one.mark, f"slot {slot} " in one.message) for one in told] == [(Mark.NOTE, True)]
    assert not [one for one in drive(store.diagnose()) if one.subject == "slots"]


def test_node_that_lost_its_data_is_logged_once(place, store, drive, caplog):
    """It has dozens of generations, and each of them is missing."""
    rows = [record(f"row {n}") for n in range(100)]
    for one in rows:
        drive(store.create(one))
        drive(store.read(Key(one.key)))
    place.cluster.primaries()[0].ask("FLUSHALL")
    living = [one for one in rows if drive(store.read(Key(one.key))) == one]

    (line,) = [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert "whose session was there has to log in again" in line.getMessage()
    assert 0 < len(living) < len(rows)


def test_closed_store_asks_nobody(place, drive):
    """After the close every act says so."""
    store = place.open()
    drive(store.close())
    for act in (store.read(key("a")), store.ping(), store.scan(), store.end_everybody()):
        with pytest.raises(StoreClosed):
            drive(act)


def test_row_of_another_type_is_corrupt_or_absent(place, store, drive):
    """What somebody else put under the key of a session opens nothing, and can be removed."""
    drive(store.create(record("a")))
    node = place.cluster.primary_of(place.row(key("a")).slot)
    node.ask("DEL", row(place))
    node.ask("SADD", row(place), "foreign")

    assert not isinstance(drive(store.read(key("a"))), Record)
    assert not isinstance(drive(store.commit(change(record("a")))), Committed | Conflict)
    drive(store.delete(key("a")))
    drive(store.create(record("a")))
    assert drive(store.read(key("a"))) == record("a")
    assert set(scan_all(store, drive)) == {key("a")}
