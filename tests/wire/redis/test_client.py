"""What tasks, loops, threads and processes share of a client of Redis, and what they do not."""

import asyncio
import gc
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from sessile.core.flow import arun, run
from sessile.errors import StoreClosed
from wire.redis.clients import ask, client_of, close, echo, eventually

LOOPS = {"asyncio": asyncio.run, "uvloop": uvloop.run}
MANY = 16


@pytest.fixture(params=LOOPS)
def on_loop(request):
    """What runs a coroutine on a loop of its own."""
    return LOOPS[request.param]


def test_one_turn_of_the_loop_is_one_send(own_redis, on_loop):
    """What tasks ask in one turn the server reads at once; what one task asks, each alone."""
    look = own_redis.reads()
    look = own_redis.reads() - look  # what looking itself costs

    async def scenario():
        client = client_of(own_redis)
        await arun(echo(client, 0))
        before = own_redis.reads()
        together = await asyncio.gather(*(arun(echo(client, n)) for n in range(MANY)))
        between = own_redis.reads()
        in_turn = [await arun(echo(client, n)) for n in range(MANY)]
        after = own_redis.reads()
        await arun(close(client))
        return together, in_turn, between - before - look, after - between - look

    assert on_loop(scenario()) == (list(range(MANY)), list(range(MANY)), 1, MANY)


def test_a_turn_does_not_wait_for_the_answers_of_the_last(own_redis, on_loop):
    """What is asked while answers are due is sent at once, and each gets its own answer."""

    async def scenario():
        client = client_of(own_redis, timeout=10.0)
        await arun(echo(client, 0))
        own_redis.freeze()
        tasks = []
        for number in range(3):
            tasks.append(asyncio.create_task(arun(echo(client, number))))
            await asyncio.sleep(0.001)
        (pipeline,) = client._small.pipelines.values()
        under_way = len(pipeline._connection.unanswered)
        own_redis.thaw()
        answers = await asyncio.gather(*tasks)
        await arun(close(client))
        return under_way, answers

    assert on_loop(scenario()) == (3, [0, 1, 2])


@pytest.mark.parametrize("turns", range(1, 5))
def test_who_is_cancelled_takes_nobody_s_answer(redis_server, on_loop, turns):
    """Whether cancelled before or after the send, the others get their own answers."""

    async def scenario():
        client = client_of(redis_server)
        await arun(echo(client, 0))
        tasks = [asyncio.create_task(arun(echo(client, n))) for n in range(MANY)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        later = [await arun(echo(client, n)) for n in range(MANY)]
        await arun(close(client))
        return answers, later

    answers, later = on_loop(scenario())
    kept = {n: answers[n] for n in range(MANY) if not isinstance(answers[n], BaseException)}
    assert kept == {n: n for n in kept}
    assert kept.keys() >= {n for n in range(MANY) if n % 3}
    assert later == list(range(MANY))


def test_what_was_cancelled_before_the_send_is_not_sent(own_redis):
    """A write whose asker went away in the same turn never reaches the server."""

    async def scenario():
        client = client_of(own_redis)
        await arun(echo(client, 0))
        task = asyncio.create_task(arun(ask(client, "SET", "k", "v")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        found = await arun(ask(client, "EXISTS", "k"))
        await arun(close(client))
        return found

    assert asyncio.run(scenario()) == 0


def test_each_loop_has_a_connection_and_takes_it_along(own_redis, on_loop):
    """A loop that ended leaves no connection, no warning, and no trace in the client."""
    client = client_of(own_redis)
    for number in range(3):
        assert on_loop(arun(echo(client, number))) == number
        assert len(client._small.pipelines) == 1
        eventually(lambda: own_redis.connections() == 0)
    gc.collect()  # what was not closed would warn here
    run(close(client))


def test_forgotten_client_ends_with_its_loop(own_redis, on_loop):
    """Who forgets to close a client leaves no connection behind the loop, and no warning."""

    async def scenario():
        await arun(echo(client_of(own_redis), 1))
        gc.collect()

    on_loop(scenario())
    gc.collect()
    eventually(lambda: own_redis.connections() == 0)


def test_threads_and_their_loops_share_a_client(redis_server):
    """Threads, in both colours at once, get their own answers."""
    client = client_of(redis_server)

    def blocking(start):
        return [run(echo(client, n)) for n in range(start, start + 50)]

    def looping(start):
        async def scenario():
            return await asyncio.gather(*(arun(echo(client, n)) for n in range(start, start + 50)))

        return asyncio.run(scenario())

    with ThreadPoolExecutor(8) as pool:
        starts = range(0, 800, 100)
        works = [looping if start % 200 else blocking for start in starts]
        found = list(pool.map(lambda work, start: work(start), works, starts))
    run(close(client))

    assert found == [list(range(start, start + 50)) for start in starts]


def test_child_and_parent_go_their_own_ways(redis_server):
    """After a fork in the middle of everything both processes get their own answers."""

    async def scenario():
        client = client_of(redis_server)
        await arun(echo(client, 1))
        run(echo(client, 2))
        child = os.fork()
        if child == 0:
            try:
                asyncio.get_event_loop_policy().set_event_loop(None)
                right = [run(echo(client, n)) for n in range(20)] == list(range(20))
                right = right and asyncio.run(arun(echo(client, 3))) == 3
            finally:
                os._exit(0 if right else 1)
        mine = [await arun(echo(client, n)) for n in range(100)]
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222  (the loop has nothing else to do)
        mine.append(run(echo(client, 100)))
        await arun(close(client))
        return mine, os.waitstatus_to_exitcode(status)

    assert asyncio.run(scenario()) == (list(range(101)), 0)


def test_closed_client_says_so(redis_server, drive):
    """A client that was closed is not asked, and can be closed again."""
    client = client_of(redis_server)
    drive(echo(client, 1))
    drive(close(client))
    drive(close(client))

    with pytest.raises(StoreClosed):
        drive(echo(client, 1))


def test_who_waits_hears_of_the_end(own_redis, on_loop):
    """Closing a client ends what is under way, in time, as ``StoreClosed``."""

    async def scenario():
        client = client_of(own_redis, timeout=60.0)
        await arun(echo(client, 1))
        own_redis.freeze()
        tasks = [asyncio.create_task(arun(echo(client, n))) for n in range(3)]
        await asyncio.sleep(0.001)
        tasks.append(asyncio.create_task(arun(echo(client, 3))))
        await asyncio.sleep(0)
        await arun(close(client))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        own_redis.thaw()
        return {type(answer) for answer in answers}

    assert on_loop(scenario()) == {StoreClosed}


def test_a_loop_in_another_thread_is_closed_too(own_redis):
    """Closing from outside ends the connections of every loop."""
    client = client_of(own_redis)
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(loop.run_forever)
        asyncio.run_coroutine_threadsafe(arun(echo(client, 1)), loop).result()
        assert own_redis.connections() == 1
        run(close(client))
        eventually(lambda: own_redis.connections() == 0)
        loop.call_soon_threadsafe(loop.stop)
        running.result()
    loop.close()
