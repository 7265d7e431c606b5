"""The client of a Postgres database: connections that are kept, and those that are given up."""

import asyncio
import threading
from time import monotonic

import pytest

from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.wire import system
from sessile.wire.postgres.client import PostgresClient
from sessile.wire.postgres.endpoint import PostgresEndpoint, PostgresHost
from sessile.wire.postgres.statement import Statement, Type, integer

PID = Statement(b"SELECT pg_backend_pid()").bind()
SLEEP = Statement(b"SELECT pg_sleep($1)", (Type.FLOAT,))
DIVISION = Statement(b"SELECT 1 / ($1 - $1)", (Type.INTEGER,))
LIMIT = 5.0


def endpoint(server, **more):
    host = PostgresHost("127.0.0.1", server.port)
    place = {"username": "sessile", "database": "postgres", "timeout": 30.0}
    return PostgresEndpoint(
        "postgresql://here", (host,), **place | {"connect_timeout": 30.0} | more
    )


@pytest.fixture
def client(postgres_server, drive):
    """A client of the shared server."""
    client = PostgresClient(endpoint(postgres_server))
    yield client
    drive(close(client))


async def close(client):
    await client.close()


async def pid(client):
    ((((found,),),)) = await client.ask("pid", PID)
    return integer(found)


def test_connection_is_kept(client, drive):
    """One act after the other has the same connection."""
    assert len({drive(pid(client)) for _ in range(5)}) == 1


def test_connection_that_the_server_closed_is_noticed(drive, postgres_server):
    """An act that must not be sent twice is sent on a new one, and nobody gets an error.

    That holds for a connection that has rested: one that answered a moment ago is not looked at.
    """
    timer = FakeClock()
    client = PostgresClient(endpoint(postgres_server), timer=timer)
    first = drive(pid(client))
    assert postgres_server.ask("SELECT pg_terminate_backend(%s, 10000)", first) == [(True,)]
    timer.advance(1.0)

    assert drive(pid(client)) != first
    drive(close(client))


def test_connection_that_rested_long_is_replaced(postgres_server, drive):
    """What is in between forgets a connection that is silent: another takes its place."""
    timer = FakeClock()
    client = PostgresClient(endpoint(postgres_server), timer=timer)
    first = drive(pid(client))
    timer.advance(299.0)
    assert drive(pid(client)) == first
    timer.advance(301.0)
    assert drive(pid(client)) != first
    drive(close(client))


def test_refused_act_shows_no_value(client, drive):
    """An error of the server's says what, and nothing of what it was asked with."""
    with pytest.raises(StoreUnavailable, match="division by zero") as refused:
        drive(ask(client, DIVISION.bind(4711)))

    assert "4711" not in f"{refused.value!r} {refused.value.__cause__!r} {DIVISION.bind(4711)!r}"
    assert drive(pid(client)) > 0


async def ask(client, *queries):
    return await client.ask("queries", *queries)


def test_cancelled_request_costs_no_connection(postgres_server):
    """Its answer is read and thrown away, and the connection is the next one's."""

    async def scenario():
        client = PostgresClient(endpoint(postgres_server, most=1))
        first = await client.ask("pid", PID).wait()
        for turns in range(6):
            task = asyncio.ensure_future(client.ask("sleep", SLEEP.bind(0.01)).wait())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert await client.ask("pid", PID).wait() == first
        client.close().block()

    asyncio.run(scenario())


def test_loop_is_free_while_an_act_waits(postgres_server):
    """Others of the loop go on while the server takes its time."""

    async def scenario():
        client = PostgresClient(endpoint(postgres_server))
        slow = asyncio.ensure_future(client.ask("sleep", SLEEP.bind(0.3)).wait())
        turns = 0
        while not slow.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 20
        client.close().block()

    asyncio.run(scenario())


def test_silent_name_server_costs_the_time_limit(drive):
    """An act whose host's name is looked up for ever ends in time."""
    asleep = threading.Event()
    place = PostgresEndpoint("postgresql://far", (PostgresHost("db.invalid"),), timeout=0.3)
    client = PostgresClient(place, lookup=lambda *_, **__: asleep.wait(30))
    began = monotonic()
    try:
        with pytest.raises(StoreUnavailable, match=r"in time|no answer"):
            drive(pid(client))
        assert monotonic() - began < LIMIT
    finally:
        asleep.set()
    drive(close(client))


def test_acts_share_the_deadline_with_their_repeats(postgres_server, drive):
    """What the server undoes again and again ends within the limit of one act."""
    conflict = Statement(
        b"SELECT pg_sleep(0.2), set_config('a.b', 'c', true), "
        b"CASE WHEN $1 > 0 THEN sessile_conflict() END",
        (Type.INTEGER,),
    )
    postgres_server.ask(
        "CREATE OR REPLACE FUNCTION sessile_conflict() RETURNS int LANGUAGE plpgsql AS "
        "$$BEGIN RAISE serialization_failure; END$$"
    )
    client = PostgresClient(endpoint(postgres_server, timeout=0.5), timer=system.timer)
    began = monotonic()
    with pytest.raises(StoreUnavailable):
        drive(ask(client, conflict.bind(1)))
    assert monotonic() - began < 1.4  # eight of them are longer
    drive(close(client))
