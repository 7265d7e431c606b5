"""``sessile stat`` counts sessions, and says how large they are and what the store says itself."""

import json
import re
import time

import pytest

from sessile.cli.app import app
from sessile.core.record import RecordKind, tombstone
from sessile.stores.contract import Capability
from sessile.stores.memory import MemoryStore
from sessile.testing import sample

DAY = 86_400.0


@pytest.fixture
def crowd(put):
    """Two users with three sessions, a visitor, one that is over, a tombstone and evidence."""
    now = time.time()
    records = [
        sample.record("a", owner="alice", at=now - 5, idle=DAY, absolute=DAY),
        sample.record("b", owner="alice", at=now - 5_000, idle=DAY, absolute=DAY),
        sample.record("c", owner="bob", at=now - 5, data={"v": bytes(900)}),
        sample.record("d", at=now - 5),
        sample.record("e", at=1000.0),
        tombstone(sample.key("f"), now),
        sample.record("g", at=now, kind=RecordKind.EVIDENCE),
    ]

    def fill(url=None):
        put(*records, **({} if url is None else {"url": url}))

    return fill


def test_people_get_a_line_for_each_figure(shell, crowd, folder):
    """How many, of whom, how large, how old; then what the file is."""
    crowd()
    done = shell("stat")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())

    assert (done.returncode, done.stderr) == (0, "")
    assert lines["store"] == f"{folder}/sessile.db"
    assert lines["sessions"] == "4 live: 3 of 2 users, 1 of visitors"
    assert lines["expired"] == "1 still there"
    assert lines["others"].startswith("2: ")
    assert lines["malformed"] == "0"
    assert re.fullmatch(r"1,\d{3} in live sessions, \d,\d{3} in all records", lines["bytes"])
    largest = rf"\S+ the largest, {sample.key('c')}"
    assert re.fullmatch(rf"\d{{3}} bytes on average; {largest}", lines["size"])
    assert lines["oldest"].endswith("(1 hour ago)")
    assert lines["newest"].endswith("seconds ago)")
    assert lines["age"] == (
        "3 under an hour, 1 under a day, 0 under a week, 0 under a month, 0 older"
    )
    assert re.fullmatch(r"7 records; [\d,]+ bytes of the file", lines["itself"])


def test_json_has_the_same_for_programs(sessile, crowd):
    """One object of plain figures, times in UTC."""
    crowd()
    found = json.loads(sessile("stat", "--json").stdout)

    assert found["sessions"] == found["of_users"] + found["of_visitors"] == 4
    assert (found["users"], found["users_is_estimate"]) == (2, False)
    assert (found["expired"], found["others"], found["malformed"]) == (1, 2, 0)
    assert found["largest"] == sample.key("c")
    assert 900 < found["largest_bytes"] < found["bytes"] < found["all_bytes"] < found["store_bytes"]
    assert (found["age_hour"], found["age_day"], found["age_older"]) == (3, 1, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["oldest"])
    assert (found["store_records"], found["store_records_of"], found["store_bytes_of"]) == (
        7, "store", "file",
    )  # fmt: skip


def test_every_page_is_counted(sessile, put):
    """250 sessions take three pages and none is missed or counted twice."""
    put(*(sample.record(f"{n}", at=time.time()) for n in range(250)))

    assert json.loads(sessile("stat", "--json").stdout)["sessions"] == 250


def test_quick_looks_at_no_session(sessile, crowd, monkeypatch):
    """What the store itself says costs no scan."""
    crowd()
    monkeypatch.setattr("sessile.stores.sqlite.SQLiteStore.scan", None)
    found = json.loads(sessile("stat", "--quick", "--json").stdout)

    assert set(found) == {
        "store", "store_records", "store_records_is_estimate", "store_records_of", "store_bytes",
        "store_bytes_of",
    }  # fmt: skip
    assert found["store_records"] == 7


def test_empty_store_is_no_error(sessile, login):
    """Where everybody has logged out there is no oldest session, and no mean."""
    key = login("alice")
    sessile("end", key)
    done = sessile("stat")

    assert done.exit_code == 0
    assert "0 live: 0 of 0 users, 0 of visitors" in done.stdout
    assert "oldest" not in done.stdout
    assert "on average" not in done.stdout


def test_whole_server_is_called_that(sessile, crowd, redis_server, folder):
    """Redis knows the bytes of the whole server, and no figure for what is ours."""
    url = f"{redis_server.url}?timeout=20&prefix={folder.name}:"
    crowd(url)
    shown = sessile("stat", "--url", url).stdout

    assert "4 live: 3 of 2 users, 1 of visitors" in shown
    assert re.search(r"itself +7 records; [\d,]+ bytes of the whole server", shown)


def test_store_that_lists_nobody_says_what_it_knows(sessile, memcached_server, folder):
    """Of memcached it is told what the server says of itself, and why no more."""
    url = f"{memcached_server.url}?timeout=20&prefix={folder.name}:"
    done = sessile("stat", "--url", url)

    assert done.exit_code == 0
    assert re.search(
        r"itself +[\d,]+ items of the whole server; [\d,]+ bytes of the wh", done.stdout
    )
    assert "cannot list its sessions" in done.stderr


def test_near_cache_in_the_url_changes_nothing(sessile, crowd, redis_server, folder):
    """The figures are those of the store behind the copies."""
    url = f"{redis_server.url}?timeout=20&prefix={folder.name}:"
    crowd(url)
    found = json.loads(sessile("stat", "--json", "--url", f"{url}&near=100").stdout)

    assert (found["sessions"], found["store_records"]) == (4, 7)


def test_store_that_can_neither_list_nor_count_is_told(monkeypatch, sessile):
    """A store of somebody's own that knows nothing of itself."""

    class Silent(MemoryStore):
        capabilities = Capability.SHARED
        size = None

    monkeypatch.setattr("sessile.stores.memory.MemoryStore", Silent)
    done = sessile("stat", "--url", "memory://")

    assert done.exit_code == 2
    assert "can neither list nor count its sessions" in done.stderr


def test_store_without_a_size_is_counted(monkeypatch, sessile):
    """Asked quickly, a store that can do no more than count does that."""

    class Plain(MemoryStore):
        capabilities = MemoryStore.capabilities | Capability.SHARED
        size = None

    monkeypatch.setattr("sessile.stores.memory.MemoryStore", Plain)
    found = json.loads(sessile("stat", "--quick", "--json", "--url", "memory://").stdout)

    assert (found["store_records"], found["store_bytes"]) == (0, None)


def test_nothing_is_made_by_counting(sessile, folder):
    """Without a database there is an error that names the file, and still no database."""
    done = sessile("stat")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sessile: there is no database {folder}/sessile.db")
    assert list(folder.iterdir()) == []


def test_progress_of_counting_goes_to_the_terminal(put, terminal, folder):
    """The bar is on standard error's terminal, the figures in standard output's file."""
    put(*(sample.record(f"{n}", at=time.time()) for n in range(3)))
    shown = terminal("stat", out=folder / "figures")

    assert re.search(r"counting.*3 sessions", shown)
    assert "3 live" in (folder / "figures").read_text()


def test_stat_is_among_the_commands():
    """``sessile --help`` shows it."""
    assert "stat" in {command.name for command in app.registered_commands}
