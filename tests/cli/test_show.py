"""``sessile show`` prints the facts of one session, never its values or its ticket."""

import json
import time

from sessile.core.client import Client
from sessile.core.record import evolve
from sessile.core.trail import extend_trail, pack_trail
from sessile.testing import sample


def test_shows_each_fact_on_a_line(sessile, put):
    """Names, times in UTC, and beside them how far away they are."""
    now = time.time() // 1
    put(sample.record(owner="alice", device="Firefox\u202e", at=now - 3000, idle=9000.5))

    lines = sessile("show", sample.key("a")).stdout.splitlines()

    assert lines[:4] == [
        f"id          {sample.key('a')}",
        "user        alice",
        "device      Firefox?",
        "address",
    ]
    assert lines[4].endswith("Z  (50 minutes ago)")
    assert [line[:12].strip() for line in lines[5:]] == [
        "last seen", "expires", "ends", "remembered", "assurance", "version",
    ]  # fmt: skip


def test_trail_says_what_was_done_and_from_where(sessile, put):
    """Each line with its time; whatever a client called itself is shown, not obeyed."""
    home, abroad = Client("203.0.113.7", "Chrome", "Linux"), Client("198.51.100.9", "\x1b]0;\n")
    trail = extend_trail(extend_trail((), 0.0, home, "login"), 60.0, abroad, "another client")
    record = sample.record(owner="alice")
    put(evolve(record, client=home, past=pack_trail(trail)))

    printed = sessile("show", record.key).stdout
    shown = json.loads(sessile("show", record.key, "--json").stdout)

    assert "address     203.0.113.7\n" in printed
    assert "trail       1970-01-01T00:00:00Z  login  (Chrome on Linux, 203.0.113.7)\n" in printed
    assert "trail       1970-01-01T00:01:00Z  another client  (?]0;?, 198.51.100.9)\n" in printed
    assert [line["what"] for line in shown["trail"]] == ["login", "another client"]
    assert shown["trail"][0] == {
        "at": "1970-01-01T00:00:00Z", "what": "login",
        "address": "203.0.113.7", "device": "Chrome on Linux",
    }  # fmt: skip


def test_json_is_one_object(sessile, login):
    """The same facts for programs."""
    key = login("alice", remember=True)

    shown = json.loads(sessile("show", key, "--json").stdout)

    assert (shown["id"], shown["user"], shown["remembered"]) == (key, "alice", True)


def test_values_and_digests_stay_where_they_are(sessile, put):
    """Nothing of what a session holds, and nothing that proves a ticket, is printed."""
    record = sample.record(data={"cart": b"socks"})
    put(record)

    for form in ([], ["--json"]):
        printed = sessile("show", record.key, *form).stdout
        assert not any(word in printed for word in ("cart", "socks", record.digest.hex(), "digest"))


def test_an_unknown_id_is_code_1(sessile, login):
    """There was none: said on standard error, nothing on standard output."""
    login("alice")

    done = sessile("show", sample.key("nobody"))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"no live session has the id {sample.key('nobody')}\n"


def test_an_id_of_another_shape_is_refused_before_any_store(sessile):
    """A wrong shape is a usage error, with the right one beside it."""
    done = sessile("show", "nonsense")

    assert done.exit_code == 2
    assert "an id is 20 letters, digits, '-' or '_'" in done.stderr


def test_a_whole_ticket_is_refused_and_not_repeated(sessile):
    """Who pastes the cookie's value learns that it is secret, and it is not printed again."""
    ticket = "A" * 20 + "secret" * 6 + "0000"

    done = sessile("show", ticket)

    assert done.exit_code == 2
    assert "its first 20 characters are the id" in done.stderr
    assert "secret" not in done.output
