"""memcached's text protocol as bytes: names, times to live, replies in pieces, and no replies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.flow import run
from sessile.wire.commands.server import INCOMPLETE, CommandError, ProtocolError
from sessile.wire.memcached.client import Swap
from sessile.wire.memcached.reader import LONGEST_LINE, CacheItem, Stats, TextReader
from sessile.wire.memcached.text import LONGEST_NAME, exptime, fits, pack_delete, pack_get
from wire.memcached.clients import add, client_of, close, get, swap, value
from wire.redis.scripted import ScriptedServer

DAY = 86_400
NOW = 1_800_000_000.25
REPLIES = [
    b"STORED",
    {},
    {b"a": CacheItem(b"x\r\nEND\r\n", 2**64 - 1)},
    {b"a": CacheItem(b"", 1), b"b": CacheItem(b"y", 2)},
    Stats(pid="17", version="1.6.18", empty=""),
    Stats(version="1.6.18 (of ours)"),
    "SERVER_ERROR object too large for cache",
    "ERROR",
]
SAID = [
    b"STORED\r\n",
    b"END\r\n",
    b"VALUE a 0 8 18446744073709551615\r\nx\r\nEND\r\n\r\nEND\r\n",
    b"VALUE a 0 0 1\r\n\r\nVALUE b 12 1 2\r\ny\r\nEND\r\n",
    b"STAT pid 17\r\nSTAT version 1.6.18\r\nSTAT empty \r\nEND\r\n",
    b"VERSION 1.6.18 (of ours)\r\n",
    b"SERVER_ERROR object too large for cache\r\n",
    b"ERROR\r\n",
]


def read_all(pieces):
    """Return the replies that a reader makes of bytes, errors as their texts."""
    reader, replies = TextReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (reply := reader.gets()) is not INCOMPLETE:
            replies.append(str(reply) if isinstance(reply, CommandError) else reply)
    assert not reader.has_data()
    return replies


@given(st.lists(st.integers(0, len(REPLIES) - 1), max_size=6), st.data())
def test_replies_are_whole_whatever_pieces_they_come_in(numbers, data):
    """Bytes that are cut anywhere are the same replies, in their order."""
    said = b"".join(SAID[number] for number in numbers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=12)))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]

    assert read_all(pieces) == [REPLIES[number] for number in numbers]


def test_reply_that_comes_byte_by_byte():
    """Every cut at once."""
    said = b"".join(SAID)

    assert read_all(said[at : at + 1] for at in range(len(said))) == REPLIES


@pytest.mark.parametrize(
    "said",
    [
        b"VALUE a 0 3 1\r\nabcdef\r\nEND\r\n",  # longer than it says
        b"VALUE a 0 3\r\nabc\r\nEND\r\n",  # without a token
        b"VALUE a 0 -3 1\r\nabc\r\nEND\r\n",
        b"VALUE a 0 99999999999 1\r\nabc\r\nEND\r\n",
        b"VALUE " + b"a" * 251 + b" 0 1 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 1 1\r\nx\r\nSTORED\r\n",
        b"STAT a 1\r\nSTORED\r\n",
        b"x" * LONGEST_LINE,
        b"x" * LONGEST_LINE * 2 + b"\r\n",
    ],
)
def test_what_is_no_reply_is_refused(said):
    """Bytes that a memcached server would not say."""
    with pytest.raises(ProtocolError):
        read_all([said])


def test_error_reply_shows_no_control_characters():
    """What a server says goes to terminals and logs: it has no say there."""
    (said,) = read_all([b"SERVER_ERROR \x1b[2Jowned\n" + b"x" * 1000 + b"\r\n"])

    assert said == ("SERVER_ERROR ?[2Jowned?" + "x" * 1000)[:200]


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ({}, True),
        ({b"a": CacheItem(b"", 1)}, True),
        ({b"a": CacheItem(b"", 1), b"b": CacheItem(b"", 1)}, True),
        ({b"c": CacheItem(b"", 1)}, False),
        (Stats(a="1"), False),
        (b"STORED", False),
    ],
)
def test_items_are_those_that_were_asked_for(reply, right):
    """An item of another name is somebody else's."""
    assert fits(pack_get(("a", "b")), reply) is right


def test_line_is_one_of_its_command():
    """An answer to another command is nobody's."""
    assert fits(pack_delete("a"), b"DELETED")
    assert not fits(pack_delete("a"), b"STORED")
    assert not fits(pack_delete("a"), {})


@pytest.mark.parametrize(
    ("expires_in", "told"),
    [
        (0, 0),
        (0.0001, 1),
        (1, 1),
        (1.5, 2),
        (30 * DAY, 30 * DAY),
        (30 * DAY + 1, 1_802_592_002),
        (400 * DAY, 1_834_560_001),
        (-1, -1),
        (-0.4, -1),
        (100 * 365 * DAY, 2**31 - 1),
        (float("inf"), 2**31 - 1),
    ],
)
def test_time_to_live_is_told_as_the_server_counts(expires_in, told):
    """Up to 30 days in seconds, beyond as a date; for ever where that was asked, and never else."""
    assert exptime(expires_in, NOW) == told


@pytest.mark.parametrize("expires_in", [3600, 30 * DAY, 31 * DAY, 400 * DAY, 100 * 365 * DAY])
def test_server_keeps_what_is_not_over(own_memcached, drive, expires_in):
    """Whatever the time to live, the item is there, and not for ever."""
    client = client_of(own_memcached)
    drive(add(client, "a", b"1", expires_in))
    left = int(own_memcached.ask("mg a t")[0].removeprefix(b"HD t"))
    drive(close(client))

    assert min(expires_in, 2**31 - 1 - 1_900_000_000) - 600 <= left <= expires_in + 2


def test_server_drops_what_is_over(own_memcached, drive):
    """What has no time left is not kept; what has 0 is kept for ever."""
    client = client_of(own_memcached)
    drive(add(client, "over", b"1", -3))
    drive(add(client, "stays", b"1", 0))

    assert drive(value(client, "over")) is None
    assert own_memcached.ask("mg stays t") == [b"HD t-1"]
    (read,) = drive(get(client, "stays"))
    assert drive(swap(client, "stays", b"2", read.unique, -3)) is Swap.STORED
    assert drive(value(client, "stays")) is None
    drive(close(client))


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a\r\nflush_all", "a\0", "a\x7f", "a\t", "x" * 251, "ж" * 126],
)
def test_name_that_is_none_is_not_sent(drive, name):
    """Nobody makes a command of a name; the error does not show it."""
    with ScriptedServer() as server:
        client = client_of(server)
        for flow in (get(client, "fine", name), add(client, name), swap(client, name, b"", 1)):
            with pytest.raises(ValueError, match=f"a name of {len(name.encode())} bytes") as error:
                drive(flow)
            assert not name or name not in str(error.value)
        with pytest.raises(ValueError, match="name what to get"):
            drive(get(client))
        drive(close(client))


def test_longest_name_is_kept(memcached_server):
    """The server takes what we take."""
    client = client_of(memcached_server)
    for name in ("x" * LONGEST_NAME, "ж" * (LONGEST_NAME // 2)):
        run(add(client, name, b"1"))
        assert run(value(client, name)) == b"1"
    run(close(client))
