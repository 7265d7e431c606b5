"""A connection to a NATS server that breaks: whoever waits is told, whatever loop they are on."""

import asyncio
import gc

import pytest
import uvloop

from harness.nats_server import shared_nats
from sessile.wire.nats.connection import NatsConnection
from sessile.wire.nats.endpoint import NatsEndpoint

LOOPS = {"asyncio": asyncio.run, "uvloop": uvloop.run}
LONG = 20.0
"""Seconds that nobody waits who is told."""


@pytest.fixture
def host():
    return "127.0.0.1", shared_nats().port


async def connect(host):
    """Open a connection; return it, a queue of the errors of its loss, and a way to break it."""
    connection = await NatsConnection.open(NatsEndpoint("here", hosts=(host,)), host)
    losses = asyncio.Queue()
    connection.on_loss = losses.put_nowait
    return connection, losses, connection._client._transport._io_writer.transport.abort


@pytest.mark.parametrize("number", [1, 5])
@pytest.mark.parametrize("loop", LOOPS)
def test_who_asks_when_it_breaks_is_told(host, loop, number):
    """At once, by an error of ours; and the connection is none any more."""

    async def scenario():
        connection, losses, break_it = await connect(host)
        break_it()
        asks = [connection.ask("$JS.API.INFO", b"", None, LONG) for _ in range(number)]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        loss = await asyncio.wait_for(losses.get(), LONG)
        await connection.close()
        return {type(each) for each in (loss, *answers)}, losses.empty(), connection.is_open

    assert LOOPS[loop](scenario()) == ({ConnectionError}, True, False)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_asks_later_is_told(host, loop):
    """Turn by turn of the loop, until the connection knows itself that it is broken."""

    async def scenario():
        connection, losses, break_it = await connect(host)
        break_it()
        errors = set()
        while losses.empty():
            try:
                await connection.tell("nobody.listens", b"", None)
            except (ConnectionError, RuntimeError) as error:
                errors.add(type(error))
            connection.probe()
            await asyncio.sleep(0)
        await connection.close()
        return errors <= {ConnectionError}, connection.is_open

    assert LOOPS[loop](scenario()) == (True, False)


async def open_and_end(host, turns):
    """Cancel a connection after so many turns of the loop, which then ends; tell if it was open."""
    opening = asyncio.ensure_future(NatsConnection.open(NatsEndpoint("here", hosts=(host,)), host))
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    return opening.done()


def test_connection_that_is_cancelled_and_cancelled_again_closes_its_socket(host):
    """By whoever asked for it, and by the end of the loop, whatever it has come to by then."""
    for _ in range(8):
        turns = opened = 0
        while opened < 3:
            opened += asyncio.run(open_and_end(host, turns))
            turns += 1

    gc.collect()  # what is open still would be an error here
