"""The Postgres store behind PgBouncer, which gives each transaction another connection."""

import logging

import pytest

from harness.backends import PostgresPlace
from harness.pgbouncer import PgBouncer
from sessile.core.record import RecordKind
from sessile.stores.contract import COMMITTED, Conflict, Deleted, Replaced
from sessile.stores.postgres import PostgresStore
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire import log

RIVALS = 8


@pytest.fixture(params=["yes", "no"])
def store(tmp_path, drive, request):
    """A store behind it, whose statements are prepared to begin with, or are not."""
    place = PostgresPlace(tmp_path)
    log.log_unprepared.cache_clear()
    with PgBouncer(place.server) as pooler:
        url = f"{pooler.url}?timeout=30&table={place.table}&prepare={request.param}"
        store = PostgresStore.from_url(url)
        yield store
        drive(store.close())
    place.leave()


def test_every_act_works_behind_a_pooler(store, drive):
    """What is prepared on one connection is missed on another, and no answer is a wrong one."""
    for n in range(RIVALS):
        rows = [record(f"{n} {rival}") for rival in range(RIVALS)]
        assert set(drive.together(store.create(row) for row in rows)) == {None}
        changes = [change(row, {"n": b"1"}) for row in rows]
        assert set(drive.together(store.commit(each) for each in changes)) == {COMMITTED}
        found = drive.together(store.read(key(f"{n} {rival}")) for rival in range(RIVALS))
        assert found == [each.record for each in changes]
        assert drive(store.commit(changes[0])) == Conflict(changes[0].record)

    assert drive(store.count()) == RIVALS**2
    drive(store.end_everybody())
    assert drive(store.read(key("0 0"))) is None
    assert drive(store.sweep(T0 + 1e6)) == RIVALS**2


def test_limit_is_exact_behind_a_pooler(store, drive):
    """The lock of a user is a transaction's, so it is none of a connection that others get."""
    for n in range(3):
        rows = [record(f"{n} {rival}", owner="alice") for rival in range(RIVALS)]
        answers = drive.together(store.replace(login(row, limit=2)) for row in rows)
        assert all(isinstance(answer, Replaced) for answer in answers), answers
    left = records_of(store, drive, "alice")
    assert len(left) == 2

    grave = record("old", version=0, kind=RecordKind.TOMBSTONE)
    new = record("new", owner="alice")
    answer = drive(store.replace(login(new, old=left[0], tombstone=grave, limit=2)))
    assert answer == Replaced()
    assert len(drive(store.delete_owned("alice", keep=[key("new")])).keys) == 1
    assert drive(store.delete_owned("alice")) == Deleted((key("new"),))


def test_operator_is_told_once(store, drive, caplog):
    """The log says what to set where statements cannot be prepared."""
    caplog.set_level(logging.WARNING, "sessile")
    for n in range(3 * RIVALS):
        drive.together(store.read(key(f"{n} {rival}")) for rival in range(RIVALS))

    prepares = store._place.endpoint.prepares
    assert caplog.text.count("max_prepared_statements") == (
        1 if prepares and not store._client._server.prepares else 0
    )
