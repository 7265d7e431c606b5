"""A worker of a server: what it tells in the store, and that it obeys what stands there."""

import gc
import os
import threading
import time
from contextlib import closing

import pytest

from sessile import Sessions
from sessile.core.flow import run
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.service.server_row import (
    BEAT,
    drain_server,
    load_of_servers,
    names_of_servers,
    read_server,
)
from sessile.service.sessions import context_of
from sessile.service.traffic import MOST_SEEN, PERIOD, Traffic
from sessile.service.worker import LOOK, ServerWorker
from sessile.stores.contract import Capability
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock
from sessile.testing.promises.stories import logs_in
from sessile.testing.world import NEWER, SECRET, World

PATIENCE = 60.0


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Process:
    """One process of a server, that looks when it is told to."""

    def __init__(self, store, clock, server="a", drive=run, secret=SECRET):
        self.drive = drive
        self.sessions = Sessions(store=store, secrets=[secret], server=server, clock=clock)
        self.context = context_of(self.sessions)
        self.worker = self.context.worker
        self.worker.rounds.start = lambda: None  # no thread: what it would do is done here

    def look(self):
        self.drive(self.worker.look(self.context))
        return self.sessions.is_drained

    def row(self):
        return run(read_server(self.context, "a", self.context.clock()))

    def status(self):
        (status,) = run(load_of_servers(self.context, self.context.clock()))
        return status


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def workers(drive, clock):
    """Two of one server."""
    store = MemoryStore()
    return [Process(store, clock, drive=drive) for _ in range(2)]


def test_drain_in_the_store_reaches_every_worker(workers, clock):
    """And its end does; each tells that it obeys, so that whoever drains can wait for all."""
    one, other = workers
    assert [one.look(), other.look()] == [False, False]
    run(drain_server(one.context, "a", clock()))
    assert one.look()
    assert one.status().undrained == 1
    assert other.look()
    assert one.status().undrained == 0
    run(drain_server(one.context, "a", clock(), is_drained=False))

    assert [one.look(), other.look()] == [False, False]
    assert one.status().undrained == 2


def test_drain_in_code_is_for_all_workers(workers):
    """``sessions.drain()`` holds here at once, and with the others at their next look."""
    one, other = workers
    other.look()
    one.sessions.drain()
    assert one.sessions.is_drained
    assert one.look()
    assert other.look()
    other.sessions.undrain()
    assert not other.sessions.is_drained

    assert [other.look(), one.look()] == [False, False]


def test_process_that_is_started_anew_is_drained_still(workers, clock):
    """A server that restarts takes clients when it is told to, and not before."""
    one, _ = workers
    one.look()
    one.sessions.drain()
    one.look()

    assert Process(one.context.store, clock).look()


def test_drain_of_one_server_is_none_of_another(workers, clock):
    """Each looks at its own row."""
    one, _ = workers
    one.sessions.drain()
    one.look()

    assert not Process(one.context.store, clock, server="b").look()
    assert run(names_of_servers(one.context, clock())) == ["a", "b"]


def test_worker_tells_what_it_has_to_do(workers):
    """Requests, sockets and sessions, as they are when it looks."""
    one, other = workers
    one.worker.traffic.requests.update((1, 2))
    one.worker.traffic.sockets.add(3)
    one.look()
    other.worker.traffic.requests.add(4)
    other.look()
    status = one.status()
    assert (status.workers, status.requests, status.sockets) == (2, 3, 1)
    one.worker.traffic.requests.clear()
    one.look()

    assert one.status().requests == 1


def test_nothing_new_is_written_seldom(workers, clock):
    """A worker that rests writes a beat now and then, and looks all the while."""
    one, _ = workers
    one.look()
    one.look()
    version = one.row().row.record.version
    for _ in range(10):
        clock.advance(BEAT / 5)
        one.look()

    assert one.row().row.record.version == version + 2


def test_worker_that_is_drained_tells_at_each_look(workers, clock):
    """Whoever counts down waits for two words of it."""
    one, _ = workers
    one.sessions.drain()
    one.look()
    version = one.row().row.record.version
    for _ in range(3):
        clock.advance(LOOK)
        one.look()

    assert one.row().row.record.version == version + 3


def test_store_that_is_away_changes_nothing(workers, monkeypatch):
    """Who was drained stays so, who was not stays so; what was said in code is told later."""
    one, other = workers
    one.look()
    other.look()

    async def fail(*_):
        raise StoreUnavailable("the store", "is away")

    read = one.context.store.read
    monkeypatch.setattr(one.context.store, "read", fail)
    one.sessions.drain()
    for each in workers:
        each.worker._go()
    assert [one.sessions.is_drained, other.sessions.is_drained] == [True, False]
    monkeypatch.setattr(one.context.store, "read", read)
    one.look()

    assert other.look()


def test_drain_in_code_holds_while_it_cannot_be_told(workers, monkeypatch):
    """The row says something else until then, which is older."""
    one, other = workers
    one.look()

    async def fail(*_):
        raise StoreUnavailable("the store", "is read-only")

    monkeypatch.setattr(one.context.store, "commit", fail)
    one.sessions.drain()
    one.worker._go()
    assert one.sessions.is_drained
    monkeypatch.undo()
    one.look()

    assert other.look()


def test_process_that_leaves_drains_alone(workers):
    """Its server does not, nor who is started in its place; it tells that it takes nobody."""
    one, other = workers
    one.look()
    one.context.leave()
    assert one.look()
    assert not other.look()
    one.sessions.undrain()
    assert one.look()

    assert one.status().undrained == 1
    assert not one.status().is_drained


def test_drain_that_is_said_again_is_told_once(workers):
    """Or the worker would hear of no end of it."""
    one, other = workers
    for _ in range(2):
        one.sessions.drain()
        one.look()
    other.sessions.undrain()
    other.look()

    assert not one.look()


def test_failure_that_is_no_outage_is_logged(workers, monkeypatch, caplog):
    """As of a store that cannot be asked on a thread. A look that fails ends nothing."""
    one, _ = workers
    monkeypatch.setattr(one.context.store, "read", None)
    one.worker._go()
    one.worker._go()

    (line,) = caplog.messages
    assert "a drain does not reach it: TypeError" in line
    assert one.worker.has_looked


@pytest.mark.parametrize("name", ["a", "b"])
def test_server_beside_another_application_logs_what_to_do(workers, clock, caplog, name):
    """One with secrets of its own. It tells nothing and goes on, and takes nothing from the other.

    Of another name it has a row, and is missing among the names.
    """
    one, _ = workers
    one.look()
    stranger = Process(one.context.store, clock, name, secret=NEWER)
    for _ in range(3):
        clock.advance(LOOK)
        stranger.worker._go()

    (line,) = [line for line in caplog.messages if "genuine" not in line]
    assert "give each application a store, or a prefix, of its own" in line
    assert stranger.worker.has_looked
    assert one.status().workers == 1


def test_close_during_a_look_is_no_failure(workers, monkeypatch, caplog):
    """A store that was slow to answer is closed by then, as its sessions are."""
    one, _ = workers

    async def read(_):
        raise StoreClosed("the store")

    monkeypatch.setattr(one.context.store, "read", read)
    one.worker._go()

    assert caplog.messages == []


def test_end_of_everybody_ends_no_drain(workers):
    """It takes every row out of the store; the workers write theirs again."""
    one, other = workers
    for each in workers:
        each.look()
    one.sessions.drain()
    for each in workers:
        each.look()
    run(one.sessions.sync._shared.store.end_everybody())

    assert [one.look(), other.look()] == [True, True]
    assert one.status().undrained == 0
    assert run(names_of_servers(one.context, one.context.clock())) == ["a"]


def test_close_takes_the_worker_out():
    """Nobody waits for its requests; the drain itself stays."""
    store = MemoryStore()
    sessions = Sessions(store=store, secrets=[SECRET], server="a")
    other = context_of(Sessions(store=store, secrets=[SECRET]))
    store.close = store.ping  # the other one goes on with it
    sessions.drain()
    eventually(lambda: run(load_of_servers(other, other.clock())))
    sessions.sync.close()
    (status,) = run(load_of_servers(other, other.clock()))

    assert (status.workers, status.is_drained) == (0, True)


def test_sessions_of_a_worker_are_seen():
    """Each once, however often it comes; visitors without one are none."""
    world = World(MemoryStore(), run)
    context = context_of(world.sessions)
    context.worker = ServerWorker("a", context)
    traffic = context.worker.traffic
    traffic.count_sessions(0.0)
    for _ in range(3):
        world.ask(dict, cookie="")
        cookie = world.ask(logs_in(), cookie="").cookie
        for _ in range(3):
            world.ask(dict, cookie=cookie)

    assert traffic.count_sessions(1.0) == 3


def test_sessions_of_long_ago_are_forgotten():
    """They count for a minute or two; a crowd takes no more memory than is said."""
    traffic = Traffic()
    traffic.count_sessions(0.0)
    for n in range(MOST_SEEN + 9):
        traffic.see(f"{n}")
    found = [traffic.count_sessions(now) for now in (PERIOD / 2, PERIOD, 2 * PERIOD - 1)]

    assert found == [MOST_SEEN] * 3
    assert traffic.count_sessions(2 * PERIOD) == 0


def test_thread_begins_with_the_first_request_and_ends_with_the_sessions():
    """Not where an application is merely imported, as before a fork."""
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET], server="a")
    worker = context_of(sessions).worker

    assert worker.rounds.rounds is None
    worker.under_way()
    rounds = worker.rounds.rounds
    worker.under_way()
    worker.rounds.start()
    assert worker.rounds.rounds is rounds
    eventually(lambda: worker.has_looked)
    sessions.sync.close()
    assert not rounds._thread.is_alive()


def test_request_is_served_where_no_thread_is_to_be_had(monkeypatch):
    """The next one tries again."""
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET], server="a")
    worker = context_of(sessions).worker

    def fail(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert worker.under_way() == set()
    monkeypatch.undo()
    worker.under_way()
    eventually(lambda: worker.has_looked)
    sessions.sync.close()


def test_thread_keeps_nobodys_sessions():
    """Those of a test that closes nothing, as most, are freed, and the thread ends."""
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET], server="a")
    worker = context_of(sessions).worker
    worker.rounds.start()
    rounds = worker.rounds.rounds
    while not worker.has_looked:
        time.sleep(0.01)
    del sessions, worker

    eventually(lambda: rounds.has_ended or gc.collect() < 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_child_is_a_worker_of_its_own(tmp_path):
    """As under gunicorn with ``--preload``: it looks by itself, and counts none of its parent's."""
    sessions = Sessions(f"sqlite:///{tmp_path}/sessile.db", secrets=[SECRET], server="a")
    context = context_of(sessions)
    assert Capability.SHARED in context.store.capabilities
    with closing(sessions.sync):
        context.worker.under_way().add(1)
        eventually(lambda: run(load_of_servers(context, context.clock())))
        child = os.fork()
        if not child:
            context.worker.under_way()
            eventually(lambda: False)
            os._exit(1)
        try:
            eventually(lambda: run(load_of_servers(context, context.clock()))[0].workers == 2)
            status = run(load_of_servers(context, context.clock()))[0]
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)

    assert status.requests == 1
