"""``sessile list`` prints live sessions: lines of tabs in a pipe, JSON when asked."""

import json
import re
import time

import pytest

from sessile.core.client import Client
from sessile.core.record import evolve, tombstone
from sessile.errors import ConfigError
from sessile.service.sessions import Sessions, context_of
from sessile.stores.contract import Capability, Page
from sessile.stores.memory import MemoryStore
from sessile.testing import sample
from sessile.testing.clock import FakeClock

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Repeating(MemoryStore):
    """A store whose scan shows each session on two pages, as it is allowed to."""

    async def scan(self, cursor=None, batch=100):
        page = await super().scan(None, batch)
        return Page(page.records, "again" if cursor is None else None)


class Scanless(MemoryStore):
    """A store that cannot list what it holds."""

    capabilities = Capability.OWNERS | Capability.SHARED


def test_a_pipe_gets_a_line_of_tabs_for_each_session(shell, login):
    """Id, user, device, address, created, last seen, expires, remembered; no heading."""
    first, second = login("alice", "Firefox on Linux"), login("alice", remember=True)
    login("bob")

    done = shell("list", "--owner", "alice")

    assert [line.split("\t")[:4] for line in done.stdout.splitlines()] == [
        [first, "alice", "Firefox on Linux", ""],
        [second, "alice", "", ""],
    ]
    assert re.fullmatch(rf"({STAMP}\t){{3}}no", done.stdout.splitlines()[0].split("\t", 4)[4])
    assert done.stdout.endswith("\tyes\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_an_owner_everybody_is_listed(sessile, login):
    """Users and anonymous visitors alike, each once, in whatever order the store has them."""
    ids = {login(f"user{n}") for n in range(3)}

    assert {line.split("\t")[0] for line in sessile("list").stdout.splitlines()} == ids


def test_json_is_one_document_with_exact_facts(sessile, login):
    """An array of objects whose times are RFC 3339; nothing secret and no value is among them."""
    login("alice", "Ünïcode", remember=True)
    login("alice")

    listed = json.loads(sessile("list", "--json").stdout)

    assert len(listed) == 2
    assert set(listed[0]) == {
        "id", "user", "device", "address", "created", "last_seen", "expires", "ends", "remembered",
        "assurance", "version",
    }  # fmt: skip
    assert {session["user"] for session in listed} == {"alice"}
    assert {session["device"] for session in listed} == {"Ünïcode", ""}
    assert re.fullmatch(STAMP, listed[0]["created"])


def test_json_of_nothing_is_an_empty_array(sessile, login):
    """A program that reads it need not treat nothing as a special case."""
    login("alice")

    assert json.loads(sessile("list", "--owner", "nobody", "--json").stdout) == []


def test_no_text_of_others_reaches_the_terminal_as_a_command(sessile, put):
    """A user or device with control characters, tabs or markup is shown, not obeyed."""
    put(sample.record(owner="[red]eve\x1b]0;owned\x07\t", device="a\nb\u202e"))

    line = sessile("list").stdout

    assert "\x1b" not in line
    assert line.count("\n") == 1
    assert "[red]eve?]0;owned??\ta?b?\t" in line


def test_a_page_that_repeats_a_session_prints_it_once():
    """Scans may show a session twice; a list does not."""
    store = Repeating()
    sessions = Sessions(store=store, clock=FakeClock())
    store._add(context_of(sessions).sealer.prove(sample.record()))

    assert len(list(sessions.sync.scan())) == 1


def test_what_is_left_of_an_ended_session_is_not_listed(sessile, put):
    """For two minutes after a logout something stands under its id; it is no session."""
    put(tombstone(sample.key("a"), time.time()))

    assert sessile("list").stdout == ""
    assert sessile("show", sample.key("a")).exit_code == 1


def test_every_page_is_asked_for(sessile, put):
    """A list of 250 sessions takes three pages and misses none."""
    put(*(sample.record(f"{n}") for n in range(250)))

    assert len(sessile("list").stdout.splitlines()) == 250


def test_a_store_without_a_scan_asks_for_a_user():
    """What the store cannot do is said, with what to write instead."""
    with pytest.raises(ConfigError, match="--owner"):
        list(Sessions(store=Scanless()).sync.scan())


def test_nothing_is_made_by_looking(sessile, folder):
    """Without a database there is an error that names the file, and still no database."""
    done = sessile("list")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sessile: there is no database {folder}/sessile.db")
    assert list(folder.iterdir()) == []


def test_sessions_inside_another_process_are_out_of_reach(sessile):
    """An empty list of ``memory://`` would be a lie."""
    done = sessile("list", "--url", "memory://")

    assert done.exit_code == 2
    assert "inside the application's process" in done.stderr


def test_a_terminal_gets_a_table(put, terminal):
    """People see a heading, times in words, and how many there are."""
    record = sample.record(owner="alice", device="[b]Firefox", at=time.time() - 125, idle=1000.0)
    record = evolve(record, client=Client("203.0.113.7"))
    put(record)

    shown = terminal("list")

    assert re.search("id +user +device +address +created +last seen +expires +remembered", shown)
    expected = (
        record.key, "alice", r"\[b]Firefox", r"203\.0\.113\.7", "2 minutes ago", "2 minutes ago",
        "in 14 minutes", "no",
    )  # fmt: skip
    assert re.search(" +".join(expected), shown)
    assert shown.endswith("1 live session\n")


def at_home(name):
    """A record of a user with a client of ordinary length."""
    record = sample.record(name, owner="alice", device="Chrome on Android", at=time.time() - 125)
    return evolve(record, client=Client("203.0.113.7"))


def test_narrow_terminal_leaves_columns_out(put, terminal):
    """At 80 columns each session is a line; what matters least is left out, and is named."""
    put(at_home("a"), at_home("b"))

    shown = terminal("list", columns=80).splitlines()

    assert re.fullmatch("id +user +device +address +last seen *", shown[-4])
    for line in shown[-3:-1]:
        assert re.fullmatch(
            r"\S{20}  alice  Chrome on And\S*  203\.0\.113\.7  2 minutes ago *", line
        )
    assert shown[-1] == "2 live sessions; no room for created, expires, remembered: --json has all"


def test_no_address_is_cut_on_a_very_narrow_terminal(put, terminal):
    """The id, the user, the address and the last use stay as long as they fit."""
    record = evolve(at_home("a"), client=Client("2001:db8:1234:5678:9abc:def0:1234:5678"))
    put(record)

    shown = terminal("list", columns=90)

    assert "2001:db8:1234:5678:9abc:def0:1234:5678" in shown
    assert "no room for device, created, expires, remembered" in shown


def test_progress_is_over_before_a_terminal_gets_the_list(put, terminal):
    """Where both share a terminal, neither is written over the other."""
    put(sample.record())

    shown = terminal("list", "--json")

    assert shown.rindex("listing") < shown.index("[\n{")


def test_progress_goes_to_the_terminal_and_the_list_to_the_pipe(login, terminal, folder):
    """With standard output in a file, the count is on the terminal and the file holds lines."""
    key = login("alice")

    shown = terminal("list", out=folder / "lines")

    assert re.search(r"listing.*1 sessions", shown)
    assert (folder / "lines").read_text().startswith(f"{key}\talice\t")
