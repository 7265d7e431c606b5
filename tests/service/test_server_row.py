"""The rows of servers: what they hold, who may write them, and who counts as alive."""

import pytest

from sessile.core.flow import run
from sessile.core.record import RecordKind, evolve
from sessile.errors import ConfigError
from sessile.service.events import Malformed
from sessile.service.server_row import (
    ALIVE,
    KEPT,
    ServerStatus,
    WorkerStatus,
    change_server,
    drain_server,
    enter_server,
    load_of_servers,
    names_of_servers,
    read_server,
    with_worker,
)
from sessile.service.sessions import context_of
from sessile.service.subject_row import find_row, key_of
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.stories import logs_in
from sessile.testing.step import interleavings
from sessile.testing.world import NEWER, SECRET, World


def tell(context, name, worker, now, **figures):
    """Return a flow in which a worker of a server tells its figures."""

    async def flow():
        await enter_server(context, name, now)
        status = WorkerStatus(now, **figures)
        return await change_server(
            context, name, lambda server: with_worker(server, worker, status), now
        )

    return flow()


@pytest.fixture
def world():
    return World(MemoryStore(), run)


@pytest.fixture
def context(world):
    return context_of(world.sessions)


def test_server_is_all_its_workers_together(drive, context):
    """Who compares servers reads one line of each."""
    now = context.clock()
    drive(tell(context, "b", "first", now, requests=1))
    drive(tell(context, "a", "first", now, requests=2, sockets=3, sessions=5, is_drained=True))
    drive(tell(context, "a", "second", now, requests=4, sessions=6, is_new=True))

    assert drive(load_of_servers(context, now)) == [
        ServerStatus(
            *("a", False), workers=2, requests=6, sockets=3, sessions=11, undrained=1,
            counted=1, sessions_counted=5,
        ),
        ServerStatus(
            *("b", False), workers=1, requests=1, sockets=0, sessions=0, undrained=1,
            counted=1, sessions_counted=0,
        ),
    ]  # fmt: skip


def test_worker_that_tells_nothing_any_more_does_not_count(drive, context):
    """It was killed, and its requests with it."""
    now = context.clock()
    drive(tell(context, "a", "killed", now, requests=7))
    (both,) = drive(load_of_servers(context, now))
    drive(tell(context, "a", "alive", now + ALIVE, requests=1))
    (one,) = drive(load_of_servers(context, now + ALIVE))
    (none,) = drive(load_of_servers(context, now + 3600))

    assert [status.workers for status in (both, one, none)] == [1, 1, 0]
    assert (one.requests, none.requests) == (1, 0)


def test_clock_that_differs_kills_no_worker(drive, context):
    """Workers are judged by each other, not by the clock of whoever asks."""
    now = context.clock()
    drive(tell(context, "a", "first", now - 50, requests=1))
    drive(tell(context, "a", "second", now - 49, requests=1))

    (status,) = drive(load_of_servers(context, now))
    assert status.workers == 2


def test_worker_from_the_future_does_not_count(drive, context):
    """It was killed while its clock was ahead; those that live are not measured by it."""
    now = context.clock()
    drive(tell(context, "a", "dead", now + 3600, requests=7))
    drive(tell(context, "b", "dead", now + 3600, requests=7))
    drive(tell(context, "a", "alive", now, requests=1))

    found = drive(load_of_servers(context, now))
    assert [(status.workers, status.requests) for status in found] == [(1, 1), (0, 0)]


def test_dead_workers_are_forgotten(drive, context):
    """A row does not grow with each restart."""
    now = context.clock()
    for n in range(40):
        server = drive(tell(context, "a", f"worker {n}", now + n * ALIVE))

    assert len(server.workers) <= 5


def test_drain_is_kept_while_workers_tell(drive, context):
    """Whoever writes a row changes what is theirs alone. A second drain is none."""
    now = context.clock()
    drive(drain_server(context, "a", now))
    drive(tell(context, "a", "first", now + 1, requests=1))
    drive(drain_server(context, "a", now + 2))
    assert drive(read_server(context, "a", now)).drained_since == now
    drive(drain_server(context, "a", now, is_drained=False))
    server = drive(read_server(context, "a", now))

    assert server.drained_since is None
    assert server.workers["first"].requests == 1


def test_two_that_write_at_once_are_both_heard():
    """A drain is not lost to a heartbeat that read the row before."""

    def make():
        context = context_of(World(MemoryStore(), run).sessions)
        run(tell(context, "a", "first", 1e9))
        return context

    meetings = [
        *interleavings(
            make,
            lambda context: tell(context, "a", "first", 1e9, requests=1),
            lambda context: drain_server(context, "a", 1e9),
        )
    ]

    assert len(meetings) > 3
    for met in meetings:
        assert (met.a.get().workers["first"].requests, met.b.get().drained_since) == (1, 1e9)
        server = run(read_server(met.world, "a", 1e9))
        assert (server.drained_since, server.workers["first"].requests) == (1e9, 1), met.stop


def test_names_go_away_in_time(drive, context):
    """A server that was taken down for good is listed for a week."""
    now = context.clock()
    drive(tell(context, "a", "first", now))
    drive(tell(context, "b", "first", now + KEPT / 2))
    assert drive(names_of_servers(context, now + KEPT / 2)) == ["a", "b"]
    assert drive(names_of_servers(context, now + KEPT)) == ["b"]
    drive(tell(context, "b", "first", now + KEPT))

    assert drive(names_of_servers(context, now + KEPT * 1.6)) == ["b"], "its line was written anew"


def test_names_are_entered_anew_every_ten_minutes(drive, context):
    """So that whoever asks for those of late finds all that run; not more often."""
    now = context.clock()
    versions = []
    for minutes in (0, 9, 11):
        drive(enter_server(context, "a", now + 60 * minutes))
        row = drive(find_row(context, RecordKind.SERVER, "", now))
        versions.append(row.record.version)

    assert versions == [1, 1, 2]


def test_rows_of_servers_are_no_sessions(drive, world, context):
    """They are listed, shown and ended as none."""
    now = context.clock()
    server = drive(tell(context, "a", "first", now))
    world.ask(logs_in())
    sessions = world.sessions.sync

    assert [info.user for info in sessions.scan()] == ["alice"]
    assert sessions.show(server.row.key) is None
    assert not sessions.end(server.row.key)
    assert drive(read_server(context, "a", now)).is_there


def test_row_under_other_secrets_is_told_and_left_alone(context):
    """A command with the wrong secrets neither drains a server nor takes its row away."""
    now = context.clock()
    run(tell(context, "a", "first", now))
    other = World(context.store, run, secrets=(NEWER,))
    with pytest.raises(ConfigError, match="stored under other secrets"):
        run(drain_server(context_of(other.sessions), "a", now))
    with pytest.raises(ConfigError, match="names of servers was stored under other secrets"):
        run(load_of_servers(context_of(other.sessions), now))

    assert "first" in run(read_server(context, "a", now)).workers
    assert SECRET not in str(other.events)


def test_rows_of_another_application_that_lives_are_left_alone(drive, context):
    """Two that share a store, with secrets of their own and servers of one name."""
    now = context.clock()
    other = context_of(World(context.store, run, secrets=(NEWER,)).sessions)
    drive(tell(context, "a", "first", now))
    drive(drain_server(context, "a", now))
    change = change_server(other, "a", lambda server: with_worker(server, "x", None), now + 60)
    for flow in (change, enter_server(other, "x", now + 1200)):
        with pytest.raises(ConfigError, match="stored under other secrets"):
            drive(flow)

    assert drive(read_server(context, "a", now)).drained_since == now
    assert drive(names_of_servers(context, now)) == ["a"]


def test_rows_under_secrets_of_long_ago_are_written_anew(drive, context):
    """As where secrets were lost. Nobody has told of himself by them for a while."""
    now = context.clock()
    other = context_of(World(context.store, run, secrets=(NEWER,)).sessions)
    drive(tell(context, "a", "first", now))
    drive(tell(other, "a", "second", now + 3600))

    assert drive(read_server(other, "a", now)).workers.keys() == {"second"}
    assert drive(names_of_servers(other, now)) == ["a"]


def test_forged_row_drains_nobody(world, context):
    """Who can write the store and has no secret sends no clients away.

    It may be the row of another version, so it is left alone.
    """
    now = context.clock()
    run(drain_server(context, "a", now))
    key = key_of(RecordKind.SERVER, "a")
    context.store._rows[key] = b"junk"
    assert run(read_server(context, "a", now)).drained_since is None
    with pytest.raises(ConfigError):
        run(tell(context, "a", "first", now))

    assert {event.session for event in world.events_of(Malformed)} == {key}
    assert context.store._rows[key] == b"junk"


def test_value_of_another_version_is_none(context):
    """It costs no worker its round."""
    now = context.clock()
    server = run(tell(context, "a", "first", now))
    record = run(context.store.read(server.row.key))
    sealed, _ = context.sealer.seal(
        evolve(record, version=record.version + 1), {"server": b"\xc1"}, frozenset()
    )
    run(context.store.delete(server.row.key))
    run(context.store.create(sealed))

    assert run(read_server(context, "a", now)).workers == {}
