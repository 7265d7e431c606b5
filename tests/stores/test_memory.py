"""What only ``memory://`` does: it is bounded, and it stays in one process."""

import subprocess
import sys

import pytest

from sessile.core.flow import run
from sessile.errors import ConfigError
from sessile.stores.memory import MemoryStore
from sessile.testing.sample import key, login, record, records_of

FORK = """
import os, sys
from sessile.core.flow import run
from sessile.errors import ConfigError
from sessile.stores.memory import MemoryStore
from sessile.testing.sample import key, record

store = MemoryStore.from_url(sys.argv[1])
run(store.create(record("a")))
if os.fork() == 0:
    try:
        print(run(store.read(key("a"))), flush=True)
    except ConfigError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
print("parent", run(store.read(key("a"))))
"""


def fork(url):
    done = subprocess.run(
        [sys.executable, "-c", FORK, url], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_least_used_session_goes_first():
    """Beyond its bound the store forgets the session that was used the longest time ago."""
    store = MemoryStore.from_url("memory://?most=2")
    for name in "ab":
        run(store.create(record(name)))
    run(store.read(key("a")))
    run(store.create(record("c")))

    kept = [name for name in "abc" if run(store.read(key(name)))]
    assert kept == ["a", "c"]


def test_forgotten_session_leaves_its_owner():
    """A session that had to go is in no owner's list."""
    store = MemoryStore(most=1)
    run(store.replace(login(record("a", owner="alice"))))
    run(store.replace(login(record("b", owner="bob"))))

    assert records_of(store, run, "alice") == []
    assert list(store._owners) == ["bob"]


def test_sessions_of_nobody_go_before_those_of_users():
    """A crawler that is given a session with every page pushes out visitors, and no user."""
    store = MemoryStore.from_url("memory://?most=5")
    for name in ("alice", "bob"):
        run(store.replace(login(record(name, owner=name))))
    for n in range(1_000):
        run(store.create(record(f"crawler {n}")))
    run(store.read(key("crawler 997")))  # used again, so it stays longer than those after it
    run(store.create(record("last"))), run(store.create(record("very last")))
    kept = {one.key for one in run(store.scan()).records}

    assert kept == {*map(key, ("alice", "bob", "crawler 997", "last", "very last"))}
    assert set(store._visitors) == kept - {key("alice"), key("bob")}
    run(store.delete(key("last")))
    assert key("last") not in store._visitors


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("memory://?most=0", "write a whole number above 0"),
        ("memory://here", "memory has none: write memory://"),
        ("memory:///sessile.db", "memory has none: write memory://"),
        ("memory://?shared=yes", "unknown option 'shared'"),
    ],
)
def test_wrong_url_is_refused(url, text):
    """An option or a place that memory cannot honour is an error at start."""
    with pytest.raises(ConfigError, match=text):
        MemoryStore.from_url(url)


def test_several_workers_are_refused(monkeypatch):
    """Where several workers are asked for, memory would know a client on one of them only."""
    monkeypatch.setattr(sys, "argv", ["gunicorn", "-w", "4", "shop:app"])

    with pytest.raises(ConfigError, match=r"4 workers were .* one of 4 .*write sqlite:///sessile"):
        MemoryStore.from_url("memory://")
    MemoryStore.from_url("memory://?per-process=yes")


def test_forked_process_is_refused():
    """A process forked off later has a copy of its own, so it is told to share a store."""
    child, parent = fork("memory://")

    assert child.startswith("memory:// keeps sessions in one process, and this one was forked")
    assert "sqlite:///sessile.db" in child
    assert parent == f"parent {record('a')}"


def test_forked_process_may_go_on_by_itself():
    """With per-process=yes the forked process goes on with its copy."""
    assert fork("memory://?per-process=yes") == [repr(record("a")), f"parent {record('a')}"]
