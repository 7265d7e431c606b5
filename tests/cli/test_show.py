"""``sessile show`` prints the facts of one session, never its values or its ticket."""

import json
import time

from sessile.testing import sample


def test_shows_each_fact_on_a_line(sessile, put) -> None:
    """Names, times in UTC, and beside them how far away they are."""
    now = time.time() // 1
    put(sample.record(owner="alice", device="Firefox\u202e", at=now - 3000, idle=9000.5))

    lines = sessile("show", sample.key("a")).stdout.splitlines()

    assert lines[:3] == [
        f"id          {sample.key('a')}",
        "user        alice",
        "device      Firefox?",
    ]
    assert lines[3].endswith("Z  (50 minutes ago)")
    assert [line[:12].strip() for line in lines[4:]] == [
        "last seen", "expires", "ends", "remembered", "assurance", "version",
    ]  # fmt: skip


def test_json_is_one_object(sessile, login) -> None:
    """The same facts for programs."""
    key = login("alice", remember=True)

    shown = json.loads(sessile("show", key, "--json").stdout)

    assert (shown["id"], shown["user"], shown["remembered"]) == (key, "alice", True)


def test_values_and_digests_stay_where_they_are(sessile, put) -> None:
    """Nothing of what a session holds, and nothing that proves a ticket, is printed."""
    record = sample.record(data={"cart": b"socks"})
    put(record)

    for form in ([], ["--json"]):
        printed = sessile("show", record.key, *form).stdout
        assert not any(word in printed for word in ("cart", "socks", record.digest.hex(), "digest"))


def test_an_unknown_id_is_code_1(sessile, login) -> None:
    """There was none: said on standard error, nothing on standard output."""
    login("alice")

    done = sessile("show", sample.key("nobody"))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"no live session has the id {sample.key('nobody')}\n"


def test_an_id_of_another_shape_is_refused_before_any_store(sessile) -> None:
    """A wrong shape is a usage error, with the right one beside it."""
    done = sessile("show", "nonsense")

    assert done.exit_code == 2
    assert "an id is 20 letters, digits, '-' or '_'" in done.stderr


def test_a_whole_ticket_is_refused_and_not_repeated(sessile) -> None:
    """Who pastes the cookie's value learns that it is secret, and it is not printed again."""
    ticket = "A" * 20 + "secret" * 6 + "0000"

    done = sessile("show", ticket)

    assert done.exit_code == 2
    assert "its first 20 characters are the id" in done.stderr
    assert "secret" not in done.output
