"""``require``: nobody, somebody, somebody well enough, somebody recently enough."""

import pytest

from core.sessions import opened
from sessile.core.identity import Lock, Pending
from sessile.core.require import require
from sessile.errors import LoginNeeded, StepUpNeeded
from sessile.testing.clock import T0
from sessile.testing.sample import record

ALICE = record(owner="alice", assurance=2, authenticated_at=T0)


def test_user_is_returned():
    """Who is logged in is who is returned."""
    assert require(opened(ALICE)) == "alice"


@pytest.mark.parametrize(
    "session",
    [
        opened(),
        opened(record()),
        opened(record(pending=Pending("alice", ("password",), T0 + 600.0))),
        opened(ALICE, lock=Lock.IDLE),
        opened(ALICE, lock=Lock.MISMATCH),
        opened(record(owner="alice", assurance=2)),
    ],
    ids=["none", "visitor", "pending", "idle", "shut", "never proved"],
)
def test_nobody_is_refused(session):
    """A visitor, a half-finished login and a locked session are nobody, at any level."""
    for more in ({}, {"assurance": 1}, {"fresh": 1e9}):
        with pytest.raises(LoginNeeded):
            require(session, **more)


def test_level_is_a_lowest_one():
    """Who proved as much or more passes; who proved less is asked for that level."""
    assert require(opened(ALICE), assurance=2) == "alice"
    with pytest.raises(StepUpNeeded, match="at level 3") as refused:
        require(opened(ALICE), assurance=3)

    assert (refused.value.assurance, refused.value.fresh, refused.value.purpose) == (3, None, None)


def test_login_is_fresh_for_as_long_as_said():
    """A login of so many seconds ago passes, an older one is asked for again."""
    assert require(opened(ALICE, now=T0 + 60.0), fresh=60.0) == "alice"
    with pytest.raises(StepUpNeeded, match="not older than 60 s: log in again") as refused:
        require(opened(ALICE, now=T0 + 60.1), fresh=60.0)

    assert (refused.value.assurance, refused.value.fresh) == (None, 60.0)


def test_server_whose_clock_is_behind_refuses_no_fresh_login():
    """A login that another server noted a moment ahead of our clock is fresh; far ahead is not."""
    assert require(opened(ALICE, now=T0 - 0.2), fresh=60.0) == "alice"
    with pytest.raises(StepUpNeeded):
        require(opened(ALICE, now=T0 - 61.0), fresh=60.0)


def test_login_of_this_request_is_fresh():
    """Who has just logged in is not asked again."""
    session = opened()
    session.login("alice")

    assert require(session, fresh=1.0) == "alice"
