"""The command line on a store that lists nobody: each command says what it cannot do, and why."""

import pytest

from sessile.core.ticket import Key
from sessile.demo.launcher import launch
from sessile.errors import ConfigError


@pytest.fixture
def url(memcached_server, folder):
    """A place of this test's own on the shared server."""
    return f"{memcached_server.url}?timeout=20&prefix={folder.name}:"


@pytest.fixture
def at(monkeypatch, url, sessile):
    """Run a command where the sessions are; secrets are given."""
    monkeypatch.setenv("SESSILE_URL", url)
    monkeypatch.setenv("SESSILE_SECRETS", "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La")
    return sessile


def test_doctor_says_what_there_is_to_know(at):
    """It makes a session and ends it, and looks at the server."""
    done = at("doctor")

    assert done.exit_code == 0
    for subject in ("round trip", "access", "cas", "disk", "item size", "memory"):
        assert subject in done.stdout


def test_session_is_shown_and_ended_by_its_id(at, login, url):
    """What takes no list works."""
    key = login("alice", url=url)
    assert "alice" in at("show", key).stdout
    assert at("end", key).exit_code == 0
    assert at("show", key).exit_code == 1

    key = login("alice", url=url)
    assert at("end-everybody", "--yes").exit_code == 0
    assert at("show", Key(key)).exit_code == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("list",), "show one by its id"),
        (("list", "--owner", "alice"), "keeps no index of a user's sessions"),
        (("end-all", "alice"), "end one of them by its id"),
    ],
)
def test_what_takes_a_list_is_refused(at, words, says):
    """With what to do instead, and no traceback."""
    done = at(*words)

    assert done.exit_code == 2
    assert says in done.stderr


def test_sessions_are_carried_there_and_not_back(at, login, url):
    """A list is needed of what is left alone."""
    login("alice", url="sqlite:///sessile.db")
    done = at("copy", "sqlite:///sessile.db", url)
    assert (done.exit_code, done.stdout[:22]) == (0, "1 session carried over")

    done = at("copy", url, "sqlite:///sessile.db")
    assert done.exit_code == 2
    assert "cannot list its sessions" in done.stderr


def test_no_table_is_needed(at):
    """There is nothing to make."""
    assert "nothing to do" in at("init").stdout


def test_demo_is_refused(url):
    """It shows each user theirs."""
    with pytest.raises(ConfigError, match="the demo shows each user theirs"):
        launch(port=0, url=url)
