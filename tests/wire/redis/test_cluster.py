"""Commands to a cluster of six: each goes to its node, and follows its slot."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from harness.redis_cluster import key_in
from harness.sentinels import eventually
from sessile.core.flow import arun, run
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.testing.drive import COLOURS
from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.endpoint import ErrorReply
from sessile.wire.redis.slots import slot_of
from wire.redis import clients
from wire.redis.clusters import PATIENT, ask, client_of, close

SLOT = 5
TAG = key_in(SLOT)
ONE, TWO = f"{TAG}one", f"{TAG}two"
MANY = 40


@pytest.fixture
def client(redis_cluster, drive):
    """A client of it that knows the slots."""
    client = client_of(redis_cluster)
    drive(ask(client, "SET", ONE, "1"))
    drive(ask(client, "SET", TWO, "2"))
    yield client
    drive(close(client))


@pytest.fixture
def refusals(redis_cluster):
    """What tells how many redirections there were since it was called the last time."""
    last = redis_cluster.refusals()

    def refusals():
        nonlocal last
        before, last = last, redis_cluster.refusals()
        return {code: n - before[code] for code, n in last.items() if n > before[code]} | {"ERR": 0}

    return refusals


def test_each_key_is_asked_at_its_node(redis_cluster, client, drive, refusals):
    """Nobody is asked for what another one has."""
    for number in range(MANY):
        assert drive(ask(client, "SET", f"k{number}", number)) == b"OK"
        assert drive(ask(client, "GET", f"k{number}")) == b"%d" % number

    assert refusals() == {"ERR": 0}
    assert all(node.ask("DBSIZE") for node in redis_cluster.primaries())


def test_move_is_learned(redis_cluster, client, drive, refusals):
    """The first command after a move is sent on by the old node, and no other."""
    redis_cluster.migrate(SLOT).run()
    refusals()
    assert drive(ask(client, "MGET", ONE, TWO)) == [b"1", b"2"]
    assert refusals() == {"MOVED": 1, "ERR": 0}
    for number in range(MANY):
        assert drive(ask(client, "GET", ONE)) == b"1"
        drive(ask(client, "SET", f"k{number}", number))

    assert refusals() == {"ERR": 0}


def test_one_move_tells_of_all(redis_cluster, client, drive, refusals):
    """After the first redirection the whole map is looked at, so other slots are found too."""
    others = [slot for slot in (1, 2, 3) if redis_cluster.primary_of(slot)]
    for slot in (SLOT, *others):
        redis_cluster.migrate(slot).run()
    drive(ask(client, "GET", ONE))
    drive(client.slot_map())  # by then a look in the background is over, or this one is it
    refusals()
    for slot in others:
        drive(ask(client, "GET", key_in(slot)))

    assert refusals() == {"ERR": 0}


def test_key_that_went_ahead_is_asked_for_there(redis_cluster, client, drive, refusals):
    """While a slot moves its keys are found at either node, and nothing is learned of it."""
    with redis_cluster.migrate(SLOT) as migration:
        migration.move(ONE)
        refusals()
        looks = redis_cluster.calls()["cluster|slots"]
        for _ in range(3):
            assert drive(ask(client, "GET", ONE)) == b"1"
            assert drive(ask(client, "GET", TWO)) == b"2"
        assert drive(ask(client, "SET", f"{TAG}new", "3")) == b"OK"
        assert refusals() == {"ASK": 4, "ERR": 0}
        assert redis_cluster.calls()["cluster|slots"] == looks
        assert migration.target.ask("CLUSTER", "COUNTKEYSINSLOT", SLOT) == 2

    assert drive(ask(client, "MGET", ONE, TWO, f"{TAG}new")) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("turns", range(1, 7))
def test_asking_is_directly_before_its_command(redis_cluster, turns):
    """Of many that ask at once, in one pipeline, each gets its own answer, wherever its key is."""
    keys = [f"{TAG}{number}" for number in range(MANY)]

    async def scenario():
        client = client_of(redis_cluster)
        await asyncio.gather(*(arun(ask(client, "SET", key, key)) for key in keys))
        with redis_cluster.migrate(SLOT) as migration:
            migration.move(*keys[::2])
            found = await asyncio.gather(*(arun(ask(client, "GET", key)) for key in keys))
            tasks = [asyncio.create_task(arun(ask(client, "GET", key))) for key in keys]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks[1::3]:
                task.cancel()
            rest = await asyncio.gather(*tasks, return_exceptions=True)
        again = await asyncio.gather(*(arun(ask(client, "GET", key)) for key in keys))
        await arun(close(client))
        return found, rest, again

    found, rest, again = uvloop.run(scenario())
    right = [key.encode() for key in keys]
    assert found == again == right
    assert [a for a, b in zip(rest, right, strict=True) if a != b] == [
        a for a in rest if isinstance(a, asyncio.CancelledError)
    ]


def test_split_keys_are_told(redis_cluster, client, drive, refusals):
    """Who can ask key by key hears at once that keys are at two nodes."""
    with redis_cluster.migrate(SLOT) as migration:
        migration.move(ONE)
        refusals()
        reply = drive(ask(client, "MGET", ONE, TWO, tells_split=True))
        assert reply is ErrorReply.SPLIT
        assert refusals() == {"TRYAGAIN": 1, "ERR": 0}


@pytest.mark.parametrize("colour", COLOURS)
def test_split_keys_are_asked_for_again(redis_cluster, colour, refusals):
    """Who cannot waits until they are together, within the time limit."""
    drive = COLOURS[colour]()
    client = client_of(redis_cluster, timeout=PATIENT)
    for key in (ONE, TWO):
        drive(ask(client, "SET", key, "x"))
    with ThreadPoolExecutor(1) as pool, redis_cluster.migrate(SLOT) as migration:
        migration.move(ONE)
        before = redis_cluster.refusals()["TRYAGAIN"]
        answer = pool.submit(drive, ask(client, "MGET", ONE, TWO))
        eventually(lambda: redis_cluster.refusals()["TRYAGAIN"] > before + 1, "it asks again")
        migration.move()
        assert answer.result() == [b"x", b"x"]
    drive(close(client))
    drive.close()


def test_split_keys_fail_in_time(redis_cluster, drive):
    """Where they stay apart the error says so when the time is over."""
    client = client_of(redis_cluster, timeout=0.5)
    for key in (ONE, TWO):
        drive(ask(client, "SET", key, "x"))
    with redis_cluster.migrate(SLOT) as migration:
        migration.move(ONE)
        with pytest.raises(StoreUnavailable, match="TRYAGAIN"):
            drive(ask(client, "MGET", ONE, TWO))
    drive(close(client))


def test_replica_that_was_made_primary_is_followed(redis_cluster, client, drive):
    """After a fail-over by hand the next command finds the new primary, even a write."""
    redis_cluster.fail_over(redis_cluster.primary_of(SLOT))
    assert drive(ask(client, "SET", ONE, "after")) == b"OK"
    assert drive(ask(client, "GET", ONE)) == b"after"


@pytest.mark.parametrize("acks", [1, 2])
def test_change_is_acknowledged_where_it_was_made(redis_cluster, drive, acks):
    """A WAIT follows its change to the node that performed it, also by way of ASK and MOVED."""

    def change(value):
        drive(ask(client, "SET", ONE, value, is_change=True))

    def refuse(value):
        with pytest.raises(StoreUnavailable, match="1 of 2 replicas have the change"):
            change(value)

    act = change if acks == 1 else refuse
    client = client_of(redis_cluster, acks=acks, timeout=2.0)
    act("first")
    with redis_cluster.migrate(SLOT) as migration:
        migration.move()
        act("asked")
    act("moved")
    assert drive(ask(client, "GET", ONE)) == b"moved"
    drive(close(client))


@pytest.mark.parametrize("way", ["ASK", "MOVED"])
def test_replicas_that_count_are_those_of_the_node_that_made_the_change(redis_cluster, drive, way):
    """Those of the node that was asked first say nothing of it."""
    client = client_of(redis_cluster, acks=1, timeout=2.0)
    drive(ask(client, "SET", ONE, "1", is_change=True))
    migration = redis_cluster.migrate(SLOT).begin()
    migration.move()
    if way == "MOVED":
        migration.end()
    replica = redis_cluster.replica_of(migration.target)
    replica.freeze()
    try:
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas have the change"):
            drive(ask(client, "SET", ONE, "2", is_change=True))
    finally:
        replica.thaw()
    eventually(redis_cluster.is_well, "the replica is back")
    migration.move()
    migration.end()
    drive(ask(client, "SET", ONE, "3", is_change=True))
    drive(close(client))


def test_primaries_are_asked_one_by_one(redis_cluster, client, drive):
    """Every node that has slots is named, and answers for itself alone."""
    slots = drive(client.slot_map())
    places = slots.primaries
    assert places == tuple(sorted(node.place for node in redis_cluster.primaries()))
    sizes = [drive(size_of(client, place)) for place in places]
    assert sum(sizes) == 2
    assert slots.owner(SLOT) == places[sizes.index(2)]


async def size_of(client, place):
    """Ask one node."""
    return await client.ask_at(place, "test", "DBSIZE", repeat=Repeat.HARMLESS)


def test_one_node_sends_nobody_on(redis_cluster, client, drive):
    """What is asked of one node fails there if its slot is elsewhere."""
    slots = drive(client.slot_map())
    other = next(place for place in slots.primaries if place != slots.owner(SLOT))
    with pytest.raises(StoreUnavailable, match=f"MOVED {SLOT} "):
        drive(get_at(client, other))


async def get_at(client, place):
    """Ask one node for a key."""
    return await client.ask_at(place, "test", "GET", ONE)


def test_slots_are_told_apart(redis_cluster, client, drive):
    """Their fingerprint stays while nothing moves, and is another once a slot has moved."""
    before = drive(client.slot_map()).fingerprint
    assert drive(client.slot_map()).fingerprint == before
    redis_cluster.migrate(SLOT).run()
    assert drive(client.slot_map()).fingerprint != before


def test_client_of_one_server_says_what_to_write(redis_cluster, drive):
    """``redis://`` at a node of a cluster fails with the URL that it takes."""
    wrong = next(n for n in redis_cluster.nodes if n is not redis_cluster.primary_of(SLOT))
    plain = clients.client_of(wrong)
    with pytest.raises(StoreUnavailable, match=r"write redis\+cluster:// instead of redis://"):
        drive(clients.ask(plain, "GET", ONE))
    drive(clients.close(plain))


def test_threads_and_their_loops_share_a_client(redis_cluster):
    """Threads, in both colours at once, get their own answers while slots move."""
    client = client_of(redis_cluster, timeout=PATIENT)

    async def echo(number):
        await ask(client, "SET", f"{key_in(number % 8)}{number}", number)
        return int(await ask(client, "GET", f"{key_in(number % 8)}{number}"))

    def blocking(start):
        return [run(echo(n)) for n in range(start, start + 50)]

    def looping(start):
        async def scenario():
            return await asyncio.gather(*(arun(echo(n)) for n in range(start, start + 50)))

        return asyncio.run(scenario())

    with ThreadPoolExecutor(8) as pool:
        works = [pool.submit(looping if n % 2 else blocking, 100 * n) for n in range(8)]
        for slot in range(4):
            redis_cluster.migrate(slot).run()
        found = [work.result() for work in works]
    run(close(client))

    assert found == [list(range(100 * n, 100 * n + 50)) for n in range(8)]


def test_child_and_parent_go_their_own_ways(redis_cluster):
    """After a fork both processes get their own answers, and either follows a slot."""

    async def scenario():
        client = client_of(redis_cluster)
        await arun(ask(client, "SET", ONE, "1"))
        assert run(ask(client, "GET", ONE)) == b"1"
        redis_cluster.migrate(SLOT).run()
        child = os.fork()
        if child == 0:
            right = False
            try:
                asyncio.get_event_loop_policy().set_event_loop(None)
                right = [run(ask(client, "GET", ONE)) for _ in range(20)] == [b"1"] * 20
                right = right and asyncio.run(arun(ask(client, "GET", ONE))) == b"1"
            finally:
                os._exit(0 if right else 1)
        mine = [await arun(ask(client, "GET", ONE)) for _ in range(20)]
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222  (the loop has nothing else to do)
        mine.append(run(ask(client, "GET", ONE)))
        await arun(close(client))
        return mine, os.waitstatus_to_exitcode(status)

    assert asyncio.run(scenario()) == ([b"1"] * 21, 0)


def test_closed_client_says_so(redis_cluster, drive):
    """A client that was closed is not asked, and can be closed again."""
    client = client_of(redis_cluster)
    drive(ask(client, "GET", ONE))
    for _ in range(2):
        drive(close(client))

    for flow in (ask(client, "GET", ONE), client.slot_map(), get_at(client, ("127.0.0.1", 1))):
        with pytest.raises(StoreClosed):
            drive(flow)


def test_close_leaves_no_connection(redis_cluster, drive):
    """Every node's connections end with the client, those of a node that was left included."""

    def connections():
        return sum(len(n.text("CLIENT", "LIST", "TYPE", "normal").split("\n")) for n in nodes)

    nodes = redis_cluster.nodes
    before = connections()
    client = client_of(redis_cluster)
    for slot in range(0, SLOTS_OF_ALL, 500):
        drive(ask(client, "GET", key_in(slot)))
    assert connections() > before
    drive(close(client))
    eventually(lambda: connections() <= before, "they are closed")


SLOTS_OF_ALL = 16_384


def test_keys_with_one_tag_are_in_one_slot():
    """The harness and the client agree about the slot of a tag."""
    assert slot_of(TAG) == slot_of(ONE) == SLOT
