"""What becomes of an act on NATS whose answer was lost: it is done once, or somebody says so."""

import pytest

from harness.cutting_proxy import CuttingProxy
from harness.nats_place import NatsPlace
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import COMMITTED, Replaced
from sessile.stores.nats import NatsStore
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire.nats.lane import NatsLane
from sessile.wire.nats.messages import WRONG_SEQUENCE, ApiError, PublishAnswer

LIMIT = 20


@pytest.fixture
def place(tmp_path):
    place = NatsPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def proxy(place):
    with CuttingProxy(place.server.port) as proxy:
        yield proxy


@pytest.fixture
def store(place, proxy, drive):
    """A store behind the proxy."""
    store = NatsStore.from_url(f"nats://127.0.0.1:{proxy.port}/{place.bucket}?timeout={LIMIT}")
    drive(store.ping())
    yield store
    drive(store.close())


@pytest.fixture
def rival(place, drive):
    """A store of another process."""
    store = place.open()
    yield store
    drive(store.close())


STORED = b"HPUB $SESSILE"
"""How a message begins that is stored."""


@pytest.mark.parametrize("performed", [False, True])
def test_create_is_done_once(store, proxy, drive, performed):
    """Its key is not taken by itself."""
    proxy.cut(STORED, performed=performed)
    drive(store.create(record("a")))

    assert proxy.cuts == 1
    assert drive(store.read(key("a"))) == record("a")


@pytest.mark.parametrize("performed", [False, True])
def test_commit_is_done_once(store, proxy, drive, performed):
    """It is no conflict with itself, and the next one goes on from it."""
    row = record("a")
    drive(store.create(row))
    step = change(row, {"n": b"1"})
    proxy.cut(STORED, performed=performed)

    assert drive(store.commit(step)) == COMMITTED
    assert drive(store.commit(change(step.record, {"n": b"2"}))) == COMMITTED
    assert proxy.cuts == 1
    assert drive(store.read(key("a"))).data["n"] == b"2"


@pytest.mark.parametrize("performed", [False, True])
def test_login_is_done_once(store, proxy, drive, performed):
    """The whole batch, though it is sent twice."""
    drive(store.replace(login(record("a", owner="alice"))))
    proxy.cut(b"Nats-Batch-Commit", performed=performed)
    fresh = record("b", owner="alice")

    assert drive(store.replace(login(fresh, limit=1))) == Replaced((key("a"),))
    assert proxy.cuts == 1
    assert records_of(store, drive, "alice") == [fresh]
    assert drive(store.read(key("a"))) is None


@pytest.mark.parametrize("performed", [False, True])
def test_read_is_asked_once_more(store, proxy, drive, performed):
    drive(store.create(record("a")))
    proxy.cut(b"STREAM.MSG.GET", performed=performed)

    assert drive(store.read(key("a"))) == record("a")
    assert proxy.cuts == 1


def test_commit_that_a_rival_went_on_from_is_in_doubt(store, rival, proxy, drive):
    """Whether it was stored cannot be seen any more: it is neither a conflict nor done."""
    row = record("a")
    drive(store.create(row))
    step = change(row, {"n": b"1"})

    def go_on():
        found = run(rival.read(key("a")))
        assert found == step.record
        assert run(rival.commit(change(found, {"m": b"1"}))) == COMMITTED

    proxy.cut(STORED, performed=True, meanwhile=go_on)
    with pytest.raises(StoreUnavailable, match="nobody knows whether it was stored"):
        drive(store.commit(step))
    assert proxy.cuts == 1
    assert drive(store.read(key("a"))).data == {**row.data, "n": b"1", "m": b"1"}


WRONG = PublishAnswer(error=ApiError(400, min(WRONG_SEQUENCE)))


def test_commit_that_is_on_its_way_is_waited_for(store, drive, monkeypatch):
    """A leader that has just come refuses it, for it has the first one and has not stored it yet.

    What then stands there is what stood there before, so nobody else was faster.
    """
    row = record("a")
    drive(store.create(row))
    answers = [ConnectionError("its leader has stepped down"), WRONG] * 2
    publish = NatsLane._publish

    async def answer(lane, act):
        if not answers:
            return await publish(lane, act)
        told = answers.pop(0)
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(NatsLane, "_publish", answer)
    step = change(row, {"n": b"1"})

    assert drive(store.commit(step)) == COMMITTED
    assert answers == []
    assert drive(store.read(key("a"))) == step.record


def test_end_that_was_sent_twice_ends_no_later_session(store, proxy, drive):
    """The end of everybody is not sent again: who logged in meanwhile would be ended as well."""
    drive(store.create(record("a")))
    proxy.cut(b"STREAM.PURGE", performed=False)

    with pytest.raises(StoreUnavailable):
        drive(store.end_everybody())
    assert proxy.cuts == 1
    assert drive(store.read(key("a"))) == record("a")
    drive(store.end_everybody())
    assert drive(store.read(key("a"))) is None
