"""The commands against a real Redis server, as processes of their own where output counts."""

import pytest

from harness.redis_server import RedisServer
from sessile.testing import sample

GOOD = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"


@pytest.fixture
def url(redis_server, tmp_path, monkeypatch):
    """A place of this test's own on the shared server, which every command goes to."""
    url = f"{redis_server.url}?prefix={tmp_path.name}:"
    monkeypatch.setenv("SESSILE_URL", url)
    return url


def test_sessions_are_listed_shown_and_ended_without_a_secret(sessile, login, url):
    """An operator has what it takes to look and to end, and needs no more."""
    first, second, other = login("alice"), login("alice"), login("bob")

    listed = [line.split("\t")[0] for line in sessile("list").stdout.splitlines()]
    assert sorted(listed) == sorted([first, second, other])
    assert sessile("show", first).stdout.startswith(f"id          {first}\n")
    assert sessile("end", first).output == f"ended {first}\n"
    assert sessile("end", first).exit_code == 1
    assert sessile("end-all", "alice").output == "ended 1 session of alice\n"
    assert sessile("list").stdout.startswith(other)


def test_a_long_list_is_whole(sessile, put, url):
    """A scan of many pages prints each session once."""
    records = [sample.record(f"{n}") for n in range(500)]
    put(*records, url=url)

    listed = [line.split("\t")[0] for line in sessile("list").stdout.splitlines()]

    assert sorted(listed) == sorted(record.key for record in records)


def test_sweeping_is_the_servers_business(sessile, url):
    """The count is 0, and why is said beside it."""
    done = sessile("sweep")

    assert (done.exit_code, done.stdout) == (0, "0 expired sessions removed\n")
    assert "removes what has expired by itself" in done.stderr


def test_the_doctor_finds_a_sound_server_sound(shell, login, url, monkeypatch, redis_server):
    """No check fails, the server's clock is compared, and nothing is left behind."""
    monkeypatch.setenv("SESSILE_SECRETS", GOOD)
    login("alice", url=url)
    before = redis_server.ask("DBSIZE")

    done = shell("doctor")

    assert done.returncode == 0
    assert [line[0] for line in done.stdout.splitlines()] == list("✓✓✓✓✓!✓✓✓✓!✓!!✓✓")
    assert "ms from the store's" in done.stdout
    assert redis_server.ask("DBSIZE") == before


def test_a_wrong_password_is_named_and_neither_password_is_shown(shell, tmp_path):
    """The doctor says what to look at, the others one line; both without the password."""
    with RedisServer(tmp_path, password="sesame-open") as server:
        url = server.url.replace("sesame-open", "hunter2")
        doctor, listed = shell("doctor", "--url", url), shell("list", "--url", url)

    assert (doctor.returncode, listed.returncode) == (1, 2)
    assert "✗ store" in doctor.stdout
    assert "check the URL's user name and password" in doctor.stdout
    assert listed.stderr.startswith("sessile: redis://localhost")
    assert listed.stderr.count("\n") == 1
    said = doctor.stdout + doctor.stderr + listed.stderr
    assert "hunter2" not in said
    assert "sesame" not in said


def test_a_frozen_server_is_an_error_in_time(sessile, own_redis):
    """A server that takes connections and never answers is given up on, and said to be silent."""
    own_redis.freeze()
    try:
        done = sessile("list", "--url", f"{own_redis.url}?timeout=0.1")
    finally:
        own_redis.thaw()

    assert done.exit_code == 2
    assert "no answer within 0.1 s" in done.stderr
