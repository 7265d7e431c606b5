"""``sessile drain``, ``undrain`` and ``servers``: what is said to a server, and what it tells."""

import json
import threading
import time

import pytest

from cli.conftest import SECRET
from sessile import Sessions
from sessile.cli import drain as command
from sessile.cli.drain import Countdown, work_left
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.service.server_row import ALIVE, WorkerStatus, change_server, enter_server, with_worker
from sessile.service.sessions import context_of
from sessile.testing.world import NEWER

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    """The servers' secrets, which a command of this kind takes."""
    monkeypatch.setenv("SESSILE_SECRETS", SECRET)


@pytest.fixture
def server():
    """A server with one worker, which a test lets look."""
    sessions = Sessions(server="a")
    context_of(sessions).worker.rounds.start = lambda: None
    look(sessions)
    yield sessions
    sessions.sync.close()


def look(sessions):
    run(context_of(sessions).worker.look(context_of(sessions)))


def tell(server, name, **figures):
    """Let a worker of a server tell its figures, that never looks by itself."""
    context = context_of(server)
    now = context.clock()
    run(enter_server(context, name, now))
    status = WorkerStatus(now, **figures)
    run(change_server(context, name, lambda row: with_worker(row, "other", status), now))


@pytest.fixture
def running(server):
    """The server's worker, which looks by itself."""
    over = threading.Event()

    def work():
        while not over.wait(0.05):
            context_of(server).worker._go()

    thread = threading.Thread(target=work)
    thread.start()
    yield server
    over.set()
    thread.join()


def test_drain_ends_when_nothing_is_under_way(sessile, running):
    """Its workers have looked by then; it says what it counts."""
    traffic = context_of(running).worker.traffic
    traffic.requests.update((1, 2))
    traffic.sockets.add(1)

    def finish():
        while not running.is_drained:
            time.sleep(0.01)
        time.sleep(2)  # the command looks once a second, and is to see it
        traffic.requests.clear()
        traffic.sockets.clear()

    thread = threading.Thread(target=finish)
    thread.start()
    done = sessile("drain", "a", "--wait", f"{PATIENCE}")
    thread.join()

    assert (done.exit_code, done.stderr) == (0, "")
    *counts, last = done.stdout.splitlines()
    assert any(line == "a drains: 2 requests, 1 WebSocket" for line in counts)
    assert last == "a drains: nothing is under way"
    assert running.is_drained


def test_drain_says_who_is_left(sessile, running):
    """It ends with 1, and the server drains on."""
    context_of(running).worker.traffic.requests.add(1)
    tell(running, "a", sockets=2)
    done = sessile("drain", "a", "--wait", "2.5")

    assert done.exit_code == 1
    assert done.stderr == (
        "a is not through after 2.5 s: 1 request, 2 WebSockets, 1 worker that has yet to look\n"
    )
    assert running.is_drained


def test_drain_that_waits_for_nothing_is_said_at_once(sessile, server):
    """As in a script that has other things to do; the worker hears of it at its next look."""
    done = sessile("drain", "a", "--wait", "0")
    assert (done.exit_code, done.output) == (0, "a drains from now on\n")
    look(server)
    assert server.is_drained
    done = sessile("undrain", "a")
    assert (done.exit_code, done.output) == (0, "a takes clients again\n")
    look(server)

    assert not server.is_drained


def test_drain_of_the_last_server_is_told(sessile, server):
    """It is done all the same; another one that takes clients is none."""
    tell(server, "b")
    first = sessile("drain", "b", "--wait", "0")
    last = sessile("drain", "a", "--wait", "0")

    assert first.stderr == ""
    assert "a was the last server that takes clients" in last.stderr


def test_server_that_does_not_run_is_drained_at_once(sessile, server):
    """Whoever starts under its name drains."""
    context_of(server).worker._part()
    done = sessile("drain", "a")

    assert (done.exit_code, done.stdout) == (
        0,
        "a drains: nothing is under way, and no worker of it runs\n",
    )


def test_worker_that_was_killed_is_waited_for_no_longer():
    """Its figures stay in the row, and nobody brings them down."""
    countdown = Countdown()
    killed, alive = WorkerStatus(1.0, requests=3), WorkerStatus(1.0)
    assert work_left(countdown.see({"k": killed, "a": alive}, 0.0)).startswith("3 requests")
    later = WorkerStatus(2.0, is_drained=True)

    assert work_left(countdown.see({"k": killed, "a": later}, ALIVE - 1)).startswith("3 requests")
    assert work_left(countdown.see({"k": killed, "a": later}, ALIVE)) == ""
    assert countdown.see({"k": killed, "a": later}, ALIVE + 5) == {"a": later}, "it told since"


def test_one_word_that_is_read_twice_is_one():
    """A worker whose next look is late may have got a request since it told."""
    countdown = Countdown()
    first, second = (WorkerStatus(told, is_drained=True) for told in (1.0, 2.0))
    assert not countdown.is_over({"a": first}, "")
    assert not countdown.is_over({"a": first}, "")
    assert not countdown.is_over({"a": second, "b": first}, "1 request")
    assert not countdown.is_over({"a": second, "b": first}, "")
    assert not countdown.is_over({"a": first, "b": first}, ""), "the other one told nothing since"

    assert countdown.is_over({"a": first, "b": second}, "")


def test_one_quiet_look_is_not_enough(sessile, server, monkeypatch):
    """Between two requests of a busy server nothing is under way."""
    context_of(server).worker.traffic.requests.add(1)
    looks = []

    def sleep(_):
        looks.append(1)
        if len(looks) <= 5:
            context_of(server).worker.traffic.requests ^= {1}
        look(server)

    look(server)
    monkeypatch.setattr(command, "sleep", sleep)
    sessile("drain", "a", "--wait", "5")

    assert len(looks) == 6


def test_outage_is_waited_out(sessile, server, monkeypatch):
    """A store that is away for a moment ends no drain; nothing is taken for through meanwhile."""
    whole, looks = command.read_server, []

    async def read(*given):
        looks.append(1)
        if len(looks) < 4:
            raise StoreUnavailable("the store", "is away")
        return await whole(*given)

    monkeypatch.setattr(command, "read_server", read)
    monkeypatch.setattr(command, "sleep", lambda _: look(server))
    done = sessile("drain", "a")

    assert (done.exit_code, len(looks)) == (0, 5)
    assert done.stdout == ("a drains: the store is away: is away\na drains: nothing is under way\n")


class Timer:
    """A timer that goes on while the command sleeps, and what happens meanwhile."""

    def __init__(self, monkeypatch, act=lambda: None):
        self.time, self._act = 0.0, act
        monkeypatch.setattr(command, "sleep", self.sleep)

    def sleep(self, seconds):
        self.time += seconds
        self._act()


def count_down(monkeypatch, ahead=0.0, wait=60.0, act=lambda: None):
    """Drain on a host whose clock differs; return whether it is through, and when."""
    context = context_of(Sessions(clock=lambda: time.time() + ahead))
    timer = Timer(monkeypatch, act)
    context.timer = lambda: timer.time
    run(command.drain_server(context, "a", context.clock()))
    return command._count_down(context, "a", wait), timer.time


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0])
def test_countdown_is_by_no_clock(server, monkeypatch, ahead):
    """The operator's host may have any time: a worker that tells is waited for."""
    context_of(server).worker.traffic.requests.add(1)
    look(server)

    assert count_down(monkeypatch, ahead, act=lambda: look(server)) == (False, 60.0)


def test_worker_that_cannot_tell_is_not_said_to_be_through(server, monkeypatch, capsys):
    """It may have requests under way, or clients still: nobody knows."""
    context_of(server).worker.traffic.requests.add(1)
    look(server)
    through, after = count_down(monkeypatch)
    told = capsys.readouterr()

    assert (through, after) == (True, ALIVE + 1)
    assert "nothing is under way" not in told.out
    assert told.err == (
        "no worker of a has told of itself for 15 s: it is down, or cannot reach the store\n"
    )


def test_second_word_that_does_not_come_is_told_at_the_end(server, monkeypatch, capsys):
    """A little later than that, and not when the worker counts as dead."""
    look(server)
    run(command.drain_server(context_of(server), "a", 1.0))
    look(server)

    assert count_down(monkeypatch, wait=4.0) == (False, 7.0)
    assert "1 worker of which nothing new was heard" in capsys.readouterr().err


def test_row_that_is_gone_is_no_end(server, monkeypatch, capsys):
    """As where somebody ended everybody: its workers write it again, and may not have heard."""
    look(server)
    context_of(server).worker.traffic.requests.add(1)
    act = server.sync.end_everybody

    assert count_down(monkeypatch, wait=3.0, act=act) == (False, 3.0)
    assert "its row has left the store" in capsys.readouterr().err


def test_outage_kills_no_worker(server, monkeypatch):
    """While the store was away none of them could tell of itself."""
    context_of(server).worker.traffic.requests.add(1)
    look(server)
    whole, timers = command.read_server, []

    async def read(context, *given):
        if 1 <= context.timer() < 30:
            raise StoreUnavailable("the store", "is away")
        timers.append(context.timer())
        return await whole(context, *given)

    monkeypatch.setattr(command, "read_server", read)

    assert count_down(monkeypatch, wait=40.0) == (False, 40.0)
    assert timers[:2] == [0.0, 30.0]


@pytest.mark.parametrize("words", [["drain", "b"], ["undrain", "b"]])
def test_name_of_no_server_is_told_with_those_there_are(sessile, server, words):
    """It is misspelt, and another one would go on taking clients."""
    done = sessile(*words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "no server b has told of itself" in done.stderr
    assert "there are a." in done.stderr


def test_first_server_is_told_how_to_become_one(sessile, server):
    """A site without names has nothing to drain."""
    Sessions(server="a").sync.end_everybody()
    done = sessile("drain", "a")

    assert done.exit_code == 2
    assert "there is none with a name yet" in done.stderr
    assert "SESSILE_SERVER" in done.stderr


@pytest.mark.parametrize("words", [["drain", "a"], ["undrain", "b"], ["servers"]])
def test_wrong_secrets_are_told_and_no_name_is_blamed(sessile, server, monkeypatch, words):
    """The names of the servers cannot be read by them."""
    monkeypatch.setenv("SESSILE_SECRETS", NEWER)
    done = sessile(*words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "names of servers was stored under other secrets" in done.stderr
    assert "has told of itself" not in done.stderr


@pytest.mark.parametrize("name", ["", "a b", "../a", "a" * 65])
def test_what_can_be_no_name_is_refused(sessile, name):
    """Before a store is asked."""
    assert sessile("drain", name).exit_code == 2


@pytest.mark.parametrize("words", [["drain", "a"], ["undrain", "a"], ["servers"]])
def test_command_without_secrets_is_refused(sessile, server, folder, monkeypatch, words):
    """It could say nothing that a server believes; no key file is made."""
    monkeypatch.delenv("SESSILE_SECRETS")
    done = sessile(*words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "servers obey whoever has their secrets" in done.stderr
    assert not (folder / "sessile.db.key").exists()


def test_application_of_its_own_name_is_asked(sessile, server, folder):
    """Its secrets, wherever they come from, as with every command."""
    (folder / "shop_of_drain.py").write_text(
        f"from sessile import Sessions\nsessions = Sessions(secrets=[{SECRET!r}])\n"
    )

    assert sessile("drain", "a", "--wait", "0", "--app", "shop_of_drain:sessions").exit_code == 0


def test_servers_are_listed_with_what_they_have_to_do(sessile, server):
    """A line for each in a pipe, JSON for programs."""
    tell(server, "b", requests=3, sockets=2, sessions=9, is_drained=True)
    sessile("drain", "b", "--wait", "0")
    sessile("drain", "a", "--wait", "0")

    assert sessile("servers").stdout == "a\t1\tall but 1\t0\t0\t0\nb\t1\tyes\t3\t2\t9\n"
    first, _ = json.loads(sessile("servers", "--json").stdout)
    assert first == {
        "name": "a", "is_drained": True, "workers": 1, "requests": 0, "sockets": 0, "sessions": 0,
        "undrained": 1,
    }  # fmt: skip


def test_servers_are_a_table_on_a_terminal(terminal, server):
    """With headings that say what the numbers are."""
    said = terminal("servers")

    assert "requests" in said.splitlines()[0]
    assert said.splitlines()[1].split() == ["a", "1", "no", "0", "0", "0"]
