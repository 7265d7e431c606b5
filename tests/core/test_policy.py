"""Policies: what cannot be meant is refused, and each clock does what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.limit import Limit, OnLimit
from sessile.core.policy import Policy, days, hours, minutes
from sessile.core.record import evolve
from sessile.errors import ConfigError
from sessile.testing.clock import T0
from sessile.testing.effort import effort
from sessile.testing.sample import record

CLOCKS = ("idle", "absolute", "rotate", "grace", "remember_idle", "remember_absolute")


def test_units_are_seconds():
    """Times are read as they are written."""
    assert (minutes(1.5), hours(2), days(1)) == (90.0, 7_200.0, 86_400.0)


def test_defaults_are_those_of_an_ordinary_site():
    """OWASP's session cheat sheet: half an hour of inactivity, a working day overall."""
    policy = Policy()

    assert (policy.idle, policy.absolute) == (minutes(30), hours(12))
    assert (policy.remember_idle, policy.remember_absolute) == (days(14), days(30))
    assert policy.limit == Limit(1_000, OnLimit.END_OLDEST)


@pytest.mark.parametrize("value", [0, -1, True, "30", float("nan"), float("inf"), 1e11, 10**400])
@pytest.mark.parametrize("clock", CLOCKS)
def test_time_that_cannot_be_meant_is_refused(clock, value):
    """A time is a number of seconds above 0; the error names the clock and a value that is one."""
    with pytest.raises(ConfigError, match=rf"^{clock}=.*, as in {clock}=") as refused:
        Policy(**{clock: value})

    example = str(refused.value).rpartition(f"as in {clock}=")[2]
    units = {"minutes": minutes, "hours": hours, "days": days}
    Policy(**{clock: eval(example, units)})


@pytest.mark.parametrize("clock", [c for c in CLOCKS if c not in {"rotate", "remember_absolute"}])
def test_only_rotation_can_be_switched_off(clock):
    """None is no time for any clock but the rotation's."""
    with pytest.raises(ConfigError, match=clock):
        Policy(**{clock: None})
    assert not Policy(rotate=None).rotation_due(record(at=T0 - days(30)), T0)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"idle": hours(13)}, "idle=46800 s is longer than absolute"),
        ({"remember_idle": days(31)}, "remember_idle"),
        ({"grace": minutes(16)}, "grace=960 s is longer than rotate"),
    ],
)
def test_clocks_in_the_wrong_order_are_refused(wrong, named):
    """A clock that could never run out before a shorter one is a mistake."""
    with pytest.raises(ConfigError, match=named):
        Policy(**wrong)


@pytest.mark.parametrize("equal", [{"idle": hours(12)}, {"grace": minutes(15)}])
def test_equal_clocks_are_allowed(equal):
    """Two clocks that run out together are meant."""
    assert Policy(**equal)


@pytest.mark.parametrize("limit", [0, -1, 10_001, True, 1.0, "3"])
def test_limit_is_a_whole_number(limit):
    """A limit is a whole number, and none so large that to count to it would be long."""
    with pytest.raises(ConfigError, match="whole number from 1 to 10000, or None"):
        Policy(limit=limit)
    assert Policy(limit=1).limit == 1
    assert Policy(limit=10_000).limit_for("alice") == Limit(10_000)


@pytest.mark.parametrize("on_limit", [None, "end oldest", True])
def test_on_limit_is_one_of_its_members(on_limit):
    """What happens at the limit is chosen from the enumeration."""
    with pytest.raises(
        ConfigError, match=r"OnLimit\.END_OLDEST, OnLimit\.END_OTHERS, OnLimit\.REFUSE"
    ):
        Policy(on_limit=on_limit)
    with pytest.raises(ConfigError, match="OnLimit"):
        Policy(limit=lambda user: 1, on_limit=on_limit)
    assert Policy(on_limit=OnLimit.REFUSE).on_limit is OnLimit.REFUSE


def test_remembered_sessions_have_their_own_clocks():
    """A persistent session follows the longer pair."""
    policy = Policy()

    assert policy.idle_for(persistent=False) == policy.idle
    assert policy.idle_for(persistent=True) == policy.remember_idle
    assert policy.absolute_for(persistent=False) == policy.absolute
    assert policy.absolute_for(persistent=True) == policy.remember_absolute


@pytest.mark.parametrize("persistent", [True, False])
def test_touch_is_throttled_to_a_twentieth_of_the_idle_time(persistent):
    """A reader moves the clock only when a twentieth of the idle time has passed."""
    policy = Policy(idle=200.0, remember_idle=2000.0)
    row, due = record(persistent=persistent), 100.0 if persistent else 10.0

    assert not policy.touch_due(row, T0 + due - 0.001)
    assert policy.touch_due(row, T0 + due)


def test_touch_moves_the_idle_deadline_alone():
    """A touched record was seen now and lives for another idle time; all else is as before."""
    row = record(idle=60.0)
    touched = evolve(row, **Policy(idle=60.0).touch(row, T0 + 30.0))

    assert (touched.seen, touched.idle_until) == (T0 + 30.0, T0 + 90.0)
    assert (touched.until, touched.version, touched.data) == (row.until, 1, row.data)


@effort(100, 2_000)
@given(st.floats(-1e6, 1e6), st.floats(1, 3600))
def test_no_clock_runs_backwards(passed, idle):
    """Whatever a server's clock says, a touch never shortens a session's life."""
    row = record(idle=600.0)
    touched = evolve(row, **Policy(idle=idle).touch(row, T0 + passed))

    assert touched.seen >= row.seen
    assert touched.idle_until >= row.idle_until


def test_rotation_is_due_when_its_time_has_passed():
    """A ticket is replaced when it is as old as the policy says."""
    policy = Policy(rotate=100.0)

    assert not policy.rotation_due(record(), T0 + 99.999)
    assert policy.rotation_due(record(), T0 + 100.0)
    assert not policy.rotation_due(record(rotated=T0 + 50.0), T0 + 100.0)


def test_cookie_of_an_ordinary_session_ends_with_the_browser():
    """Only a remembered session has a Max-Age, and the server's deadlines decide anyhow."""
    assert Policy().max_age(record(), T0) is None


@pytest.mark.parametrize(
    ("absolute", "seconds"), [(days(30), 2_592_000), (days(1000), 34_560_000), (0.5, 1), (-5.0, 1)]
)
def test_max_age_is_what_browsers_keep(absolute, seconds):
    """Max-Age is the rest of the session's life, at least 1 and at most the 400 days of the RFC."""
    assert Policy().max_age(record(persistent=True, absolute=absolute), T0) == seconds


def test_policy_is_frozen():
    """A policy that was checked stays as it was checked."""
    with pytest.raises(AttributeError):
        Policy().idle = -1
