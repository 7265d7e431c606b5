"""What becomes of an act on shards whose answer was lost; and what an act needs another shard for.

As ``test_nats_repeats``, for acts that take several rows one after the other.
"""

import re
import time
from pathlib import Path

import pytest

from harness.cutting_proxy import CuttingProxy
from harness.nats_server import NatsServer
from sessile.core.ticket import Key
from sessile.errors import StoreUnavailable
from sessile.stores.backup import BackupStore
from sessile.stores.contract import COMMITTED, Replaced
from sessile.stores.nats_rows import NatsRows
from sessile.testing.promises.feeds import hear
from sessile.testing.sample import change, key, login, record, records_of

STORED = b"HPUB $SESSILE"
SHARDS = 4


@pytest.fixture
def server(tmp_path):
    with NatsServer(tmp_path) as server:
        yield server


@pytest.fixture
def proxy(server):
    with CuttingProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def store(proxy, drive):
    """A store behind the proxy, with all of its shards."""
    url = f"backup://127.0.0.1:{proxy.port}/shop?timeout=20&shards={SHARDS}"
    store = BackupStore.from_url(url)
    drive(store.ping())
    yield store
    drive(store.close())


@pytest.mark.parametrize("performed", [False, True])
def test_row_is_made_changed_and_removed_once(store, proxy, drive, performed):
    """None is in its own way, whichever answer is lost."""
    row = record("a")
    proxy.cut(STORED, performed=performed)
    drive(store.create(row))
    step = change(row, {"n": b"1"})
    proxy.cut(STORED, performed=performed)
    assert drive(store.commit(step)) == COMMITTED
    assert drive(store.read(key("a"))) == step.record
    proxy.cut(STORED, performed=performed)

    assert drive(store.delete(key("a"))) == step.record
    assert proxy.cuts == 3
    assert drive(store.read(key("a"))) is None


@pytest.mark.parametrize("performed", [False, True])
@pytest.mark.parametrize("at", range(8))
def test_login_is_done_once(store, proxy, drive, at, performed):
    """Whichever of its messages loses its answer, from the first to those that tidy up."""
    old, visitor, new = record("a", owner="alice"), record("v"), record("b", owner="alice")
    drive(store.replace(login(old)))
    drive(store.create(visitor))
    proxy.cut(STORED, performed=performed, skip=at)

    assert drive(store.replace(login(new, limit=1, old=visitor))) == Replaced((key("a"),))
    assert proxy.cuts == 1
    assert records_of(store, drive, "alice") == [new]
    assert drive(store.read(Key(old.key))) is None
    assert drive(store.read(Key(visitor.key))) is None


def test_user_with_what_the_docs_say_can_do_everything(tmp_path, drive):
    """The list of ``nats://``, for each stream."""
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()
    (lines,) = re.findall(r"```\n(publish: .*?)```", page, re.DOTALL)

    def for_each(word):
        return ", ".join(f'"{word[1]}SESSILE_shop_{number}"' for number in range(SHARDS))

    listed = re.sub(r'"(\S+)SESSILE_shop"', for_each, lines)
    users = (
        f"authorization {{ users = [{{user: shop, password: pass, permissions: {{\n{listed}}}}}] }}"
    )
    (tmp_path / "of a shop").mkdir()
    with NatsServer(tmp_path / "of a shop", settings=users, access="") as server:
        place = server.url.replace("nats://", "backup://shop:pass@")
        store = BackupStore.from_url(f"{place}/shop?timeout=20&shards={SHARDS}")
        feed = store.open_feed(time.monotonic, tuple)
        drive(store.create(record("visitor")))
        drive(store.replace(login(record("a", owner="alice"), old=record("visitor"), limit=1)))
        drive(store.commit(change(record("a", owner="alice"))))
        hear(feed, lambda heard: heard.as_of is not None)
        assert len(records_of(store, drive, "alice")) == 1
        assert drive(store.count()) == 2
        assert drive(store.size()).bytes > 0
        assert len(drive(store.scan()).records) == 1
        assert drive(store.placement(key("a"))).primary == "one"
        drive(store.delete_owned("alice"))
        drive(store.server_time())
        drive(store.end_everybody())
        assert drive(store.diagnose())
        feed.close()
        drive(store.close())


def test_session_is_touched_while_the_shard_of_its_owner_has_no_leader(store, drive, monkeypatch):
    """Its own shard has one; that its owner's index has it is seen to with a later touch."""
    row = record("a", owner="alice")
    drive(store.replace(login(row)))
    touched = change(row, {}, seen=row.seen + 60)

    async def fail(*args):
        raise StoreUnavailable("backup", "no leader")

    monkeypatch.setattr(NatsRows, "get_index", fail)

    assert drive(store.commit(touched)) == COMMITTED
