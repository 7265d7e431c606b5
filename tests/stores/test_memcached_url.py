"""URLs of memcached servers, and what the doctor says of those."""

import re
import tempfile

import pytest

from harness.memcached_server import MemcachedServer
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.contract import HasDiagnosis, HasServerTime, Store
from sessile.stores.finding import Mark
from sessile.stores.memcached import MemcachedStore
from sessile.stores.memcached_diagnosis import diagnose
from sessile.testing.sample import key, record
from sessile.wire import system


def places(url):
    """Return where the servers of a URL are."""
    store = MemcachedStore.from_url(url)
    assert isinstance(store, Store)
    return list(store._client.keys())


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("memcached://", ["localhost:11211"]),
        ("memcached://cache", ["cache:11211"]),
        ("memcached://cache:1/", ["cache:1"]),
        ("memcached://one,two:11212/", ["one:11211", "two:11212"]),
        ("memcached://[::1],two?prefix=shop:&timeout=1", ["[::1]:11211", "two:11211"]),
        ("memcached+unix:///run/memcached.sock", ["/run/memcached.sock"]),
    ],
)
def test_url_names_servers(url, found):
    """As many as it says, each with the usual port where it says none."""
    assert sorted(places(url)) == sorted(found)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memcached://me:secret@cache", "without user name and password"),
        ("memcached://:secret@one,two", "without user name and password"),
        ("memcached://cache/0", "memcached://one:11211,two:11211"),
        ("memcached://one,one", "one:11211 is named twice"),
        ("memcached://one,", "cannot be read"),
        ("memcached://cache?db=1", "unknown option 'db'"),
        ("memcached://cache?timeout=0", "number of seconds"),
        ("memcached://cache?prefix=a%20b:", "without blanks"),
        ("memcached://cache?prefix=a%0Ab:", "without blanks"),
        ("memcached+unix://", "memcached.sock"),
        ("memcached+unix://cache/run/memcached.sock", "names no socket"),
    ],
)
def test_wrong_url_says_what_to_write(url, says):
    """And shows no password."""
    with pytest.raises(ConfigError, match=says) as refused:
        MemcachedStore.from_url(url)

    assert "secret" not in str(refused.value)


def test_sessions_live_behind_a_socket(drive):
    """A server of this host needs no port."""
    with tempfile.TemporaryDirectory() as folder, MemcachedServer(folder, unix=True) as server:
        store = MemcachedStore.from_url(f"{server.url}?timeout=20")
        drive(store.create(record("a")))
        assert drive(store.read(key("a"))) == record("a")
        (access,) = (found for found in drive(store.diagnose()) if found.subject == "access")
        drive(store.close())

    assert "socket" in access.message


def test_what_takes_a_list_is_refused(memcached_server, drive):
    """Nobody is told that there are no sessions where nobody can know."""
    store = MemcachedStore.from_url(f"{memcached_server.url}?timeout=20")
    for flow in (store.scan(), store.count()):
        with pytest.raises(ConfigError, match="lists no sessions"):
            drive(flow)
    drive(store.close())


def test_clock_of_a_server_is_told(own_pair, drive):
    """It is this machine's here."""
    store = MemcachedStore.from_url(f"{own_pair.url}?timeout=20")
    assert isinstance(store, HasServerTime)
    assert abs(drive(store.server_time()) - system.clock()) < 60
    drive(store.close())


def test_doctor_looks_at_every_server(own_pair, drive):
    """What is the same of all is said once; one that is away is an error."""
    store = MemcachedStore.from_url(f"{own_pair.url}?timeout=20")
    assert isinstance(store, HasDiagnosis)
    found = {finding.subject: finding for finding in drive(store.diagnose())}
    assert sorted(found) == ["access", "cas", "disk", "item size", "memory", "version"]
    assert {finding.mark for finding in found.values()} == {Mark.FINE, Mark.NOTE}
    own_pair.servers[1].stop()

    with pytest.raises(StoreUnavailable):
        drive(store.diagnose())
    drive(store.close())


STATS = {
    "version": "1.6.18", "bytes": "100", "limit_maxbytes": "67108864", "evictions": "0",
    "uptime": "200000",
}  # fmt: skip
SETTINGS = {"item_size_max": "1048576", "cas_enabled": "yes", "evictions": "on", "inter": "NULL"}


@pytest.mark.parametrize(
    ("told", "mark", "says"),
    [
        ({"version": "1.4.39"}, Mark.WRONG, "version: 1.4.39; sessile needs"),
        ({"version": ""}, Mark.WRONG, "version: no version"),
        ({"evictions": "7"}, Mark.WRONG, "memory: .*7 items were evicted.*-m 1024"),
        ({"bytes": "66108864"}, Mark.WRONG, "memory: .*soon it evicts"),
        ({"-evictions": "off"}, Mark.NOTE, "memory: .*refuses logins"),
        ({"-item_size_max": "1024"}, Mark.NOTE, "item size: .*-I 1m"),
        ({"-item_size_max": "?"}, Mark.NOTE, "item size"),
        ({"-cas_enabled": "no"}, Mark.WRONG, "cas: .*-C"),
        ({"uptime": "7000"}, Mark.NOTE, "disk: .*run for 1 hours"),
        ({}, Mark.NOTE, "disk: .*run for 2 days"),
        ({}, Mark.NOTE, "access: it listens on every address.*firewall"),
        ({"-inter": "10.0.0.1"}, Mark.NOTE, "access: it listens on 10.0.0.1"),
        ({"-inter": "127.0.0.1,::1"}, Mark.NOTE, "access: it listens on this host alone"),
        ({}, Mark.FINE, "memory: .*nothing was evicted"),
    ],
)
def test_doctor_says_what_ends_sessions(told, mark, says):
    """What ends sessions is wrong or a note, with what to write."""
    stats = {name: told.get(name, value) for name, value in STATS.items()}
    settings = {name: told.get(f"-{name}", value) for name, value in SETTINGS.items()}
    found = diagnose({"one:11211": (stats, settings)})

    lines = [f"{each.subject}: {each.message}" for each in found if each.mark is mark]
    assert [line for line in lines if re.search(says, line)]


def test_doctor_names_the_server_that_differs():
    """Of several servers, one that evicts is named."""
    told = {"one:1": (STATS, SETTINGS), "two:2": (STATS | {"evictions": "1"}, SETTINGS)}
    (memory, other) = (found for found in diagnose(told) if found.subject == "memory")

    assert {memory.message[:6], other.message[:6]} == {"one:1:", "two:2:"}
