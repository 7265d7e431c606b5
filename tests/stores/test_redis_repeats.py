"""A commit whose answer was lost, on Redis: it is sent once more, and never counts twice."""

import pytest

from harness.cutting_proxy import CuttingProxy
from sessile.core.flow import run
from sessile.core.record import evolve
from sessile.errors import StoreUnavailable
from sessile.stores.contract import COMMITTED, Change, Conflict
from sessile.stores.redis import RedisStore
from sessile.testing.sample import key, record


def commit_of(version):
    """Return the change that makes this version; every writer makes the very same."""
    return Change(evolve(record("a"), version=version, data={"n": bytes([version])}), version - 1)


@pytest.fixture
def proxy(own_redis):
    """What cuts connections to a server."""
    with CuttingProxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
def rival(own_redis, proxy):
    """A store on the same server that nobody cuts; it has stored version 1 and every script."""
    rival = RedisStore.from_url(f"redis://127.0.0.1:{own_redis.port}/0")
    run(rival.create(record("a")))
    run(rival.commit(commit_of(9)))
    yield rival
    run(rival.close())


@pytest.fixture
def store(proxy, rival, drive):
    """A store whose connections can be cut. It is given time."""
    store = RedisStore.from_url(f"redis://127.0.0.1:{proxy.port}/0?timeout=20")
    drive(store.ping())
    yield store
    drive(store.close())


@pytest.mark.parametrize("performed", [True, False])
def test_commit_without_an_answer_is_committed_once(store, rival, proxy, drive, performed):
    """Whether the first try was performed or not, the commit stands, and in one version."""
    proxy.cut(b"EVALSHA", performed=performed)

    assert drive(store.commit(commit_of(2))) == COMMITTED
    assert proxy.cuts == 1
    assert run(rival.read(key("a"))) == commit_of(2).record


def test_equal_commit_of_a_rival_is_not_taken_for_ones_own(store, rival, proxy, drive):
    """Of two that write the same bytes, as two that spend one grant, one is told of the other."""
    won = []
    proxy.cut(
        b"EVALSHA",
        performed=False,
        meanwhile=lambda: won.append(run(rival.commit(commit_of(2)))),
    )

    assert drive(store.commit(commit_of(2))) == Conflict(commit_of(2).record)
    assert won == [COMMITTED]


@pytest.mark.parametrize("performed", [True, False])
def test_commit_that_a_rival_may_have_built_upon_is_not_told(store, rival, proxy, drive, performed):
    """Two versions later nobody can tell whether the first try was performed: that is an outage."""

    def build():
        if not performed:
            assert run(rival.commit(commit_of(2))) == COMMITTED
        assert run(rival.commit(commit_of(3))) == COMMITTED

    proxy.cut(b"EVALSHA", performed=performed, meanwhile=build)
    with pytest.raises(StoreUnavailable, match="nobody can tell"):
        drive(store.commit(commit_of(2)))

    assert run(rival.read(key("a"))) == commit_of(3).record
    assert drive(store.commit(commit_of(4))) == COMMITTED


def test_commit_to_what_ended_meanwhile_is_not_told(store, rival, proxy, drive):
    """Where the session is gone it may have gone on elsewhere, with the change or without."""
    proxy.cut(b"EVALSHA", performed=True, meanwhile=lambda: run(rival.delete(key("a"))))

    with pytest.raises(StoreUnavailable, match="nobody can tell"):
        drive(store.commit(commit_of(2)))
    assert run(rival.read(key("a"))) is None
