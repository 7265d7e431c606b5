"""When a session is over if nobody uses it: exactly then it no longer lives, or it locks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.identity import Pending
from sessile.core.life import OpenSession, ends_at, life_of
from sessile.core.policy import Policy, days, hours, minutes
from sessile.core.record import evolve
from sessile.testing.clock import T0
from sessile.testing.effort import effort
from sessile.testing.sample import record

POLICIES = [
    Policy(),
    Policy(lock=hours(2)),
    Policy(anonymous_idle=days(30)),
    Policy(anonymous_idle=days(30), lock=hours(1), idle=minutes(10)),
    Policy(remember_idle=days(2), remember_absolute=days(3)),
    Policy.aal2(),
]
WHO = [
    {"owner": "alice"},
    {"owner": "alice", "persistent": True},
    {},
    {"pending": Pending("alice", ("password",), T0 + 600)},
]


def opens(policy, row, now):
    return policy.lives(row, now) and not policy.is_locked(row, now)


@effort(quick=300, deep=10_000)
@given(
    policy=st.sampled_from(POLICIES),
    who=st.sampled_from(WHO),
    seen=st.floats(0, days(2)),
    idle=st.floats(1, days(40)),
    until=st.floats(1, days(400)),
)
def test_session_opens_until_then_and_no_longer(policy, who, seen, idle, until):
    """Whatever was stored of its clocks, and whatever the policy says now."""
    row = evolve(
        record("a"), created=T0, seen=T0 + seen, idle_until=T0 + idle, until=T0 + until, **who
    )
    if row.persistent and policy.remember_absolute is None:
        return
    end = ends_at(policy, row)

    assert not opens(policy, row, end)
    before = math.nextafter(end, 0)
    assert opens(policy, row, before) or before < row.seen


def test_life_names_its_session():
    """By its key, and whose it is."""
    row = evolve(record("a"), owner="alice")

    assert life_of(Policy(), row).session == OpenSession(row.key, "alice")


def test_remembered_session_where_nobody_is_remembered_is_over():
    """Of a policy that became stricter the clocks count at once."""
    row = evolve(record("a"), owner="alice", persistent=True)
    policy = Policy(remember_absolute=None)

    assert ends_at(policy, row) <= row.created
    assert not policy.lives(row, row.created - 60.0)  # as another server's clock may say


@pytest.mark.parametrize("kept", ["idle_until", "until"])
def test_what_was_stored_counts_where_it_is_earlier(kept):
    """As the end that an identity provider named."""
    row = evolve(record("a"), created=T0, seen=T0, idle_until=T0 + 1e6, until=T0 + 1e6)

    assert ends_at(Policy(), evolve(row, **{kept: T0 + 60.0})) == T0 + 60.0
