"""Connections that rested: a balancer forgets them, tells nobody, and swallows what is sent."""

import asyncio
from contextlib import suppress

import pytest

from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.wire.commands.repeat import Repeat
from wire.redis.clients import ask, client_of, close
from wire.redis.scripted import SILENCE, ScriptedServer

PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
LIMIT = 4.0


def test_connection_that_rested_long_is_replaced(drive):
    """It may be forgotten, so nothing is sent on it, not even what may be sent twice."""
    with ScriptedServer([PONG, SILENCE], [PONG]) as server:
        client = client_of(server, timeout=LIMIT, most_idle=0.0)
        for _ in range(2):
            assert drive(ask(client, "PING")) == b"PONG"
        drive(close(client))

    assert server.heard == [[PING], [PING]]


def test_connection_that_is_in_use_stays(drive):
    """Whoever asks often asks over one connection."""
    with ScriptedServer([PONG, PONG, PONG]) as server:
        client = client_of(server)
        for _ in range(3):
            assert drive(ask(client, "PING")) == b"PONG"
        drive(close(client))

    assert server.heard == [[PING] * 3]


@pytest.mark.parametrize("repeat", [Repeat.HARMLESS, Repeat.TOLD])
def test_forgotten_connection_costs_half_the_limit(drive, repeat):
    """What may be sent once more is, over a new connection, and is answered in time."""
    with ScriptedServer([PONG, SILENCE], [PONG]) as server:
        client = client_of(server, timeout=LIMIT, doubt=0.0)
        drive(ask(client, "PING"))
        reply = drive(ask(client, "PING", repeat=repeat))
        drive(close(client))

    assert getattr(reply, "reply", reply) == b"PONG"
    assert server.heard == [[PING, PING], [PING]]


def test_forgotten_connection_fails_no_crowd():
    """Fifty requests at once, each of whose reads went nowhere, are all answered."""
    number = 50

    async def crowd(client):
        await arun(ask(client, "PING"))
        asks = (arun(ask(client, "PING", repeat=Repeat.HARMLESS)) for _ in range(number))
        replies = await asyncio.gather(*asks)
        await arun(close(client))
        return replies

    with ScriptedServer([PONG, SILENCE], [PONG * number]) as server:
        replies = asyncio.run(crowd(client_of(server, timeout=LIMIT, doubt=0.0)))

    assert replies == [b"PONG"] * number


def test_write_waits_for_the_whole_limit(drive):
    """Of what is sent once alone nobody knows what became of it: it is not given up early."""
    with ScriptedServer([PONG, SILENCE], [PONG]) as server:
        client = client_of(server, timeout=0.3, doubt=0.0)
        drive(ask(client, "PING"))
        with suppress(StoreUnavailable):
            drive(ask(client, "PING"))
            raise AssertionError("it was answered")
        drive(close(client))

    assert server.heard == [[PING, PING], []]
