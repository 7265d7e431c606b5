"""One mirror for all workers of a host: who writes it, what others read there, and who goes on."""

import itertools
import math
import os
import signal
import stat
import time
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from harness.mirror_workers import Worker
from harness.nats_place import HostMirrorPlace
from harness.nats_server import NatsServer, wait_for
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import pack
from sessile.stores.host_mirror import HostMirror
from sessile.stores.memory_mirror import SWEPT, Heartbeat, MemoryMirror, StreamPosition
from sessile.stores.nats import NatsStore
from sessile.stores.open import open_store
from sessile.testing.clock import FakeClock
from sessile.testing.sample import change, key, record
from sessile.wire import system
from sessile.wire.feed.connection import BEAT, Heard
from sessile.wire.feed.follower import MOST_LATE
from sessile.wire.lmdb import cache_file
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
    one, other = opened(), opened()
    wait_for(lambda: is_vouched(one) and is_vouched(other), lambda: "no heartbeat")
    run(one.create(record("a")))
    wait_for(lambda: other.peek(key("a"), 0), lambda: "it is not told")
    assert one.mirror.is_writer
    assert not other.mirror.is_writer
    run(one.close())

    wait_for(lambda: other.mirror.is_writer, lambda: "nobody goes on")
    assert other.copies == 1
    assert one.peek(key("a"), 0) is None


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
        url = f"{server.url.replace('nats', 'replicated', 1)}?mirror=host&timeout=0.5"
        store = opened(url)
        wait_for(lambda: is_vouched(store), lambda: "no heartbeat")
        run(store.create(record("a")))
        wait_for(lambda: store.copies == 1, lambda: "it is not told")
        server.stop()
        newcomer = Worker(url)
        wait_for(lambda: newcomer.peek_last("a", 60.0) == 1, lambda: "it is not there")
        assert newcomer.peek("b") is None
        newcomer.kill()


# The file


class TellsByHand:
    """A feed of a mirror that a test tells what to say."""

    def __init__(self, writer):
        self.writer = writer

    def wait(self, seconds):
        return Heard((key("a"),))

    def close(self):
        pass


@pytest.fixture
def mirrors():
    """What makes mirrors of one name, with their writers; all are closed in the end."""
    made = ExitStack()

    def make(name="shop"):
        mirror = HostMirror(name, "nats://here")
        made.callback(mirror.close)
        feed = mirror.follow(partial(TellsByHand, None), TellsByHand)
        made.callback(feed.close)
        return mirror, feed._feed.writer

    with made:
        yield make


def fill(writer, as_of=5.0):
    tell(writer, "a")
    writer.flush(Heartbeat(as_of, StreamPosition("beat", 7), 0.0))


def tell(writer, name, until=math.inf):
    writer.put(key(name), pack(record(name)), until)


def test_file_is_for_this_user_alone(mirrors, folder):
    mirror, writer = mirrors()
    fill(writer)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert mirror.look(key("a"))[::2] == (5.0, pack(record("a")))


def test_folder_that_others_may_enter_is_not_used(mirrors, folder):
    """The feed says so, and the store is asked."""
    folder.chmod(0o755)
    with pytest.raises(StoreUnavailable, match="is not for this user alone"):
        mirrors()
    assert mirror_files(folder) == []


def test_next_writer_goes_on_where_the_last_one_was(mirrors):
    mirror, writer = mirrors()
    fill(writer)
    mirror.give_up_duty()
    again, writer = mirrors()

    assert writer.position == StreamPosition("beat", 7)
    assert again.look(key("a"))[::2] == (5.0, pack(record("a")))
    assert len(again) == 1


@pytest.mark.parametrize("other", ["another boot", "another format"])
def test_file_of_another_boot_or_format_holds_nothing(mirrors, monkeypatch, other):
    """Its times are those of another clock. Whoever writes next begins anew."""
    with monkeypatch.context() as patch:
        if other == "another boot":
            patch.setattr("sessile.stores.mirror_rows.boot_id", lambda: other)
        else:
            patch.setattr("sessile.stores.mirror_rows.FORMAT", 0)
        mirror, writer = mirrors()
        fill(writer, as_of=system.timer())
        assert len(mirror) == 1
        mirror.give_up_duty()
    again, writer = mirrors()
    assert again.look(key("a"))[2] is None
    assert len(again) == 0
    assert writer.position is None

    writer.clear()
    writer.flush()
    tell(writer, "b")
    writer.flush(Heartbeat(6.0, StreamPosition("beat", 8), 0.0))
    assert again.look(key("a"))[2] is None
    assert again.look(key("b"))[::2] == (6.0, pack(record("b")))


@pytest.mark.parametrize("length", [10, 100_000])
def test_damaged_file_is_made_anew(mirrors, folder, length):
    """What somebody has written over it is never read."""
    mirror, writer = mirrors()
    fill(writer)
    mirror.close()
    mirror.give_up_duty()
    (path,) = mirror_files(folder)
    path.write_bytes(b"damaged " * length)
    with pytest.raises(StoreUnavailable):
        mirrors()

    again, writer = mirrors()
    assert writer.position is None
    fill(writer)
    assert len(again) == 1


def test_two_processes_never_write_one_file(mirrors, folder):
    """Where somebody has deleted it, who wrote it finds out before it writes the next one."""
    mirror, writer = mirrors()
    fill(writer)
    for path in folder.iterdir():
        path.unlink()
    other, heir = mirrors()
    fill(heir, as_of=6.0)

    with pytest.raises(StoreUnavailable, match="another file stands"):
        mirror.take_duty()
    assert not mirror.is_writer
    assert other.is_writer
    assert other.as_of == 6.0


def test_worker_that_could_not_write_leaves_it_to_others(mirrors, monkeypatch):
    """For a while, in which it follows keys."""
    mirror, writer = mirrors()

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sessile.wire.lmdb.environment.Environment.write_alone", fail)
    with pytest.raises(StoreUnavailable, match="No space left"):
        fill(writer)
    mirror.give_up_duty()
    assert not mirror.take_duty()


@pytest.mark.parametrize("kind", ["process", "host"])
def test_what_the_server_has_removed_goes_by_and_by(mirrors, kind):
    """It tells nobody: each message has its time, and each heartbeat the server's."""
    if kind == "host":
        mirror, writer = mirrors()
    else:
        mirror = MemoryMirror()
        writer = mirror.follow(None, TellsByHand).writer
    for number in range(3 * SWEPT):
        tell(writer, f"session {number}", until=100.0 if number % 2 else 200.0)
    counts = []
    for beat, now in enumerate([100.0] * 6 + [100.1] * 6 + [200.1] * 6):
        writer.flush(Heartbeat(float(beat), StreamPosition("beat", beat), now))
        counts.append(len(mirror))

    assert counts[5] == 3 * SWEPT
    assert counts[11] == 3 * SWEPT // 2
    assert all(before - after <= SWEPT for before, after in itertools.pairwise(counts))
    assert counts[17] == 0


def test_file_that_nobody_writes_any_more_is_deleted(mirrors, folder):
    """Its memory would be gone until the machine stops. Others, and what is no mirror, stay."""
    (folder / "shop.lmdb").touch()
    mirror, writer = mirrors("old")
    fill(writer)
    mirror.give_up_duty()
    (old,) = mirror_files(folder)
    os.utime(folder / "shop.lmdb", (0.0, 0.0))
    mirrors("other")
    assert old.exists()
    os.utime(old, (0.0, time.time() - cache_file._OLD - 60))
    mirrors("newest")

    assert not old.exists()
    assert len(mirror_files(folder)) == 2
    assert (folder / "shop.lmdb").exists()


def test_process_that_takes_the_duty_says_that_anything_may_have_changed(mirrors):
    """What it would have been told next is behind where the file has the stream: nobody tells it.

    So who watches open sockets looks at all of them.
    """
    mirror, _ = mirrors()
    clock = FakeClock()
    follows = HostMirror("shop", "nats://here", timer=clock)
    feed = follows.follow(partial(TellsByHand, None), TellsByHand)
    assert feed.wait(0.0) == Heard((key("a"),))
    mirror.give_up_duty()
    clock.advance(BEAT)

    assert feed.wait(0.0) == Heard(anything=True)
    assert follows.is_writer
    assert feed.wait(0.0) == Heard((key("a"),))
    feed.close()
    follows.close()


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
