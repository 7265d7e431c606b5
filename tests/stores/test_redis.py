"""What is Redis's own in the Redis store: scripts, time to live, sizes, names of keys."""

import subprocess
import sys
from urllib.parse import quote

import pytest

from sessile.core.client import Client
from sessile.core.record import RecordKind, evolve, pack
from sessile.core.trail import extend_trail, pack_trail
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import COMMITTED, Conflict, Corrupt, Page, Replaced
from sessile.stores.location import Location
from sessile.stores.redis import RedisStore
from sessile.stores.redis_rows import STAMP
from sessile.stores.redis_url import endpoint_of
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, login, record, records_of

ROW = f"sessile:{key('a')}"
GRAVE = record("a", idle=120.0, version=0, kind=RecordKind.TOMBSTONE)
LARGEST = 1283
"""Bytes for a session of 1 KB: a fifth above what the leanest peer takes for the same data."""


def index(server):
    (found,) = server.ask("KEYS", f"sessile:@{'?' * 32}")
    return found


@pytest.mark.parametrize(
    ("act", "commands"),
    [
        (lambda store: store.read(key("a")), {"mget": 1}),
        (lambda store: store.create(record("new")), {"evalsha": 1, "get": 1, "set": 1}),
        (
            lambda store: store.commit(change(record("a"))),
            {"evalsha": 1, "get": 1, "getrange": 1, "set": 1},
        ),
        (
            lambda store: store.commit(change(record("x"))),
            {"evalsha": 1, "getrange": 1, "get": 2},
        ),
        (
            lambda store: store.replace(login(record("n"), old=record("a"), tombstone=GRAVE)),
            {"evalsha": 1, "time": 1, "get": 1, "getrange": 1, "set": 2},
        ),
        (
            lambda store: store.replace(
                login(record("n", owner="alice"), limit=2, old=record("a"), tombstone=GRAVE)
            ),
            {
                "evalsha": 1,
                "time": 1,
                "get": 1,
                "getrange": 2,
                "set": 2,
                "zcard": 1,
                "zrandmember": 1,
                "zrange": 1,
                "zadd": 1,
                "pttl": 1,
                "pexpire": 1,
            },
        ),
        (
            lambda store: store.replace(login(record("n", owner="alice"), limit=1)),
            {
                "evalsha": 1,
                "time": 1,
                "get": 1,
                "getrange": 1,
                "set": 1,
                "zcard": 1,
                "zrevrange": 1,
                "zrange": 1,
                "zadd": 1,
                "pttl": 1,
                "pexpire": 1,
                "unlink": 1,
                "zrem": 1,
            },
        ),
        (lambda store: store.delete(key("a")), {"evalsha": 1, "get": 1, "getdel": 1}),
        (
            lambda store: store.delete(key("b"), "alice"),
            {"evalsha": 1, "get": 1, "zrem": 1, "getdel": 1},
        ),
        (lambda store: store.owned_by("alice"), {"evalsha": 1, "zrange": 1, "get": 2}),
        (
            lambda store: store.end_everybody(),  # and then what the server keeps on disk
            {"exists": 1, "eval": 1, "get": 2, "del": 1, "set": 1},
        ),
        (
            lambda store: store.delete_owned("alice"),
            {
                "evalsha": 1,
                "time": 1,
                "get": 1,
                "zrange": 1,
                "getrange": 1,
                "zrem": 1,
                "strlen": 1,
                "unlink": 1,
            },
        ),
        (lambda store: store.scan(), {"scan": 1, "evalsha": 1, "get": 4}),
        (lambda store: store.count(), {"scan": 1}),
    ],
    ids=[
        "read",
        "create",
        "commit",
        "gone",
        "replace",
        "login",
        "excess",
        "delete",
        "logout",
        "owned_by",
        "end",
        "delete_owned",
        "scan",
        "count",
    ],
)
def test_an_act_is_one_command_or_script(store, server, drive, act, commands):
    """Each act is one trip, a page of a scan two; the end asks what the server is and keeps too."""
    for warm in (
        store.create(record("w")),
        store.commit(change(record("w"))),
        store.delete(key("w")),
        store.replace(login(record("w"))),
        store.owned_by("w"),
        store.delete_owned("w"),
        store.scan(),
    ):
        drive(warm)
    drive(store.create(record("a")))
    drive(store.replace(login(record("b", owner="alice"))))
    server.ask("CONFIG", "RESETSTAT")
    drive(act(store))

    by_its_past = {"bgsave", "config|get"}  # whether this server ever wrote a snapshot
    calls = {name: number for name, number in server.calls().items() if name not in by_its_past}
    assert calls == commands


@pytest.mark.parametrize("leap", [-3600.0, 3600.0])
def test_clock_that_was_set_keeps_nobody_out(drive, server, leap):
    """After either clock was set a login is carried out; it may take one more look at the clock."""
    timer = [100.0]
    store = RedisStore(endpoint_of(Location(server.url)), timer=lambda: timer[0])
    drive(store.replace(login(record("a"))))
    timer[0] += leap
    server.ask("CONFIG", "RESETSTAT")
    drive(store.replace(login(record("b"))))

    assert drive(store.read(key("b"))) == record("b")
    assert server.calls()["evalsha"] == (2 if leap < 0 else 1)
    drive(store.close())


def test_clock_is_looked_at_again_after_a_while(drive, server):
    """Clocks drift apart: what was measured ten minutes ago is measured anew, and no sooner."""
    timer = [100.0]
    store = RedisStore(endpoint_of(Location(server.url)), timer=lambda: timer[0])
    looks = []
    for n, later in enumerate((0.0, 599.0, 1.0, 300.0)):
        timer[0] += later
        server.ask("CONFIG", "RESETSTAT")
        drive(store.replace(login(record(f"{n}"))))
        looks.append(server.calls()["time"] - 1)  # the script looks too
    drive(store.close())

    assert looks == [1, 0, 1, 0]


def test_server_that_forgot_the_scripts_is_told_again(store, server, drive):
    """A restart or SCRIPT FLUSH costs one more trip and nothing else."""
    row = record("a", owner="alice")
    acts = [
        (store.replace(login(row)), Replaced()),
        (store.commit(change(row)), COMMITTED),
        (store.owned_by("alice"), Page([change(row).record], None)),
        (store.delete(key("a"), "alice"), change(row).record),
    ]
    for act, answer in acts:
        server.ask("SCRIPT", "FLUSH")
        assert drive(act) == answer


@pytest.mark.parametrize("bits", [7, 8, 16, 32, 63])
def test_version_is_compared_at_every_length(store, drive, bits):
    """The beginning of a row tells its version where MessagePack spends another byte on it."""
    for version in (2**bits - 2, 2**bits - 1, 2**bits):
        row = record(f"{version}", version=version)
        drive(store.create(row))
        for wrong in {1, version - 1, version + 1, version // 256, version % 256} - {version}:
            stale = change(record(f"{version}", version=wrong))
            assert drive(store.commit(stale)) == Conflict(row)
        assert drive(store.commit(change(row))) == COMMITTED


def test_rows_and_indices_have_a_time_to_live(store, server, drive):
    """The server removes a row ten minutes after its deadline, an index after its last row's."""
    row = record("a", owner="alice", idle=600.0, absolute=3600.0)
    drive(store.replace(login(row)))
    assert 1190 < server.ask("TTL", ROW) <= 1200
    assert 4190 < server.ask("TTL", index(server)) <= 4200

    drive(store.commit(change(row, seen=T0 + 300.0, idle_until=T0 + 1500.0)))
    assert 1790 < server.ask("TTL", ROW) <= 1800

    drive(store.replace(login(record("b", owner="alice", absolute=60.0))))
    assert 4190 < server.ask("TTL", index(server)) <= 4200


def test_longest_life_is_a_time_to_live(store, server, drive):
    """The longest times that a policy takes are times that Redis takes."""
    drive(store.replace(login(record("a", owner="alice", idle=9e10, absolute=9.9e10))))
    assert server.ask("TTL", ROW) > 8e10


def test_session_of_a_kilobyte_is_lean(store, server, drive):
    """All we keep around 1 KB of values costs no more than a fifth above the leanest peer."""
    values = {f"value {n}": bytes(93) for n in range(10)}
    assert sum(len(name) + len(value) for name, value in values.items()) == 1000
    client = Client("203.0.113.77", "Chrome", "Android", 2**32 - 1)
    row = record("a", data=values, owner="alice@example.com", proof=bytes(20), client=client)
    drive(store.replace(login(row)))

    assert len(ROW) + server.ask("STRLEN", ROW) <= LARGEST
    assert server.ask("STRLEN", ROW) == len(pack(row)) + 9 + STAMP


def test_line_of_the_trail_is_lean():
    """What a session remembers of its past costs at most 64 bytes a line, and 20 lines."""
    client = Client("2001:db8:1234:5678::9abc", "Chrome", "Android", 2**32 - 1)
    short = record("a", client=client)
    one = evolve(short, past=pack_trail(extend_trail((), T0, client, "login")))

    assert len(pack(one)) - len(pack(short)) <= 64


@pytest.mark.parametrize("prefix", ["a", "a*", "a?", "[ab]", "a\\", "ä^-", "a:b:", "{x}", "@"])
def test_prefix_is_taken_literally(server, drive, prefix):
    """A prefix that SCAN could misread finds its own records, and takes no others for its own."""
    mine, others = (
        RedisStore.from_url(f"{server.url}?prefix={quote(each)}") for each in (prefix, "ab")
    )
    for each in (mine, others):
        drive(each.create(record("a")))
        drive(each.replace(login(record("b", owner="alice"))))
    page = drive(mine.scan(batch=1000))
    for each in (mine, others):
        drive(each.close())

    assert sorted(row.key for row in page.records) == sorted((key("a"), key("b")))
    assert page.cursor is None


def test_foreign_type_is_malformed(store, server, drive):
    """A key that holds no string is absent; its place is taken, and corrupt, until deleted."""
    drive(store.create(record("b")))
    server.ask("LPUSH", ROW, "x")
    corrupt = Corrupt(key("a"))

    assert drive(store.read(key("a"))) is None
    assert drive(store.commit(change(record("a")))) == corrupt
    assert drive(store.replace(login(record("c"), old=record("a")))) == corrupt
    for taken in (store.create(record("a")), store.replace(login(record("a"), old=record("b")))):
        with pytest.raises(KeyTaken):
            drive(taken)
    assert drive(store.read(key("b"))) == record("b")
    assert drive(store.delete(key("a"))) == corrupt
    drive(store.create(record("a")))


def test_full_server_replaces_nothing(store, server, drive):
    """A server that has no memory left stores no login, and ends nothing for it."""
    drive(store.create(record("a")))
    drive(store.replace(login(record("b", owner="alice"))))
    late = login(record("n", owner="alice"), limit=1, old=record("a"), tombstone=GRAVE)
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match="memory"):
            drive(store.replace(late))
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")

    assert drive(store.read(key("n"))) is None
    assert drive(store.read(key("a"))) == record("a")
    assert records_of(store, drive, "alice") == [record("b", owner="alice")]


def test_everybody_is_ended_on_a_full_server(store, server, drive):
    """Whoever ends everybody need not find memory first."""
    drive(store.create(record("a")))
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        drive(store.end_everybody())
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")

    assert drive(store.read(key("a"))) is None


def test_missing_driver_names_the_extra():
    """Without hiredis the error says what to install."""
    code = (
        "import sys; sys.modules['hiredis'] = None\n"
        "from sessile.errors import MissingExtra\n"
        "from sessile.stores.open import open_store\n"
        "try: open_store('redis://localhost')\n"
        "except MissingExtra as error: print(error.extra, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("redis RedisStore needs sessile[redis]: pip install")
