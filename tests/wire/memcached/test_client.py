"""What a client of memcached does on real servers, in both colours, and what asks it at once."""

import asyncio
import gc
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from harness.memcached_server import MemcachedServer
from harness.postgres_server import hand_over
from harness.sentinels import eventually
from sessile.core.flow import arun, run
from sessile.errors import StoreClosed
from sessile.wire.memcached.client import Swap
from wire.memcached.clients import add, client_of, close, delete, fill, get, swap, value
from wire.redis.scripted import ScriptedServer

LOOPS = {"asyncio": asyncio.run, "uvloop": uvloop.run}
MANY = 16
NAMES = [f"n{number}" for number in range(MANY)]
OWN = [name.encode() for name in NAMES]


@pytest.fixture(params=LOOPS)
def on_loop(request):
    """What runs a coroutine on a loop of its own."""
    return LOOPS[request.param]


@pytest.fixture
def client(own_memcached, drive):
    """A client of a server that holds nothing."""
    client = client_of(own_memcached)
    yield client
    drive(close(client))


def test_item_is_added_once(client, drive):
    """The first one stays, until it is deleted."""
    assert drive(value(client, "a")) is None
    assert drive(add(client, "a", b"first"))
    assert not drive(add(client, "a", b"second"))
    assert drive(value(client, "a")) == b"first"
    assert drive(delete(client, "a"))
    assert not drive(delete(client, "a"))
    assert drive(add(client, "a", b"third"))


def test_swap_needs_the_token_of_what_is_there(client, drive):
    """Of two that read the same item one wins; a token of before is of no use, nor one of none."""
    drive(add(client, "a", b"0"))
    (read,) = drive(get(client, "a"))

    assert drive(swap(client, "a", b"1", read.unique)) is Swap.STORED
    assert drive(swap(client, "a", b"2", read.unique)) is Swap.CHANGED
    assert drive(value(client, "a")) == b"1"
    drive(delete(client, "a"))
    assert drive(swap(client, "a", b"3", read.unique)) is Swap.GONE
    drive(add(client, "a", b"0"))
    assert drive(swap(client, "a", b"3", read.unique)) is Swap.CHANGED


@pytest.mark.parametrize("data", [b"", b"\r\n", b"x\r\nEND\r\nERROR\r\n", bytes(range(256)) * 20])
def test_data_is_what_it_was(client, drive, data):
    """Every byte comes back, also those that look like the protocol."""
    drive(add(client, "a", data))

    assert drive(value(client, "a")) == data


def test_items_stand_in_the_places_of_their_names(client, drive):
    """Some are missing, one is asked twice, and there are many."""
    drive(fill(client, NAMES))
    found = drive(get(client, "n3", "none", "n1", "n3", *NAMES * 100))

    assert [item and item.data for item in found[:4]] == [b"n3", None, b"n1", b"n3"]
    assert [item.data for item in found[4:]] == OWN * 100


def test_items_come_in_one_trip(drive):
    """Several names are one command."""
    with ScriptedServer([b"VALUE b 0 1 7\r\nx\r\nEND\r\n"]) as server:
        client = client_of(server)
        found = drive(get(client, "a", "b"))
        drive(close(client))

    assert [item and (item.data, item.unique) for item in found] == [None, (b"x", 7)]
    assert server.heard == [[b"gets a b\r\n"]]


def test_item_shows_nothing_of_itself(client, drive):
    """No traceback or log has what was stored."""
    drive(add(client, "a", b"4111 1111"))

    assert repr(drive(get(client, "a"))) == "[<CacheItem of 9 bytes>]"


def test_socket_of_a_file_serves(drive):
    """A server on a Unix socket is asked as any other one."""
    with tempfile.TemporaryDirectory(prefix="sessile") as folder:
        hand_over(folder)
        with MemcachedServer(folder, unix=True) as server:
            client = client_of(server)
            drive(add(client, "a", b"1"))
            assert drive(value(client, "a")) == b"1"
            drive(close(client))


def test_one_turn_of_the_loop_is_one_send(on_loop):
    """What tasks ask in one turn leaves together, and the answers are given out in order."""
    answers = [b"VALUE %b 0 2 1\r\nv%b\r\nEND\r\n" % (n, n[1:]) for n in OWN[:9]]

    async def scenario(server):
        client = client_of(server)
        await arun(add(client, "first"))
        found = await asyncio.gather(*(arun(value(client, name)) for name in NAMES[:9]))
        await arun(close(client))
        return found

    with ScriptedServer([b"STORED\r\n", b"".join(answers)]) as server:
        found = on_loop(scenario(server))

    assert found == [b"v%d" % n for n in range(9)]
    assert server.heard[0][1:] == [b"".join(b"gets %b\r\n" % n for n in OWN[:9])]


def test_a_turn_does_not_wait_for_the_answers_of_the_last(own_memcached, on_loop):
    """What is asked while answers are due is sent at once, and each gets its own answer."""

    async def scenario():
        client = client_of(own_memcached, timeout=10.0)
        await arun(fill(client, NAMES))
        own_memcached.freeze()
        tasks = []
        for name in NAMES[:3]:
            tasks.append(asyncio.create_task(arun(value(client, name))))
            await asyncio.sleep(0.001)
        (node,) = client._nodes.values()
        (pipeline,) = node.small.pipelines.values()
        under_way = len(pipeline._connection.unanswered)
        own_memcached.thaw()
        answers = await asyncio.gather(*tasks)
        await arun(close(client))
        return under_way, answers

    assert on_loop(scenario()) == (3, OWN[:3])


@pytest.mark.parametrize("turns", range(1, 5))
def test_who_is_cancelled_takes_nobody_s_answer(own_memcached, on_loop, turns):
    """Whether cancelled before or after the send, the others get their own answers."""

    async def scenario():
        client = client_of(own_memcached)
        await arun(fill(client, NAMES))
        tasks = [asyncio.create_task(arun(value(client, name))) for name in NAMES]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        later = [await arun(value(client, name)) for name in NAMES]
        await arun(close(client))
        return answers, later

    answers, later = on_loop(scenario())
    kept = {n: answers[n] for n in range(MANY) if not isinstance(answers[n], BaseException)}
    assert kept == {n: OWN[n] for n in kept}
    assert kept.keys() >= {n for n in range(MANY) if n % 3}
    assert later == OWN


def test_what_was_cancelled_before_the_send_is_not_sent(own_memcached):
    """A write whose asker went away in the same turn never reaches the server."""

    async def scenario():
        client = client_of(own_memcached)
        await arun(value(client, "a"))
        task = asyncio.create_task(arun(add(client, "a")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        found = await arun(value(client, "a"))
        await arun(close(client))
        return found

    assert asyncio.run(scenario()) is None


def test_each_loop_takes_its_connection_along(own_memcached, on_loop):
    """A loop that ended leaves no connection, no warning, and no trace in the client."""
    client = client_of(own_memcached)
    for _ in range(3):
        on_loop(arun(add(client, "a")))
        eventually(lambda: own_memcached.connections() == 0, "it is closed")
    (node,) = client._nodes.values()
    assert len(node.small.pipelines) == 1
    gc.collect()  # what was not closed would warn here
    run(close(client))


def test_threads_and_their_loops_share_a_client(memcached_server):
    """Threads, in both colours at once, get their own answers, and each token wins once."""
    client = client_of(memcached_server, timeout=10.0)
    names = [f"shared-{number}" for number in range(50)]
    run(fill(client, names))
    own = [name.encode() for name in names]

    def blocking():
        return [run(value(client, name)) for name in names]

    def looping():
        async def scenario():
            return await asyncio.gather(*(arun(value(client, name)) for name in names))

        return asyncio.run(scenario())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda work: work(), [blocking, looping] * 4))
    run(close(client))

    assert found == [own] * 8


def test_of_rivals_with_one_token_one_wins(memcached_server, drive):
    """However many swap the same item, it is stored once."""
    client = client_of(memcached_server, timeout=10.0)
    drive(delete(client, "rivals"))
    drive(add(client, "rivals"))
    (read,) = drive(get(client, "rivals"))

    def rival(number):
        return run(swap(client, "rivals", b"%d" % number, read.unique))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(rival, range(8)))
    winner = drive(value(client, "rivals"))
    drive(close(client))

    assert sorted(results, key=list(Swap).index) == [Swap.STORED] + [Swap.CHANGED] * 7
    assert results[int(winner)] is Swap.STORED


def test_child_and_parent_go_their_own_ways(own_memcached):
    """After a fork in the middle of everything both processes get their own answers."""

    async def scenario():
        client = client_of(own_memcached, timeout=10.0)
        await arun(fill(client, NAMES))
        run(value(client, "n1"))
        child = os.fork()
        if child == 0:
            right = False
            try:
                asyncio.get_event_loop_policy().set_event_loop(None)
                right = [run(value(client, name)) for name in NAMES] == OWN
                right = right and asyncio.run(arun(value(client, "n3"))) == b"n3"
            finally:
                os._exit(0 if right else 1)
        mine = [await arun(value(client, name)) for name in NAMES * 5]
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222  (the loop has nothing else to do)
        mine.append(run(value(client, "n2")))
        await arun(close(client))
        return mine, os.waitstatus_to_exitcode(status)

    assert asyncio.run(scenario()) == ([*OWN * 5, b"n2"], 0)


def test_child_takes_no_connection_of_its_parent(own_memcached):
    """Of two that read from one socket each would get answers of the other."""
    client = client_of(own_memcached, timeout=10.0)
    run(value(client, "a"))

    def count():
        return int(own_memcached.stats()["total_connections"])

    before = count()
    child = os.fork()
    if child == 0:
        run(value(client, "a"))
        os._exit(0)
    os.waitpid(child, 0)
    run(value(client, "a"))
    run(close(client))

    assert count() - before == 2  # the child's, and the one to look


def test_closed_client_says_so(memcached_server, drive):
    """A client that was closed is not asked, and can be closed again."""
    client = client_of(memcached_server)
    drive(value(client, "a"))
    drive(close(client))
    drive(close(client))

    for flow in (value(client, "a"), add(client, "a"), delete(client, "a")):
        with pytest.raises(StoreClosed, match="memcached store"):
            drive(flow)


def test_who_waits_hears_of_the_end(own_memcached, on_loop):
    """Closing a client ends what is under way, in time, as ``StoreClosed``."""

    async def scenario():
        client = client_of(own_memcached, timeout=60.0)
        await arun(value(client, "a"))
        own_memcached.freeze()
        tasks = [asyncio.create_task(arun(value(client, name))) for name in NAMES]
        await asyncio.sleep(0.001)
        await arun(close(client))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        own_memcached.thaw()
        return {type(answer) for answer in answers}

    assert on_loop(scenario()) == {StoreClosed}


def test_large_items_and_small_ones_at_once(own_memcached, drive):
    """An item of nearly a megabyte comes back whole, and the small ones beside it."""
    client = client_of(own_memcached, timeout=10.0)
    large = os.urandom(1_000_000)
    assert drive(add(client, "large", large))

    assert drive(value(client, "large")) == large
    assert drive(value(client, "large", is_large=True)) == large
    drive(fill(client, NAMES))

    async def scenario():
        flows = [value(client, name) for name in ("large", *NAMES, "large")]
        return await asyncio.gather(*map(arun, flows))

    assert asyncio.run(scenario()) == [large, *OWN, large]
    drive(close(client))
