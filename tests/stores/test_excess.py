"""Which sessions a login ends: what is over the limit, and what is nobody's by now."""

import pytest

from sessile.core.record import pack
from sessile.stores.contract import HEAD_BYTES, UNCLAIMED_TTL, Full, Limit, OnLimit, head_of
from sessile.stores.excess import choose
from sessile.testing.clock import T0
from sessile.testing.sample import key, record

LATE = T0 + UNCLAIMED_TTL
MINE = record("a", owner="alice")
NOBODYS = record("b", owner="alice", confirmed=None)
USED = record("c", owner="alice", confirmed=None, version=2)  # its newest ticket alone is new
OVER = record("d", owner="alice", idle=1.0)


def ended(limit, rows, now):
    """Return the keys of those that end for one more login; None where it is refused."""
    entries = [(row.key, head_of(pack(row)[:HEAD_BYTES], row.key)) for row in rows]
    result = choose(limit, entries, len(rows), now, new=key("new"), old=None)
    return None if isinstance(result, Full) else list(result.ended)


@pytest.mark.parametrize("on_limit", OnLimit)
def test_session_that_nobody_holds_takes_no_place(on_limit):
    """One never presented counts for some seconds; then it ends at the next login."""
    assert ended(Limit(3, on_limit), [MINE, NOBODYS], LATE) == [NOBODYS.key]
    assert ended(Limit(3, on_limit), [MINE, NOBODYS], LATE - 0.1) == []
    assert ended(Limit(3, on_limit), [MINE, USED], LATE) == []
    assert ended(Limit(1, on_limit), [NOBODYS], LATE) == [NOBODYS.key]


def test_session_that_may_be_somebodys_takes_a_place():
    """A young one whose client may still show its ticket, and one that was used."""
    refuse = Limit(1, OnLimit.REFUSE)

    assert ended(refuse, [NOBODYS], LATE - 0.1) is None
    assert ended(refuse, [USED], LATE) is None


def test_session_that_goes_on_from_another_takes_a_place():
    """Who stepped up a minute ago and reads the page is at work, though its ticket is new."""
    risen = record("e", owner="alice", confirmed=None, created=T0 - 600)

    assert ended(Limit(1, OnLimit.REFUSE), [risen], LATE) is None
    assert ended(Limit(2), [risen], LATE) == []


def test_session_that_is_over_takes_no_place():
    """Nor is it ended once more."""
    assert ended(Limit(1, OnLimit.REFUSE), [OVER], T0 + 1) == []


def test_head_says_what_the_record_says():
    """However long the record is: its deadlines, and whether its ticket was ever shown."""
    for row in (MINE, NOBODYS, USED, OVER, record("e", data={"v": b"x" * 5_000}, version=70_000)):
        head = head_of(pack(row)[:HEAD_BYTES], row.key)
        for now in (T0, T0 + 1, LATE, T0 + 599, T0 + 600):
            assert head.live_at(now) == row.live_at(now)
            assert head.is_unclaimed(now) == row.is_unclaimed(now)


@pytest.mark.parametrize(
    "start", [b"", b"\xdc\x00\x18", pack(MINE)[:40], pack(MINE)[:100], b"\xff" * 128]
)
def test_what_is_no_head_is_none(start):
    """Cut short, or foreign: no session, and no error."""
    assert head_of(start, MINE.key) is None
