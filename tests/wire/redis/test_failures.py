"""What a client of Redis makes of servers that are gone, silent, rude or new: promptly and once."""

import asyncio
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvloop

import sessile
from harness.redis_server import RedisServer
from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.testing.error_report import report_error
from sessile.wire.commands.blocking import BlockingConnection
from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.endpoint import Endpoint
from wire.redis.clients import NAME, ask, client_of, close, echo
from wire.redis.scripted import HANG_UP, SILENCE, ScriptedServer

LIMIT = 0.2
SLACK = 2.0
"""Seconds that a busy machine may add."""

PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
NOWHERE = SimpleNamespace(port=6379)
SECRET = "hunter2-and-more"
OURS = str(Path(sessile.__file__).parent)


@pytest.fixture
def failing(drive):
    """What drives a flow that must fail, in time, and returns its error."""

    def failing(flow, within=LIMIT):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as refused:
            drive(flow)
        assert time.monotonic() - began < within + SLACK
        assert refused.value.store == NAME
        return refused.value

    return failing


@pytest.fixture
def guarded(tmp_path):
    """A server with a password, and a user alice who has another."""
    with RedisServer(tmp_path, password=SECRET) as server:
        server.ask("ACL", "SETUSER", "alice", "on", ">in-wonderland", "~*", "+@all")
        server.ask("ACL", "SETUSER", "dormouse", "on", ">asleep", "~*", "+ping")
        yield server


async def failure(client):
    """Return why a PING fails, and close the client."""
    with pytest.raises(StoreUnavailable) as refused:
        await arun(ask(client, "PING"))
    await arun(close(client))
    return refused.value.why


def test_stopped_server_is_unavailable_and_heals(own_redis, drive, failing):
    """A server that is gone is named with the cause; once it is back the client goes on."""
    client = client_of(own_redis)
    drive(echo(client, 1))
    own_redis.stop()
    for _ in range(3):
        error = failing(echo(client, 2))
        assert error.__cause__ is not None
    own_redis.start()

    assert drive(echo(client, 3)) == 3
    drive(close(client))


def test_server_restarted_between_two_acts_is_not_noticed(own_redis, drive):
    """The first act after a restart finds the old connection closed and connects, even a write."""
    client = client_of(own_redis)
    drive(echo(client, 1))
    own_redis.stop()
    own_redis.start()

    assert drive(ask(client, "SET", "k", "v")) == b"OK"
    drive(close(client))


def test_frozen_server_costs_the_time_limit(own_redis, drive, failing):
    """A server that answers no more fails in time, on old connections and on new ones."""
    client, fresh = client_of(own_redis, timeout=LIMIT), client_of(own_redis, timeout=LIMIT)
    drive(echo(client, 1))
    own_redis.freeze()
    for each in (client, client, fresh):
        assert failing(echo(each, 2)).why == "no answer within 0.2 s"
    own_redis.thaw()

    for each in (client, fresh):
        assert [drive(echo(each, n)) for n in range(9)] == list(range(9))
        drive(close(each))


def test_all_that_wait_for_a_frozen_server_fail_together(own_redis):
    """The limit counts from the asking: later commands do not wait for it in turn."""

    async def scenario():
        client = client_of(own_redis, timeout=LIMIT)
        await arun(echo(client, 1))
        own_redis.freeze()
        began = time.monotonic()
        answers = await asyncio.gather(
            *(arun(echo(client, n)) for n in range(20)), return_exceptions=True
        )
        took = time.monotonic() - began
        own_redis.thaw()
        await arun(close(client))
        return {type(answer) for answer in answers}, took

    kinds, took = asyncio.run(scenario())
    assert kinds == {StoreUnavailable}
    assert LIMIT <= took < LIMIT + SLACK


def test_handshake_that_is_not_answered_costs_its_limit(drive, failing):
    """A server that takes the connection and ignores the handshake fails in time."""
    with ScriptedServer([SILENCE]) as server:
        client = client_of(server, password=SECRET, timeout=LIMIT, connect_timeout=LIMIT)
        assert " within 0.2 s" in failing(echo(client, 1)).why
        drive(close(client))


@pytest.mark.parametrize("on_loop", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("turns", [1, 2], ids=["before the send", "after it"])
def test_busy_loop_is_no_silent_server(redis_server, on_loop, turns):
    """Where somebody's slow code kept the loop beyond the limit, the server is not blamed."""

    async def scenario():
        client = client_of(redis_server, timeout=LIMIT)
        await arun(echo(client, 1))
        task = asyncio.create_task(arun(echo(client, 2)))
        for _ in range(turns):
            await asyncio.sleep(0)
        end = time.monotonic() + 2 * LIMIT
        while time.monotonic() < end:
            pass
        answer = await task
        await arun(close(client))
        return answer

    assert on_loop(scenario()) == 2


def test_answer_to_an_interrupted_thread_reaches_nobody(own_redis, monkeypatch):
    """Who is interrupted while the server thinks leaves no answer behind for the next one."""
    client = client_of(own_redis, timeout=SLACK)
    run(echo(client, 0))
    read = BlockingConnection.receive

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    def thawing(*args, **kwargs):
        own_redis.thaw()
        return read(*args, **kwargs)

    own_redis.freeze()
    monkeypatch.setattr(BlockingConnection, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(echo(client, 1))
    monkeypatch.setattr(BlockingConnection, "receive", thawing)

    assert run(echo(client, 2)) == 2
    run(close(client))


def test_read_is_asked_again_where_the_connection_broke(drive):
    """A read whose connection breaks under it is asked once more, on a new connection."""
    with ScriptedServer([HANG_UP], [PONG]) as server:
        client = client_of(server, timeout=SLACK)
        assert drive(ask(client, "PING", repeat=Repeat.HARMLESS)) == b"PONG"
        drive(close(client))

    assert server.heard == [[PING], [PING]]


def test_replicas_are_waited_for_as_long_as_their_number_can_come(drive):
    """A server looks ten times a second whether a WAIT is over, and then says how many have it."""
    with ScriptedServer([b":1\r\n"]) as server:
        client = client_of(server, acks=1)
        drive(client.check_replicas())
        drive(close(client))

    milliseconds = int(server.heard[0][0].split()[-1])
    assert milliseconds + 100 < 1000 * Endpoint(NAME).timeout


def test_read_is_asked_twice_and_no_more(drive, failing):
    """Where the second connection breaks too, the read fails."""
    with ScriptedServer([HANG_UP], [HANG_UP], [PONG]) as server:
        client = client_of(server, timeout=SLACK)
        failing(ask(client, "PING", repeat=Repeat.HARMLESS))
        assert drive(ask(client, "PING", repeat=Repeat.HARMLESS)) == b"PONG"
        drive(close(client))

    assert server.heard == [[PING], [PING], [PING]]


def test_write_is_sent_once(drive, failing):
    """A write whose connection breaks under it may have been performed: it is not sent again."""
    with ScriptedServer([HANG_UP], [PONG]) as server:
        client = client_of(server, timeout=SLACK)
        failing(ask(client, "INCR", "n"))
        assert drive(ask(client, "PING")) == b"PONG"
        drive(close(client))

    assert [len(heard) for heard in server.heard] == [1, 1]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading the dataset"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "maxmemory"),
        (b"-BUSY Redis is busy running a script.\r\n", "busy running a script"),
        (b"-NOAUTH Authentication required.\r\n", "authentication failed"),
        (b"-NOPERM this user has no permissions\r\n", "authentication failed"),
        (b"-ERR unknown command 'GETDEL'\r\n", "unknown command"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error"),
    ],
)
def test_error_reply_is_unavailable(drive, failing, said, why):
    """What the server refuses is an outage that is named in its own words."""
    with ScriptedServer([said, SILENCE]) as server:
        client = client_of(server, timeout=SLACK)
        error = failing(ask(client, "SET", "k", "v"))
        drive(close(client))

    assert why in error.why
    assert error.__cause__ is not None


def test_full_server_is_unavailable(drive, failing):
    """A server that hangs up with an explanation is named with it."""
    full = "-ERR max number of clients reached\r\n"
    with ScriptedServer([full], [full]) as server:
        client = client_of(server, timeout=SLACK)
        assert "max number of clients" in failing(ask(client, "PING")).why
        drive(close(client))


def test_connection_that_breaks_in_its_handshake_is_not_used():
    """What a server says unasked behind its answer to the handshake is why it is unavailable."""
    with ScriptedServer([b"+OK\r\n-ERR going down\r\n", SILENCE]) as server:
        client = client_of(server, db=1, timeout=SLACK)
        why = asyncio.run(failure(client))

    assert why == "ERR going down"


@pytest.mark.parametrize("code", ["READONLY", "MASTERDOWN"])
def test_server_that_is_no_primary_is_left(drive, failing, code):
    """After a failover the next act connects anew, for the name may lead to the new primary."""
    with ScriptedServer([f"-{code} no primary\r\n".encode(), SILENCE], [PONG]) as server:
        client = client_of(server, timeout=SLACK)
        failing(ask(client, "SET", "k", "v"))
        assert drive(ask(client, "PING")) == b"PONG"
        drive(close(client))


@pytest.mark.parametrize(
    "credentials",
    [{"password": SECRET}, {"username": "alice", "password": "in-wonderland"}],
    ids=["password", "user"],
)
def test_password_opens(guarded, drive, credentials):
    """With the right password, and user where the server knows users, commands are answered."""
    client = client_of(guarded, **credentials)
    assert drive(echo(client, 1)) == 1
    drive(close(client))


@pytest.mark.parametrize(
    "credentials",
    [{}, {"password": "wrong-guess"}, {"username": "dormouse", "password": "asleep"}],
    ids=["none", "wrong", "not allowed"],
)
def test_wrong_password_is_named_and_not_shown(guarded, drive, failing, credentials):
    """Who is not let in hears of authentication, and no text shows the password."""
    client = client_of(guarded, **credentials)
    error = failing(echo(client, 1))
    drive(close(client))

    told = "".join(traceback.format_exception(error)) + report_error(error, within=OURS)
    assert "authentication failed" in error.why
    assert credentials.get("password", SECRET) not in told + repr(client) + repr(client._endpoint)


def test_server_that_quotes_the_password_is_not_quoted(drive, failing):
    """A server without passwords quotes what it does not understand; our error does not."""
    quoting = f"-ERR unknown command 'AUTH', with args beginning with: '{SECRET}' \r\n".encode()
    with ScriptedServer([quoting, SILENCE]) as server:
        client = client_of(server, password=SECRET, timeout=SLACK)
        error = failing(ask(client, "PING"))
        drive(close(client))

    told = "".join(traceback.format_exception(error)) + report_error(error, within=OURS)
    assert SECRET not in told


@pytest.mark.parametrize("script", [[HANG_UP], [SILENCE]], ids=["breaks", "is silent"])
def test_connection_that_fails_shows_neither_password_nor_command(drive, failing, script):
    """No frame that the error of a broken handshake or command passed through shows a secret."""
    for answers in (script, [b"+OK\r\n", *script]):
        with ScriptedServer(answers) as server:
            client = client_of(server, password=SECRET, timeout=LIMIT)
            error = failing(ask(client, "SET", "k", "4111 1111"))
            drive(close(client))

        report = report_error(error, within=OURS)
        assert SECRET not in report
        assert "4111" not in report


def test_database_is_chosen(redis_server, drive):
    """Each database is a world of its own, in both colours."""
    first, second = client_of(redis_server, db=1), client_of(redis_server, db=2)
    drive(ask(first, "SET", "chosen", "1"))

    assert drive(ask(second, "EXISTS", "chosen")) == 0
    assert drive(ask(first, "DEL", "chosen")) == 1
    for client in (first, second):
        drive(close(client))


def test_database_that_is_none_is_unavailable(redis_server, drive, failing):
    """A database that the server does not have takes no command."""
    client = client_of(redis_server, db=999)
    assert "DB index is out of range" in failing(ask(client, "SET", "k", "v")).why
    drive(close(client))


def test_no_host_is_unavailable(drive, failing):
    """A name that leads nowhere, or is none, is an outage with its cause."""
    for host in ("no-such-host.invalid", "a..b"):
        client = client_of(NOWHERE, host=host)
        assert failing(ask(client, "PING")).__cause__ is not None
        drive(close(client))
