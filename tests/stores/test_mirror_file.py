"""The file of a mirror that a host has in common: whose it is, who writes it, what is not read."""

import itertools
import math
import os
import stat
import time
from contextlib import ExitStack
from functools import partial

import pytest

from sessile.errors import StoreUnavailable
from sessile.stores.contract import pack
from sessile.stores.host_mirror import HostMirror, HostMirrorFeed
from sessile.stores.memory_mirror import SWEPT, Heartbeat, MemoryMirror, StreamPosition
from sessile.stores.nats_url import place_of
from sessile.stores.replicated import mirror_of
from sessile.testing.clock import FakeClock
from sessile.testing.sample import key, record
from sessile.wire import system
from sessile.wire.feed.connection import BEAT, Heard
from sessile.wire.lmdb import cache_file
from sessile.wire.runtime_folder import runtime_folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return runtime_folder()


def mirror_files(folder):
    return sorted(folder.glob("mirror-*.lmdb"))


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

    def make(name="shop", timer=system.timer):
        mirror = HostMirror(name, "nats://here", timer=timer)
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
            patch.setattr("sessile.stores.mirror_rows.clock_id", lambda: other)
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
    clock = FakeClock()
    mirror, writer = mirrors(timer=clock)

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sessile.wire.lmdb.environment.Environment.write_alone", fail)
    with pytest.raises(StoreUnavailable, match="No space left"):
        fill(writer)
    mirror.give_up_duty()
    assert not mirror.take_duty()
    clock.advance(60.0)

    assert mirror.take_duty()


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


def test_other_credentials_have_a_file_of_their_own(tmp_path, monkeypatch):
    """They may be of another account, whose stream of that name is another one."""
    names = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        place = place_of("replicated://127.0.0.1:1/shop?mirror=host&credentials=app.creds")
        mirror = mirror_of(place)
        names.add(mirror._file.path.name)
        mirror.close()

    assert len(names) == 2


class NoPlace:
    """A mirror for whose file there is no place, as it turns out later on."""

    is_writer = False
    looks = 0

    def take_duty(self):
        self.looks += 1
        if self.looks > 1:
            raise StoreUnavailable("nats", "no place")
        return False

    def prepare(self):
        pass


class Keys:
    """A feed of keys."""

    def wait(self, seconds):
        return Heard((key("a"),))


def test_keys_are_told_where_there_is_no_place_for_the_file():
    """What follows them, as an open socket, needs no file; the log has said why there is none."""
    timer, mirror = FakeClock(0.0), NoPlace()
    feed = HostMirrorFeed(mirror, Keys, Keys, timer)
    for _ in range(3):
        timer.advance(1.0)
        assert feed.wait(0.0).keys == (key("a"),)

    assert mirror.looks == 4
