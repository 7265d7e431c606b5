"""The near cache by itself: what it keeps, and when it does not trust what it keeps."""

import gc
import os
import threading
import time

import pytest

from harness.near_servers import HandFedStore
from sessile import Cookie, Sessions
from sessile.core.record import RecordKind
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.abilities import FileBacked, HasDiagnosis, HasKeyFile, HasSize
from sessile.stores.memory import MemoryStore
from sessile.stores.near import LARGEST, OLDEST, NearStore, near_cache
from sessile.stores.open import open_store
from sessile.testing.drive import Blocking
from sessile.testing.sample import change, key, login, record
from sessile.testing.world import SECRET

drive = Blocking()


@pytest.fixture
def behind():
    """The store, as another server has it."""
    return MemoryStore()


@pytest.fixture
def near(behind):
    """A near cache in front of it, which listens."""
    near = HandFedStore(behind, most=3)
    near.listen()
    return near


def keep(near, name="a", **fields):
    """Have the near cache read a new record, and so keep it."""
    row = record(name, **fields)
    drive(near.store.create(row))
    near.listen()
    drive(near.read(key(name)))
    return row


def test_what_was_read_is_kept(near):
    """The copy is the very record, so that whoever opened it once need not again."""
    row = keep(near)

    assert near.peek(key("a"), 1) == row
    assert near.peek(key("a"), 1) is near.peek(key("a"), 1)


def test_nothing_is_kept_that_was_never_read(near):
    """What is in the store is found by asking it."""
    drive(near.store.create(record("a")))

    assert near.peek(key("a"), 0) is None


def test_older_copy_is_not_good_enough(near):
    """Who has seen a newer version is not shown this one."""
    keep(near)

    assert near.peek(key("a"), 2) is None


def test_named_copy_is_dropped(near, behind):
    """Whatever the feed names is asked of the store again."""
    row = keep(near)
    keep(near, "b")
    drive(behind.commit(change(row)))
    near.listen()

    assert near.peek(key("a"), 0) is None
    assert near.peek(key("b"), 0) is not None


def test_record_that_was_named_on_its_way_is_not_kept(near, behind):
    """An old one that arrives late would stay for good."""
    row = record("a")
    drive(behind.create(row))
    near.listen()
    reading = near.read(key("a"))
    late = reading.send(None).block()  # what the store says now
    drive(behind.commit(change(row)))
    near.listen()
    with pytest.raises(StopIteration) as end:
        reading.send(late)

    assert end.value.value == row
    assert near.peek(key("a"), 0) is None


def test_copy_is_read_again_after_a_while(near):
    """Even from a feed that vouches and tells nothing nobody sees for long what is no more."""
    keep(near)
    near.timer.advance(OLDEST)
    near.listen()
    assert near.peek(key("a"), 0) is not None
    near.timer.advance(0.001)
    near.listen()
    assert near.peek(key("a"), 0) is None


def test_made_up_keys_are_in_nobodys_way(near):
    """However many tickets somebody invents, copies stay, and their keys are wanted."""
    row = keep(near)
    for number in range(20):
        drive(near.read(key(f"made up {number}")))

    assert near.peek(key("a"), 0) == row
    assert near.follower.list_wanted() == [key("a")]


def test_copy_whose_key_is_wanted_no_more_is_dropped(near):
    """A feed that looks for itself would not tell of it; one that is in use stays wanted."""
    for name in "abc":
        keep(near, name)
    near.peek(key("a"), 0)
    keep(near, "d")

    kept = [name for name in "abcd" if near.peek(key(name), 0)]
    assert kept == ["a", "c", "d"]
    assert {*near.follower.list_wanted()} == {key(name) for name in kept}


def test_newer_read_takes_the_place_of_a_copy(near, behind):
    """What this process was told by the store it does not contradict, in an outage either."""
    row = keep(near)
    near.follower.disconnect()
    drive(behind.commit(change(row)))
    drive(near.read(key("a")))
    assert near.peek(key("a"), 0) is None
    assert near.peek_last(key("a"), 0, within=60.0) == change(row).record
    drive(behind.delete(key("a")))
    drive(near.read(key("a")))
    assert near.peek_last(key("a"), 0, within=60.0) is None


def test_without_more_threads_reads_go_on(behind, monkeypatch):
    """There is no near cache then, and no error."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    near = NearStore(behind, 10)
    drive(behind.create(record("a")))

    assert drive(near.read(key("a"))) == record("a")
    assert near.peek(key("a"), 0) is None


def test_forgotten_cache_follows_no_more():
    """Nobody closed it, and nobody holds it: its thread ends."""
    before = set(threading.enumerate())
    near = NearStore(MemoryStore(), 10)
    near.follower.start()
    (thread,) = set(threading.enumerate()) - before
    del near
    deadline = time.monotonic() + 20.0
    while thread.is_alive() and time.monotonic() < deadline:
        gc.collect()
        thread.join(0.1)
    assert not thread.is_alive()


def test_own_acts_drop_copies(near):
    """No request of this process sees what another one has changed or ended."""
    acts = {
        "commit": lambda row: near.commit(change(row)),
        "delete": lambda row: near.delete(key("a")),
        "replace": lambda row: near.replace(login(record("b", owner="alice"), old=row)),
        "end everybody": lambda row: near.end_everybody(),
    }
    for name, act in acts.items():
        row = keep(near)
        drive(act(row))
        assert near.peek(key("a"), 0) is None, name
        drive(near.end_everybody())


def test_own_login_drops_what_it_ends(near):
    """Those over the limit, and all of a user's that end together."""
    row = record("a", owner="alice")
    drive(near.replace(login(row)))
    drive(near.read(key("a")))
    near.listen()
    drive(near.read(key("a")))
    assert near.peek(key("a"), 0) is not None
    drive(near.replace(login(record("b", owner="alice"), limit=1)))
    assert near.peek(key("a"), 0) is None
    near.listen()
    drive(near.read(key("b")))
    assert near.peek(key("b"), 0) is not None
    drive(near.delete_owned("alice"))
    assert near.peek(key("b"), 0) is None


def test_copy_is_in_doubt_after_an_act_whose_answer_was_lost(near, monkeypatch):
    """Nobody knows whether it was carried out; in an outage the copy is all there is."""
    row, commit = keep(near), near.store.commit

    async def lose(change):
        await commit(change)
        raise StoreUnavailable("memory://", "its answer was lost")

    monkeypatch.setattr(near.store, "commit", lose)
    with pytest.raises(StoreUnavailable):
        drive(near.commit(change(row)))
    assert near.peek(key("a"), 0) is None
    assert near.peek_last(key("a"), 0, within=60.0) == row
    near.listen()
    assert near.peek_last(key("a"), 0, within=60.0) is None


def test_last_copy_outlives_the_feed(near):
    """As the store was last heard of; but not by more than is asked for, and until it is again."""
    row = keep(near)
    near.follower.disconnect()
    assert near.peek(key("a"), 0) is None
    assert near.peek_last(key("a"), 1, within=60.0) == row
    assert near.peek_last(key("a"), 2, within=60.0) is None
    near.timer.advance(60.1)
    assert near.peek_last(key("a"), 1, within=60.0) is None
    near.listen()
    assert near.peek_last(key("a"), 1, within=1e9) is None


def test_number_is_bounded(near):
    """Beyond it the least used goes."""
    for name in "abc":
        keep(near, name)
    near.peek(key("a"), 0)
    keep(near, "d")

    kept = [name for name in "abcd" if near.peek(key(name), 0)]
    assert kept == ["a", "c", "d"]


def test_size_is_bounded(near):
    """A record beyond it is asked for each time."""
    keep(near, data={"x": bytes(LARGEST)})
    assert near.peek(key("a"), 0) is not None
    keep(near, "b", data={"x": bytes(LARGEST + 1)})
    assert near.peek(key("b"), 0) is None


def test_what_is_no_session_is_not_kept(near):
    """A tombstone, a list of devices, and what is in the middle of a move."""
    for name, kind in zip("abc", set(RecordKind) - {RecordKind.SESSION}, strict=False):
        keep(near, name, kind=kind)
        assert near.peek(key(name), 0) is None


def test_nothing_is_kept_before_the_feed_is_heard(behind):
    """Until it is connected nobody would say that a copy is old."""
    near = HandFedStore(behind)
    drive(behind.create(record("a")))
    drive(near.read(key("a")))
    near.listen()

    assert near.peek(key("a"), 0) is None


@pytest.mark.parametrize("ability", [FileBacked, HasDiagnosis, HasKeyFile, HasSize])
def test_near_cache_can_do_what_its_store_can(tmp_path, ability):
    """Commands look for abilities of the store, and so it has them by itself."""
    store = open_store(f"sqlite:///{tmp_path}/sessions.db?near=10")

    assert isinstance(store, ability)
    wanted = set(ability.__annotations__) | {n for n in vars(ability) if not n.startswith("_")}
    assert wanted & vars(store).keys()


@pytest.mark.parametrize(
    "url",
    [
        "memory://?", "sqlite:///{}/a.db?", "lmdb:///{}/a.lmdb?", "redis://localhost:1/0?",
        "unix:///{}/redis.sock?", "valkey://localhost:1/0?",
        "redis+sentinel://localhost:1,localhost:2/shop/0?",
        "postgresql://me@localhost:1/shop?feed=yes&",
    ],
)  # fmt: skip
def test_store_with_a_feed_takes_a_near_cache(url, tmp_path):
    """Whichever it is: the page of near caches has figures for each."""
    store = open_store(f"{url.format(tmp_path)}near=10")

    assert isinstance(store, NearStore)
    assert store.most == 10


@pytest.mark.parametrize("url", ["memcached://localhost?", "postgresql://me@localhost:1/shop?"])
def test_store_without_a_feed_has_no_near_cache(url):
    """Nobody could say how old a copy is: that is refused, in words."""
    with pytest.raises(ConfigError, match="does not tell what changed"):
        open_store(f"{url}near=100")


def test_url_makes_one(tmp_path):
    """``near=`` is an option of every URL, beside the store's own."""
    store = open_store("redis://localhost:1/0?prefix=x:&near=70")

    assert isinstance(store, NearStore)
    assert store.most == 70
    assert store.name == "redis://localhost:1/0"
    assert near_cache(store) is store
    with pytest.raises(
        ConfigError, match="near=no of redis://localhost:1/0: write how many sessions"
    ):
        open_store("redis://localhost:1/0?near=no")
    with pytest.raises(ConfigError, match="shorten it"):
        Sessions("redis://localhost:1/0?near=1", secrets=[SECRET], cookie=Cookie(name="x" * 56))
    Sessions("memory://", cookie=Cookie(name="x" * 64, secure=False))
    with pytest.raises(ConfigError, match="stands twice"):
        open_store("redis://localhost:1/0?near=1&near=2")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_forked_process_trusts_no_copy_of_its_parent(near):
    """Its parent's thread does not live there, and nobody would drop them."""
    keep(near)
    child = os.fork()
    if child == 0:
        os._exit(near.peek(key("a"), 0) is not None)

    assert os.waitpid(child, 0)[1] == 0
    assert near.peek(key("a"), 0) is not None
