"""Statistics add up every record once, and their memory does not grow with them."""

import pytest

from sessile import Sessions
from sessile.core.record import RecordKind, evolve, tombstone
from sessile.service import distinct
from sessile.service.distinct import DistinctCount
from sessile.service.sessions import Sealing, context_of
from sessile.service.statistics import Statistics, age_of
from sessile.stores.contract import Corrupt, pack
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import T0, FakeClock
from sessile.testing.sample import key, record

SECRET = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
HOUR, DAY = 3_600.0, 86_400.0


@pytest.fixture
def statistics():
    """Nothing counted yet, at the time ``T0``; and what proves records."""
    sessions = Sessions(
        store=MemoryStore(), secrets=[SECRET], sealing=Sealing.OFF, clock=FakeClock()
    )
    context = context_of(sessions)
    return Statistics(context), context.sealer.prove


def test_each_record_is_counted_as_one_thing(statistics):
    """Users' and visitors' sessions, the expired, what is no session, and rows that are none."""
    found, prove = statistics
    for each in (
        record("a", owner="alice"),
        record("b", owner="alice"),
        record("c", owner="bob"),
        record("d"),
        record("e", at=T0 - DAY),
        tombstone(key("f"), T0),
        record("g", kind=RecordKind.EVIDENCE, owner="eve"),
    ):
        found.add(prove(each))
    found.add(Corrupt(key("h")))
    found.add(record("i"))  # which nobody has proved

    assert (found.of_users, found.users.number, found.of_visitors) == (3, 2, 1)
    assert (found.expired, found.others, found.malformed) == (1, 2, 2)
    assert (found.live.number, found.all.number) == (4, 7)


def test_bytes_are_those_of_the_records(statistics):
    """The sum, the mean and the largest of what is live; and the sum of all that is stored."""
    found, prove = statistics
    large, small = prove(record("a", data={"v": bytes(500)})), prove(record("b"))
    over = prove(record("c", at=T0 - DAY, data={"v": bytes(900)}))
    for each in (large, small, over):
        found.add(each)
    sizes = [len(pack(each)) for each in (large, small, over)]

    assert found.live.bytes == sizes[0] + sizes[1]
    assert found.live.mean == round((sizes[0] + sizes[1]) / 2)
    assert (found.live.largest, found.live.largest_key) == (sizes[0], large.key)
    assert found.all.bytes == sum(sizes)


def test_nothing_has_no_mean_and_no_age(statistics):
    """Of an empty store every figure is zero, and there is no oldest session."""
    found, _ = statistics

    assert (found.live.mean, found.live.largest_key, found.oldest, found.newest) == (
        0, None, None, None,
    )  # fmt: skip


def test_ages_are_those_of_the_sessions(statistics):
    """The oldest, the newest, and how many were made within an hour, a day and so on."""
    found, prove = statistics
    for name, age in (("a", 60.0), ("b", 2 * HOUR), ("c", 3 * HOUR), ("d", 3 * DAY)):
        made = record(name, at=T0 - age, owner="alice", idle=9 * DAY, absolute=9 * DAY)
        found.add(prove(evolve(made, seen=T0, persistent=True)))

    assert (found.oldest, found.newest) == (T0 - 3 * DAY, T0 - 60.0)
    assert found.ages == {"hour": 1, "day": 2, "week": 1}


@pytest.mark.parametrize(
    ("age", "name"),
    [(-5.0, "hour"), (0.0, "hour"), (HOUR, "day"), (DAY, "week"), (7 * DAY, "month"),
     (30 * DAY, "older")],
)  # fmt: skip
def test_age_ends_where_the_next_begins(age, name):
    """An age that is exactly an hour is no longer under an hour."""
    assert age_of(age) == name


def test_few_texts_are_counted_exactly():
    """Each once, however often it comes."""
    count = DistinctCount()
    for n in range(3_000):
        count.add(f"user{n % 1_000}")

    assert (count.number, count.is_estimate) == (1_000, False)


def test_many_texts_are_estimated_well_in_bounded_memory(monkeypatch):
    """Beyond some number they are no longer kept, and the estimate is right to a hundredth."""
    monkeypatch.setattr(distinct, "_EXACT", 4_000)
    monkeypatch.setattr(distinct, "_BITS", 1 << 16)
    count = DistinctCount()
    for n in range(40_000):
        count.add(f"user{n // 2}")

    assert count.is_estimate
    assert abs(count.number - 20_000) < 200
    assert len(count._few) == 0
    assert len(count._marks) == 1 << 13


def test_more_texts_than_marks_are_no_error(monkeypatch):
    """A table that is full still answers."""
    monkeypatch.setattr(distinct, "_EXACT", 4)
    monkeypatch.setattr(distinct, "_BITS", 1 << 6)
    count = DistinctCount()
    for n in range(2_000):
        count.add(f"user{n}")

    assert count.number > 64
