"""The feed of a Redis Cluster against a real one: slots that move, nodes that die, half a login."""

import threading
import time
from contextlib import contextmanager, suppress
from itertools import count

import pytest

from harness.backends import ClusterPlace
from harness.certificates import Authority
from harness.redis_cluster import ClusterNode, RedisCluster
from harness.redis_server import find_redis
from harness.sentinels import eventually
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Record
from sessile.stores.near import NearStore
from sessile.stores.redis_cluster import RedisClusterStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.feeds import hear, hear_until_now, listen
from sessile.testing.sample import change, key, login, record
from sessile.testing.step import Stepped
from sessile.wire.feed.follower import MOST_LATE

drive = Blocking()
PATIENCE = 60.0


@pytest.fixture
def place(redis_cluster, tmp_path):
    place = ClusterPlace(tmp_path)
    yield place
    redis_cluster.heal()
    place.leave()


@pytest.fixture
def store(place):
    store = RedisClusterStore.from_url(place.url(timeout=20))
    for name in ("b", "a"):  # and with them the generations of their partitions
        drive(store.create(record(name)))
    drive(store.delete(key("b")))
    yield store
    drive(store.close())


@pytest.fixture
def feed(store):
    feed = listen(store)
    hear_until_now(feed)
    yield feed
    feed.close()


@pytest.fixture
def near(place):
    """A near cache whose feed is passed on by hand."""
    near = NearStore(RedisClusterStore.from_url(place.url(timeout=20)), most=100)
    near.follower.start = lambda: None
    near.follower.step()
    yield near
    near.follower.disconnect()
    drive(near.close())


def until_now(near):
    """Have a near cache hear what changed until now."""
    now = time.monotonic()
    eventually(lambda: near.follower.step() is None or near.follower.epoch.as_of >= now, "a beat")


def test_what_is_done_by_hand_is_told(place, store, feed):
    """A command at a node, and one that empties it; indexes and other prefixes are nobody's."""
    partition = place.row(key("a"))
    node = place.cluster.primary_of(partition.slot)
    node.ask("SET", partition.prefix.replace(place.prefix, "other") + key("a"), "x")
    drive(store.replace(login(record("b", owner="alice"))))
    assert hear_until_now(feed) == {key("b")}
    node.ask("DEL", partition.prefix + key("a"))
    assert hear_until_now(feed) == {key("a")}
    node.ask("FLUSHALL")

    assert any(word.anything for word in hear(feed, lambda word: word.anything))


def test_writers_send_nothing_more(place, store):
    """The commands of an act are the same, with a listener and without one."""
    for node in place.cluster.nodes:
        node.load_scripts()

    def calls():
        for node in place.cluster.nodes:
            node.ask("CONFIG", "RESETSTAT")
        drive(store.commit(change(drive(store.read(key("a"))))))
        found = place.cluster.calls()
        return {name: found[name] for name in ("evalsha", "mget", "wait")}

    before = calls()
    feed = listen(store)
    hear_until_now(feed)
    after = calls()
    feed.close()

    assert before == after


def test_change_is_told_at_every_step_of_a_migration(place, store, feed):
    """Wherever the row is; and no other session is named."""
    current = drive(store.read(key("a")))
    drive(store.create(record("b")))
    hear_until_now(feed)
    migration = place.cluster.migrate(place.row(key("a")).slot)

    def commit():
        nonlocal current
        step = change(current, {"n": b"%d" % current.version})
        drive(store.commit(step))
        current = step.record

    ours = {key("a"), key("b")}  # what a test before this one kept may expire meanwhile
    for act in (migration.begin, commit, migration.move, commit, migration.end, commit):
        act()
        assert hear_until_now(feed) & ours == {key("a")}
    assert hear_until_now(feed) & ours == set()


def test_near_cache_follows_a_slot_that_moves(place, store, near):
    """What was read before, and on the way, is not served once it was changed."""
    current = drive(near.read(key("a")))
    migration = place.cluster.migrate(place.row(key("a")).slot)
    for act in (migration.begin, migration.move, migration.end):
        act()
        drive(near.read(key("a")))
        step = change(current, {"n": b"%d" % current.version})
        drive(store.commit(step))
        current = step.record
        until_now(near)
        copy = near.peek(key("a"), 0)
        assert copy is None or copy == current
        assert drive(near.read(key("a"))) == current


def test_node_that_has_no_slots_yet_is_heard_once_it_is_given_some(tmp_path):
    """No map names it before; and it is left when it has none any more."""
    with (
        RedisCluster(tmp_path, replicas=0) as cluster,
        ClusterNode(tmp_path / "new", program=find_redis()) as new,
    ):
        cluster.nodes.append(new)
        new.ask("CLUSTER", "MEET", *cluster.nodes[0].place, cluster.nodes[0].bus)
        eventually(cluster.is_well, "it is known")
        store = RedisClusterStore.from_url(f"{cluster.url}?timeout=20")
        drive(store.create(record("a")))
        feed = listen(store)
        hear_until_now(feed)
        partition = store._partitions.by_start[key("a")[:2]]
        owner = cluster.primary_of(partition.slot)
        with cluster.migrate(partition.slot, new) as migration:
            hear_until_now(feed)
            migration.move()
            hear_until_now(feed)
            new.ask("ASKING")
            drive(store.commit(change(record("a"))))
            assert hear_until_now(feed) == {key("a")}
        assert len(feed._tracking._connections) == 4
        drive(store.delete(key("a")))
        assert key("a") in hear_until_now(feed)
        cluster.migrate(partition.slot, owner).run()
        hear_until_now(feed)
        assert len(feed._tracking._connections) == 3
        feed.close()
        drive(store.close())


def test_nodes_that_are_called_by_name_are_heard_over_tls(tmp_path):
    """Where they prefer names; also the one that a slot is handed to."""
    authority = Authority(tmp_path)
    named = ("--cluster-announce-hostname", "localhost", "--cluster-announce-ip", "127.0.0.1")
    options = (*named, "--cluster-preferred-endpoint-type", "hostname")
    with RedisCluster(
        tmp_path, primaries=2, replicas=0, authority=authority, options=options
    ) as cluster:
        url = f"rediss+cluster://localhost:{cluster.nodes[0].port}?timeout=20&ca={authority.file}"
        store = RedisClusterStore.from_url(url)
        drive(store.create(record("a")))
        feed = listen(store)
        hear_until_now(feed)
        slot = store._partitions.by_start[key("a")[:2]].slot
        migration = cluster.migrate(slot).begin()
        assert hear_until_now(feed) == {key("a")}
        drive(store.delete(key("a")))
        assert hear_until_now(feed) == {key("a")}
        migration.end()
        feed.close()
        drive(store.close())


def test_fail_over_by_hand_is_followed(place, store, feed):
    """The connections to the others go on, and what is changed at the new primary is told."""
    node = place.cluster.primary_of(place.row(key("a")).slot)
    place.cluster.fail_over(node)
    assert key("a") in hear_until_now(feed)
    drive(store.delete(key("a")))

    assert key("a") in hear_until_now(feed)


@pytest.mark.parametrize("kills", [True, False], ids=["killed", "frozen"])
def test_node_that_dies_ends_it(place, kills):
    """Nothing is vouched for without it; a new feed is there when its replica has its place."""
    store = RedisClusterStore.from_url(place.url(timeout=5))
    drive(store.create(record("a")))
    feed = listen(store)
    hear_until_now(feed)
    node = place.cluster.primary_of(place.row(key("a")).slot)
    began = time.monotonic()
    node.stop() if kills else node.freeze()
    words = []
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{node.port}"):
        hear(feed, words.append)
    assert all(word.as_of is None or word.as_of <= began for word in words)
    again = []

    def opens():
        try:
            again.append(listen(store))
        except StoreUnavailable:
            return False
        return True

    eventually(opens, "the replica is the primary, and is heard")
    drive(store.delete(key("a")))
    assert key("a") in hear_until_now(again[0])
    for one in (feed, *again):
        one.close()
    drive(store.close())


def test_no_copy_outlasts_a_login_that_nobody_finishes(place, store, near):
    """Wherever a reader stands when it is decided, no copy is served once that was told."""
    for number in count():
        old, new = record(f"old {number}"), record(f"new {number}", owner="alice")
        drive(store.create(old))
        act = Stepped(store.replace(login(new, old=old)), drive)
        while act.ask.what != "redis replace":
            act.step()
        until_now(near)  # so that it hears no more of the lock
        reader = Stepped(near.read(key(f"old {number}")), drive)
        for _ in range(number):
            if reader.ask is not None:
                reader.step()
        is_read = reader.ask is None
        until_now(near)
        act.step()
        reader.finish()
        until_now(near)

        assert near.peek(key(f"old {number}"), 0) is None
        assert not isinstance(drive(near.read(key(f"old {number}"))), Record)
        act.finish().get()
        if is_read:
            break
    assert number >= 3


@contextmanager
def meanwhile(act):
    """Do something meanwhile, once and whole."""
    thread = threading.Thread(target=act)
    thread.start()
    yield thread
    thread.join()


TROUBLES = {
    "slots move": lambda cluster, slot: [cluster.migrate(slot).run() for _ in range(4)],
    "fail-over": lambda cluster, slot: cluster.fail_over(cluster.primary_of(slot)),
    "killed": lambda cluster, slot: (cluster.primary_of(slot).stop(), cluster.heal()),
    "frozen": lambda cluster, slot: freeze_a_while(cluster, cluster.primary_of(slot)),
}


def freeze_a_while(cluster, node):
    node.freeze()
    eventually(lambda: node not in cluster.primaries(), "its replica is the primary")
    node.thaw()
    cluster.heal()


@pytest.mark.parametrize("what", TROUBLES)
def test_nothing_that_ended_is_served_later_than_a_second(place, what):
    """Whatever becomes of the node; what was acknowledged its replica has."""
    store = RedisClusterStore.from_url(place.url(timeout=5) + "&acks=1")
    near = NearStore(RedisClusterStore.from_url(place.url(timeout=1)), most=100)
    here = store._partitions.by_start[key("a")[:2]]
    slot, by_start = here.slot, store._partitions.by_start
    names = [name for name in map(str, range(20_000)) if by_start[key(name)[:2]] is here]
    ended, seen, late, looks = {}, set(), [], 0
    run(near.read(key("a")))
    eventually(near.follower.is_fresh, "the feed is followed")

    def end_some(is_on):
        for name in names:
            if not is_on():
                break
            with suppress(StoreUnavailable):
                run(store.create(record(name)))
                run(near.read(key(name)))
                began = looks
                eventually(lambda began=began: looks > began + 1, "somebody has looked")
                run(store.delete(key(name)))
                ended[name] = time.monotonic()

    def look():
        for name in names:
            now, over = time.monotonic(), ended.get(name)
            if near.peek(key(name), 0) is not None:
                seen.add(name)
                if over is not None and now > over + MOST_LATE:
                    late.append((name, now - over))

    with (
        meanwhile(lambda: TROUBLES[what](place.cluster, slot)) as acting,
        meanwhile(lambda: end_some(acting.is_alive)) as ending,
    ):
        while ending.is_alive():
            look()
            looks += 1
    for one in (near, store):
        run(one.close())

    assert late == []
    assert seen & ended.keys()
