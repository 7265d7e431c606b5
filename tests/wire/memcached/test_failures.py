"""What a client of memcached makes of servers that are gone, silent, full or rude, in time."""

import asyncio
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import sessile
from harness.memcached_server import MemcachedServer
from harness.postgres_server import hand_over
from harness.sentinels import eventually
from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.testing.error_report import report_error
from sessile.wire.commands.blocking import BlockingConnection
from sessile.wire.memcached.client import Swap
from wire.memcached.clients import NAME, add, client_of, close, delete, get, swap, value
from wire.redis.scripted import HANG_UP, SILENCE, ScriptedServer
from wire.redis.trickling import TricklingServer

LIMIT = 0.2
SLACK = 2.0
"""Seconds that a busy machine may add."""

VALUE = b"VALUE a 0 1 7\r\nx\r\nEND\r\n"
GET_A = b"gets a\r\n"
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


def test_stopped_server_is_unavailable_and_heals(own_memcached, drive, failing):
    """A server that is gone is named with the cause; once it is back the client goes on."""
    client = client_of(own_memcached)
    drive(add(client, "a", b"1"))
    own_memcached.stop()
    for _ in range(3):
        assert failing(value(client, "a")).__cause__ is not None
    own_memcached.start()

    assert drive(value(client, "a")) is None
    assert drive(add(client, "a", b"2"))
    drive(close(client))


def test_server_restarted_between_two_acts_is_not_noticed(own_memcached, drive):
    """The first act after a restart finds the old connection closed and connects, even a write."""
    client = client_of(own_memcached)
    drive(add(client, "a"))
    own_memcached.stop()
    own_memcached.start()

    assert drive(add(client, "a"))
    drive(close(client))


def test_token_of_before_a_restart_fits_nothing(own_memcached, drive):
    """A server that lost all counts tokens anew; what was read before it is gone, not changed."""
    client = client_of(own_memcached)
    drive(add(client, "a"))
    (read,) = drive(get(client, "a"))
    own_memcached.stop()
    own_memcached.start()

    assert drive(swap(client, "a", b"2", read.unique)) is Swap.GONE
    drive(close(client))


def test_frozen_server_costs_the_time_limit(own_memcached, drive, failing):
    """A server that answers no more fails in time, on old connections and on new ones."""
    client, fresh = (client_of(own_memcached, timeout=LIMIT) for _ in range(2))
    drive(add(client, "a", b"1"))
    own_memcached.freeze()
    for each in (client, client, fresh):
        assert failing(value(each, "a")).why == "no answer within 0.2 s"
    assert failing(add(client, "b")).why == "no answer within 0.2 s"
    own_memcached.thaw()

    for each in (client, fresh):
        eventually(lambda each=each: answer(drive, each) == b"1", "it answers")
        drive(close(each))


def answer(drive, client):
    """Return what is there, or None where a server just thawed takes longer than the limit."""
    try:
        return drive(value(client, "a"))
    except StoreUnavailable:
        return None


def test_all_that_wait_for_a_frozen_server_fail_together(own_memcached):
    """The limit counts from the asking: later commands do not wait for it in turn."""

    async def scenario():
        client = client_of(own_memcached, timeout=LIMIT)
        await arun(value(client, "a"))
        own_memcached.freeze()
        began = time.monotonic()
        answers = await asyncio.gather(
            *(arun(value(client, "a")) for _ in range(20)), return_exceptions=True
        )
        took = time.monotonic() - began
        own_memcached.thaw()
        await arun(close(client))
        return {type(answer) for answer in answers}, took

    kinds, took = asyncio.run(scenario())
    assert kinds == {StoreUnavailable}
    assert LIMIT <= took < LIMIT + SLACK


def test_answer_that_trickles_is_over_in_time(drive, failing):
    """Bytes that keep coming buy no time: the limit is for the whole answer."""
    with TricklingServer(b"VALUE a 0 1000 1\r\n" + bytes(1000), 0.05) as server:
        client = client_of(server, timeout=LIMIT)
        assert failing(value(client, "a")).why == "no answer within 0.2 s"
        drive(close(client))


def test_answer_to_an_interrupted_thread_reaches_nobody(own_memcached, monkeypatch):
    """Who is interrupted while the server thinks leaves no answer behind for the next one."""
    client = client_of(own_memcached, timeout=SLACK)
    for name in ("a", "b"):
        run(add(client, name, name.encode()))
    read = BlockingConnection.receive

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    def thawing(*args, **kwargs):
        own_memcached.thaw()
        return read(*args, **kwargs)

    own_memcached.freeze()
    monkeypatch.setattr(BlockingConnection, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(value(client, "a"))
    monkeypatch.setattr(BlockingConnection, "receive", thawing)

    assert run(value(client, "b")) == b"b"
    run(close(client))


@pytest.mark.parametrize(
    ("flow", "said", "result"),
    [(value, VALUE, b"x"), (delete, b"DELETED\r\n", True), (delete, b"NOT_FOUND\r\n", True)],
)
def test_read_and_delete_are_sent_again_where_the_connection_broke(drive, flow, said, result):
    """They do no harm twice. A delete that finds nothing the second time did it the first."""
    with ScriptedServer([HANG_UP], [said]) as server:
        client = client_of(server, timeout=SLACK)
        assert drive(flow(client, "a")) == result
        drive(close(client))

    assert server.heard[0] == server.heard[1] != []


@pytest.mark.parametrize("flow", [add, lambda *words: swap(*words, b"", 1)], ids=["add", "swap"])
def test_write_is_sent_once(drive, failing, flow):
    """A write whose connection breaks under it may have been performed: it is not sent again."""
    with ScriptedServer([HANG_UP], [VALUE]) as server:
        client = client_of(server, timeout=SLACK)
        failing(flow(client, "a"))
        assert drive(value(client, "a")) == b"x"
        drive(close(client))

    assert [len(heard) for heard in server.heard] == [1, 1]
    assert server.heard[1] == [GET_A]


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"STORED\r\n",
        b"VALUE b 0 1 7\r\nx\r\nEND\r\n",  # somebody else's
        b"VALUE a 0 1 7\r\nxx\r\nEND\r\n",
        b"STAT a 1\r\nEND\r\n",
        b"-ERR unknown command 'gets'\r\n",
        b"\x81\x00\x00\x00" + bytes(20) + b"\r\n",
        b"x" * 100_000,
    ],
)
def test_answer_that_is_none_reaches_nobody(drive, failing, said):
    """What is no answer to the command is an outage, and the connection is not used again."""
    with ScriptedServer([said, SILENCE], [said, SILENCE], [VALUE]) as server:
        client = client_of(server, timeout=SLACK)
        assert "its answer is not the memcached protocol" in failing(value(client, "a")).why
        assert drive(value(client, "a")) == b"x"
        drive(close(client))


def test_answer_too_many_reaches_nobody(drive):
    """What a server says unasked is not taken for the answer to the next command."""
    with ScriptedServer([VALUE + VALUE.replace(b"x", b"y"), SILENCE], [VALUE]) as server:
        client = client_of(server, timeout=SLACK)
        assert drive(value(client, "a")) == b"x"
        assert drive(value(client, "a")) == b"x"
        drive(close(client))

    assert server.heard == [[GET_A], [GET_A]]


def test_answers_behind_one_that_is_none_reach_nobody():
    """Where one answer is another command's, those after it are, too: they are asked anew."""
    wrong = b"DELETED\r\n" + VALUE.replace(b"x", b"y")

    async def scenario(server):
        client = client_of(server, timeout=SLACK)
        found = await asyncio.gather(*(arun(value(client, "a")) for _ in range(2)))
        await arun(close(client))
        return found

    with ScriptedServer([wrong, SILENCE], [VALUE * 2]) as server:
        assert asyncio.run(scenario(server)) == [b"x", b"x"]


@pytest.mark.parametrize("code", ["ERROR", "CLIENT_ERROR bad data chunk"])
def test_server_that_misread_a_command_is_connected_to_anew(drive, failing, code):
    """It may take the data of one command for the next one."""
    with ScriptedServer([f"{code}\r\n".encode(), SILENCE], [VALUE]) as server:
        client = client_of(server, timeout=SLACK)
        assert code in failing(add(client, "a")).why
        assert drive(value(client, "a")) == b"x"
        drive(close(client))


def test_item_that_is_too_large_says_what_to_write(tmp_path, drive, failing):
    """What was there stays as it was, whoever would have added or swapped; others go on."""
    large = bytes(1_100_000)
    with MemcachedServer(tmp_path) as server:
        client = client_of(server, timeout=SLACK)
        drive(add(client, "a", b"old"))
        (read,) = drive(get(client, "a"))
        for flow in (
            swap(client, "a", large, read.unique),
            add(client, "b", large),
        ):
            why = failing(flow).why
            assert "memcached -I 4m" in why
            assert "SERVER_ERROR object too large for cache" in why
        assert drive(get(client, "a", "b")) == [read, None]
        assert drive(swap(client, "a", b"new", read.unique)) is Swap.STORED
        drive(close(client))


def test_larger_limit_takes_it(tmp_path, drive):
    """What the error says to write helps."""
    with MemcachedServer(tmp_path, options=("-I", "4m")) as server:
        client = client_of(server, timeout=10.0)
        assert drive(add(client, "a", bytes(3_000_000)))
        assert drive(value(client, "a")) == bytes(3_000_000)
        drive(close(client))


def test_full_server_says_what_to_write(tmp_path, drive, failing):
    """A server that evicts nothing refuses what it has no room for; what was there stays."""
    with MemcachedServer(tmp_path, options=("-M", "-m", "2")) as server:
        client = client_of(server, timeout=SLACK)
        drive(add(client, "a", b"old" * 1000))
        (read,) = drive(get(client, "a"))
        error = None
        for number in range(2000):
            try:
                drive(add(client, f"n{number}", bytes(3000)))
            except StoreUnavailable as refused:
                error = refused
                break
        assert "memcached -m 1024" in error.why
        assert "memcached -m" in failing(swap(client, "a", b"new" * 1000, read.unique)).why
        assert drive(get(client, "a")) == [read]
        drive(close(client))


def test_server_that_wants_a_password_says_so(drive, failing):
    """Its own way of asking for one is not spoken; the error says what to do."""
    with tempfile.NamedTemporaryFile(prefix="sessile") as users:
        users.write(b"alice:in-wonderland")
        users.flush()
        hand_over(users.name)
        with MemcachedServer(tempfile.gettempdir(), options=("-Y", users.name)) as server:
            client = client_of(server, timeout=SLACK)
            assert "asks for a password (-Y)" in failing(value(client, "a")).why
            drive(close(client))


def test_full_house_says_what_to_write(drive, failing):
    """A server with too many connections says so unasked, and hangs up."""
    said = "ERROR Too many open connections\r\n"
    with ScriptedServer([said], [said]) as server:
        client = client_of(server, timeout=SLACK)
        assert "memcached -c 4096" in failing(value(client, "a")).why
        drive(close(client))


def test_no_host_is_unavailable(drive, failing):
    """A name that leads nowhere, or is none, is an outage with its cause."""
    nowhere = SimpleNamespace(port=11211)
    for host in ("no-such-host.invalid", "a..b"):
        client = client_of(nowhere, servers=((host, 11211),))
        assert failing(value(client, "a")).__cause__ is not None
        drive(close(client))


def test_failure_shows_nothing_of_what_was_stored(own_memcached, drive, failing):
    """No frame that an error passed through shows the data."""
    client = client_of(own_memcached, timeout=LIMIT)
    own_memcached.freeze()
    error = failing(add(client, "a", b"4111 1111"))
    own_memcached.thaw()
    drive(close(client))

    assert "4111" not in report_error(error, within=OURS)
