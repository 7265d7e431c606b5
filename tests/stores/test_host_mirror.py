"""One mirror for all workers of a host: who writes it, what others read there, and who goes on."""

import os
import signal
import time
from contextlib import suppress

import pytest

from harness.mirror_workers import Worker
from harness.nats_place import HostMirrorPlace
from harness.nats_server import NatsServer, wait_for
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import pack
from sessile.stores.memory_mirror import StreamPosition
from sessile.stores.nats import NatsStore
from sessile.stores.open import open_store
from sessile.testing.sample import change, key, record
from sessile.wire import system
from sessile.wire.feed.follower import MOST_LATE
from sessile.wire.runtime_folder import runtime_folder


@pytest.fixture(autouse=True)
def folder(tmp_path_factory, monkeypatch):
    """The folder of this test's mirrors; workers inherit it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    return runtime_folder()


@pytest.fixture
def place(tmp_path):
    place = HostMirrorPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def workers(place):
    """Three workers of a host."""
    workers = [Worker(place.url()) for _ in range(3)]
    wait_for(lambda: all(map(is_served, workers)), lambda: "no heartbeat")
    yield workers
    for each in workers:
        each.kill()


@pytest.fixture
def plain(place):
    """The store as a server on another host has it."""
    store = NatsStore.from_url(place.url().replace("replicated", "nats").partition("&mirror")[0])
    yield store
    run(store.close())


@pytest.fixture
def opened(place):
    """What opens stores in this process; all are closed in the end."""
    stores = []

    def open_one(url=None):
        stores.append(open_store(url or place.url()))
        with suppress(StoreUnavailable):
            run(stores[-1].read(key("nobody")))
        return stores[-1]

    yield open_one
    for store in stores:
        run(store.close())


def is_served(worker):
    return worker.is_fresh() and worker.age() <= MOST_LATE


def is_vouched(store):
    return store.follower.is_fresh() and system.timer() - store.mirror.as_of <= MOST_LATE


def writer_of(workers):
    """Return the one that writes, and the others."""
    found = []

    def is_one():
        found[:] = [each for each in workers if each.is_writer()]
        return len(found) == 1

    wait_for(is_one, lambda: f"{len(found)} write")
    return found[0], [each for each in workers if each is not found[0]]


def all_peek(workers, name, version):
    wait_for(
        lambda: all(each.peek(name) == version for each in workers),
        lambda: f"{name}: {[each.peek(name) for each in workers]}",
    )


def mirror_files(folder):
    return sorted(folder.glob("mirror-*.lmdb"))


def test_every_worker_reads_without_a_trip_what_one_has_written(workers, plain, folder):
    """Also what another host has made and ended; there is one file, and one writer."""
    run(plain.create(record("a")))
    workers[0].create("b")
    all_peek(workers, "a", 1)
    all_peek(workers, "b", 1)
    writer_of(workers)
    assert len(mirror_files(folder)) == 1

    run(plain.delete(key("a")))
    all_peek(workers, "a", None)
    all_peek(workers, "b", 1)


def test_end_of_everybody_empties_it(workers, plain):
    for name in "abc":
        workers[0].create(name)
    wait_for(lambda: [each.count() for each in workers] == [3, 3, 3], lambda: "not told")
    workers[1].end_everybody()
    assert workers[1].peek("a") is None

    wait_for(lambda: [each.count() for each in workers] == [0, 0, 0], lambda: "not told")
    all_peek(workers, "a", None)
    run(plain.create(record("d")))
    all_peek(workers, "d", 1)


def test_another_worker_goes_on_when_the_writer_is_killed(workers, plain):
    """Meanwhile nobody reads what is older than a second, nor a session that is not there."""
    run(plain.create(record("calm")))
    run(plain.create(record("a")))
    all_peek(workers, "calm", 1)
    all_peek(workers, "a", 1)
    writer, others = writer_of(workers)
    writer.kill()
    acknowledged, row, shown = [(time.monotonic(), 1)], record("a"), []

    def shows_the_newest():
        began = time.monotonic()
        versions = {each.peek("a") for each in others} - {None}
        old = [version for when, version in acknowledged if began - when > MOST_LATE]
        assert all(version >= max(old, default=0) for version in versions)
        shown.append(versions)
        return versions == {row.version} and any(each.is_writer() for each in others)

    for _ in range(10):
        step = change(row, {"v": os.urandom(4)})
        run(plain.commit(step))
        row = step.record
        acknowledged.append((time.monotonic(), row.version))
        shows_the_newest()
    wait_for(shows_the_newest, lambda: f"{row.version}: {shown[-5:]}")

    assert {each.peek("calm") for each in others} <= {1, None}
    all_peek(others, "calm", 1)
    run(plain.delete(key("calm")))
    all_peek(others, "calm", None)


def test_child_of_the_writer_does_not_keep_others_from_going_on(workers, plain):
    """It inherits what the writer has locked. The writer itself goes on after the fork."""
    run(plain.create(record("a")))
    all_peek(workers, "a", 1)
    writer, others = writer_of(workers)
    children = [writer.fork()]
    try:
        run(plain.create(record("b")))
        all_peek(workers, "b", 1)
        writer, others = writer_of(workers)
        children.append(writer.fork())
        writer.kill()
        wait_for(lambda: any(each.is_writer() for each in others), lambda: "nobody goes on")
        run(plain.create(record("c")))
        all_peek(others, "c", 1)
    finally:
        for each in children:
            os.kill(each, signal.SIGKILL)


def test_worker_that_closes_leaves_the_duty(opened):
    """Within a process stores have the file in common as well."""
    stores = [opened(), opened()]
    run(stores[0].create(record("a")))
    for store in stores:
        wait_for(lambda store=store: store.peek(key("a"), 0), lambda: "it is not told")
    wait_for(lambda: any(each.mirror.is_writer for each in stores), lambda: "nobody writes")
    writer, other = sorted(stores, key=lambda store: store.mirror.is_writer, reverse=True)
    assert not other.mirror.is_writer
    run(writer.close())

    wait_for(lambda: other.mirror.is_writer, lambda: "nobody goes on")
    wait_for(lambda: other.peek(key("a"), 0), lambda: "it is not there")
    assert writer.peek(key("a"), 0) is None


def test_session_that_the_server_has_removed_leaves_each_kind_of_mirror(place, plain, opened):
    """As it is expired; nobody is told of that."""
    stores = [opened(), opened(place.url().replace("&mirror=host", ""))]
    place.server.put(place.bucket, key("gone"), pack(record("gone")), lasts=1)
    run(plain.create(record("stays")))
    for store in stores:
        wait_for(lambda store=store: store.peek(key("stays"), 0), lambda: "it is not told")
        wait_for(lambda store=store: store.copies == 1, lambda: "it stays")
        assert store.peek(key("gone"), 0) is None


def test_worker_that_starts_in_an_outage_has_what_others_had(tmp_path, opened):
    """Whoever reads on then has the file; a process with a mirror of its own would have nothing."""
    with NatsServer(tmp_path) as server:
        url = f"{server.url.replace('nats', 'replicated', 1)}?mirror=host&timeout=5"
        store = opened(url)
        wait_for(lambda: is_vouched(store), lambda: "no heartbeat")
        run(store.create(record("a")))
        wait_for(lambda: store.copies == 1, lambda: "it is not told")
        server.stop()
        newcomer = Worker(url)
        wait_for(lambda: newcomer.peek_last("a", 60.0) == 1, lambda: "it is not there")
        assert newcomer.peek("b") is None
        newcomer.kill()


# From where a writer goes on


class Notes:
    """A writer of nothing, which notes what it was told."""

    def __init__(self, position):
        self.position, self.told, self.is_cleared = position, {}, False

    def put(self, key, data, until):
        self.told[key] = data

    def clear(self):
        self.is_cleared = True

    def flush(self, beat=None):
        pass


@pytest.mark.parametrize("ahead", [0, 1])
def test_stream_is_told_from_a_beat_that_stands_where_it_was(place, plain, ahead):
    """Where another message stands, or none, it is told from its beginning."""
    run(plain.create(record("before")))
    beat = f"{place.beats}one"
    seq = place.server.ask(beat, b"", [("Nats-TTL", "60s")])["seq"]
    run(plain.create(record("after")))
    notes = Notes(StreamPosition(beat, seq + ahead))
    feed = plain._open_records(system.timer, notes)
    wait_for(lambda: feed.wait(0.1).as_of is not None, lambda: "no beat")
    feed.close()

    assert notes.is_cleared is bool(ahead)
    assert notes.told.keys() == {key("after")} | ({key("before")} if ahead else set())


def test_stream_that_was_purged_is_told_from_its_beginning(place, plain):
    """And so is one that was made anew."""
    run(plain.create(record("before")))
    beat = f"{place.beats}one"
    seq = place.server.ask(beat, b"", [("Nats-TTL", "60s")])["seq"]
    run(plain.end_everybody())
    notes = Notes(StreamPosition(beat, seq))
    plain._open_records(system.timer, notes).close()

    assert notes.is_cleared
