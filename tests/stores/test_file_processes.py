"""One file, many processes at once: nothing is lost, limits hold, and all know one secret."""

import subprocess
import sys

import pytest

from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.testing.sample import key, records_of

WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sessile.stores.contract import COMMITTED
from sessile.core.flow import run
from sessile.errors import KeyTaken
from sessile.stores.open import open_store
from sessile.testing.sample import change, key, login as log_in, record

url, me = sys.argv[1:]
store = open_store(url)

def secret():
    print(store.keep_secret(me.encode() * 8).decode())

def increment():
    try:
        run(store.create(record("tally", data={"n": b"0"})))
    except KeyTaken:
        pass
    done = 0
    while done < 100:
        old = run(store.read(key("tally")))
        n = str(int(old.data["n"]) + 1).encode()
        done += run(store.commit(change(old, {"n": n}))) is COMMITTED

def login(name):
    run(store.replace(log_in(record(name, owner="alice"), limit=1)))

def logins():
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(login, [f"{me} {number}" for number in range(10)]))

print("ready", flush=True)
act = {"secret": secret, "increment": increment, "logins": logins}[input()]
act()
run(store.close())
"""


@pytest.fixture(params=["sqlite", "lmdb"])
def url(request, tmp_path):
    return f"{request.param}:///{tmp_path}/sessile.db?timeout=30"


@pytest.fixture
def together(url):
    """Let five processes do one thing to one file, which none of them has seen, at one time."""

    def start(what):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, url, f"process {number}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for number in range(5)
        ]  # fmt: skip
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write(what + "\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * 5
        return said

    return start


@pytest.fixture
def store(url):
    store = open_store(url)
    yield store
    run(store.close())


def test_increments_add_up(together, store):
    """Five hundred increments by read and commit, from five processes, make five hundred."""
    together("increment")

    tally = run(store.read(key("tally")))
    assert (tally.data["n"], tally.version) == (b"500", 501)


def test_limit_holds(together, store):
    """Of fifty simultaneous logins with a limit of one, from five processes, one remains."""
    together("logins")

    assert len(records_of(store, run, "alice")) == 1
    assert len(run(store.scan()).records) == 1


def test_processes_agree_on_a_secret(together, tmp_path):
    """Processes that start at once on a fresh folder all have the secret of one of them."""
    said = set(together("secret"))

    assert len(said) == 1
    assert said == {(tmp_path / "sessile.db.key").read_text() + "\n"}
