"""One deadline for an operation: whatever a server or a name server does, it is over in time."""

import asyncio
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.wire.commands.blocking import BlockingConnection
from sessile.wire.commands.repeat import Repeat
from sessile.wire.opaque import Opaque
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.resp import RESP
from wire.redis.clients import NAME, ask, client_of, close, echo
from wire.redis.scripted import HANG_UP, SILENCE, ScriptedServer
from wire.redis.trickling import TricklingServer

LIMIT = 0.5
SLACK = 1.5
"""Seconds that a busy machine may add."""

LONG = b"$1000\r\n" + bytes(1000) + b"\r\n"  # 50 s at one byte in 50 ms


def why(drive, flow):
    """Drive a flow that must fail in time; return why it did."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as refused:
        drive(flow)
    assert time.monotonic() - began < LIMIT + SLACK
    return refused.value.why


@pytest.mark.parametrize("repeat", [Repeat.NEVER, Repeat.HARMLESS])
def test_answer_that_trickles_is_over_in_time(drive, repeat):
    """Bytes that keep coming buy no time: the limit is for the whole answer."""
    with TricklingServer(LONG, 0.05) as server:
        client = client_of(server, timeout=LIMIT)
        assert why(drive, ask(client, "GET", "k", repeat=repeat)) == "no answer within 0.5 s"
        drive(close(client))


def test_handshake_that_trickles_is_over_in_time(drive):
    """Connecting and the handshake are in the limit of the command that they are for."""
    with TricklingServer(b"+" + b"O" * 1000, 0.05) as server:
        client = client_of(server, timeout=LIMIT, connect_timeout=60.0, password="open sesame")
        assert " within 0.5 s" in why(drive, ask(client, "PING"))
        drive(close(client))


def test_repetition_shares_the_limit(drive):
    """A read that is asked once more has what is left of its time, and not as much again."""
    with ScriptedServer([HANG_UP], [SILENCE]) as server:
        client = client_of(server, timeout=LIMIT)
        assert why(drive, ask(client, "GET", "k", repeat=Repeat.HARMLESS)) == (
            "no answer within 0.5 s"
        )
        drive(close(client))


def test_each_wait_is_for_what_is_left():
    """A blocking command waits for its deadline: what each byte took is taken off."""
    watch = SimpleNamespace(now=100.0)
    waits = []

    class Slow:
        """A socket whose every byte takes a fifth of a second."""

        def settimeout(self, seconds):
            waits.append(round(seconds, 6))

        def send(self, data):
            return len(data)

        def recv(self, size):
            watch.now += 0.2
            return b"+"

    connection = BlockingConnection(Slow(), RESP, lambda: watch.now)
    with pytest.raises(TimeoutError):
        connection.ask(Opaque(b"PING"), 100.5)

    assert waits == [0.5, 0.5, 0.3, 0.1]


class NameServer:
    """What stands in for ``getaddrinfo``: it answers when it is told to.

    Attributes:
        asked: how often.
    """

    def __init__(self, address="127.0.0.1"):
        self.address = address
        self.asked = 0
        self.is_up = threading.Event()

    def __call__(self, host, port, **how):
        self.asked += 1
        assert self.is_up.wait(60)
        if self.address is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, port))]


@pytest.fixture
def names():
    """A name server that is silent; in the end it answers, so that no thread is left."""
    names = NameServer()
    yield names
    names.is_up.set()


def named(server, names):
    """Return a client of a server by its name."""
    place = Endpoint(NAME, host="cache.example", port=server.port, timeout=LIMIT)
    return RedisClient(place, lookup=names)


def test_silent_name_server_is_over_in_time(drive, names, redis_server):
    """A name that nobody resolves costs the limit; all who wait share the one look-up."""
    client = named(redis_server, names)
    for _ in range(3):
        assert "cache.example" in why(drive, ask(client, "PING"))
    assert names.asked == 1

    names.is_up.set()
    assert drive(echo(client, 1)) == 1
    drive(close(client))


def test_silent_name_server_takes_no_thread_of_the_loop(names, redis_server):
    """Many commands that wait for a name leave the loop's own threads to the application."""

    async def scenario():
        client = named(redis_server, names)
        fails = [asyncio.create_task(arun(ask(client, "PING"))) for _ in range(64)]
        await asyncio.sleep(0)
        names_of = [asyncio.to_thread(threading.current_thread) for _ in range(4)]
        threads = await asyncio.gather(*names_of)
        answers = await asyncio.gather(*fails, return_exceptions=True)
        await arun(close(client))
        return {type(answer) for answer in answers}, threads

    kinds, threads = asyncio.run(scenario())
    assert kinds == {StoreUnavailable}
    assert all(thread.name.startswith("asyncio") for thread in threads)
    assert names.asked == 1


def test_addresses_are_kept_while_the_name_server_is_gone(drive, names, own_redis):
    """Where the name was resolved before, a new connection goes to the old address."""
    names.is_up.set()
    client = named(own_redis, names)
    assert drive(echo(client, 1)) == 1
    names.address = None
    own_redis.stop()
    own_redis.start()
    client._resolver.expire()

    assert drive(echo(client, 2)) == 2
    assert names.asked == 2
    drive(close(client))


def test_fresh_addresses_are_not_asked_for_again(drive, names, own_redis):
    """A name is resolved once for all connections of some seconds."""
    names.is_up.set()
    client = named(own_redis, names)
    for number in range(3):
        assert drive(echo(client, number)) == number
        own_redis.stop()
        own_redis.start()

    assert names.asked == 1
    drive(close(client))


def test_server_that_is_no_primary_has_its_name_looked_up(drive, names):
    """After a failover the next connection goes to where the name leads by then."""
    names.is_up.set()
    with ScriptedServer([b"-READONLY no primary\r\n", SILENCE], [b"+PONG\r\n"]) as server:
        client = named(server, names)
        assert "READONLY" in why(drive, ask(client, "SET", "k", "v"))
        assert drive(ask(client, "PING")) == b"PONG"
        drive(close(client))

    assert names.asked == 2


def test_second_address_is_tried(drive, redis_server):
    """Where the first address takes no connection, the next one has its share of the time."""

    def lookup(host, port, **how):
        return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    with ScriptedServer([b"+PONG\r\n"]) as server:
        client = named(server, lookup)
        assert drive(ask(client, "PING")) == b"PONG"
        drive(close(client))
