"""Policies by level, locks, limits and theft: the numbers of NIST SP 800-63B-4, and none beyond."""

import pytest

from sessile.core.binding import Binding
from sessile.core.policy import (
    AAL1,
    AAL2,
    AAL3,
    Limit,
    OnLimit,
    OnReplay,
    Policy,
    days,
    hours,
    minutes,
)  # fmt: skip
from sessile.errors import ConfigError
from sessile.testing.clock import T0
from sessile.testing.sample import record

PRESETS = {
    "AAL1": Policy.aal1,
    "AAL2": Policy.aal2,
    "AAL3": Policy.aal3,
}
LOCKING = Policy(idle=600.0, lock=3600.0, remember_idle=6000.0)


@pytest.mark.parametrize(
    ("name", "absolute", "idle", "lock"),
    [
        ("AAL1", days(30), days(14), None),
        ("AAL2", hours(24), hours(1), hours(23)),
        ("AAL3", hours(12), minutes(15), None),
    ],
)
def test_preset_has_the_numbers_of_its_level(name, absolute, idle, lock):
    """NIST SP 800-63B-4, 2.1.3, 2.2.3 and 2.3.3; and no browser keeps a ticket (5.1)."""
    policy = PRESETS[name]()

    assert policy.level is not None
    assert policy.level.name == name
    assert (policy.absolute, policy.idle, policy.lock) == (absolute, idle, lock)
    assert policy.remember_absolute is None


def test_levels_are_those_of_the_text():
    """AAL2 and AAL3 limit inactivity, AAL1 leaves it open; AAL3 reopens nothing."""
    assert (AAL1.absolute, AAL1.idle, AAL1.reopens) == (2_592_000, None, True)
    assert (AAL2.absolute, AAL2.idle, AAL2.reopens) == (86_400, 3_600, True)
    assert (AAL3.absolute, AAL3.idle, AAL3.reopens) == (43_200, 900, False)


@pytest.mark.parametrize(
    ("name", "beyond", "said"),
    [
        ("AAL1", {"absolute": days(30) + 1}, "absolute=.*AAL1 of NIST.* allows 2592000 s"),
        ("AAL2", {"absolute": hours(24) + 1}, "AAL2 of NIST.* allows 86400 s"),
        ("AAL2", {"idle": hours(1) + 1}, "idle=3601 s: AAL2 .* allows 3600 s"),
        ("AAL3", {"absolute": hours(12) + 1}, "AAL3 of NIST.* allows 43200 s"),
        ("AAL3", {"idle": minutes(15) + 1}, "idle=901 s: AAL3 .* allows 900 s"),
        ("AAL3", {"lock": 60}, "lock=60 s: AAL3 .*drop lock"),
        ("AAL3", {"on_replay": OnReplay.LOCK}, "OnReplay.LOCK: AAL3 .*drop on_replay"),
        ("AAL1", {"remember_absolute": days(30)}, "write remember_absolute=None"),
        ("AAL2", {"remember_absolute": days(20)}, "write remember_absolute=None"),
    ],
)
def test_what_is_beyond_the_level_is_refused(name, beyond, said):
    """The error names the level, what it allows, and what was written."""
    with pytest.raises(ConfigError, match=said):
        PRESETS[name](**beyond)


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("AAL1", {"absolute": days(20), "lock": days(1), "limit": 3}),
        (
            "AAL2",
            {"absolute": hours(8), "idle": minutes(20), "lock": None, "on_replay": OnReplay.LOCK},
        ),
        ("AAL3", {"absolute": hours(1), "idle": minutes(5), "on_replay": OnReplay.END_ALL}),
    ],
)
def test_what_is_within_the_level_is_taken(name, within):
    """A stricter policy of the same level has what was said, and the level."""
    policy = PRESETS[name](**within)

    assert {field: getattr(policy, field) for field in within} == within
    assert policy.level is PRESETS[name]().level


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"level": "AAL2"}, r"Policy\.aal2\(\)"),
        ({"binding": "subnet"}, r"Binding\("),
        ({"on_replay": "end"}, r"OnReplay\.END_ALL"),
        ({"stale": 0}, r"stale=hours\(1\)"),
        ({"lock": 0}, "lock"),
        ({"know_devices": -1}, "know_devices"),
        ({"evidence": None}, "evidence"),
    ],
)
def test_setting_that_is_none_is_refused(wrong, said):
    """The error says what to write."""
    with pytest.raises(ConfigError, match=said):
        Policy(**wrong)


def test_defaults_cost_and_lock_nothing():
    """Out of the box nothing locks, no devices are remembered, and theft ends one session."""
    policy = Policy()

    assert (policy.lock, policy.know_devices) == (None, None)
    assert policy.on_replay is OnReplay.END_SESSION
    assert policy.binding == Binding()
    assert not policy.is_locked(record(owner="alice"), T0 + 1e9)


# Locks


def test_owned_session_locks_when_it_was_idle():
    """At the idle time it is locked, a moment before it is not; a remembered one by its own."""
    row = record(owner="alice")

    assert not LOCKING.is_locked(row, T0 + 599.9)
    assert LOCKING.is_locked(row, T0 + 600.0)
    remembered = record(owner="alice", persistent=True)
    assert not LOCKING.is_locked(remembered, T0 + 5999.9)
    assert LOCKING.is_locked(remembered, T0 + 6000.0)
    assert Policy().is_locked(record(owner="alice", replayed=T0), T0)
    assert not LOCKING.is_locked(record(), T0 + 1e6)


def test_locked_session_ends_after_the_lock():
    """An owner's session lives for the lock's time more; a visitor's, and one without, does not."""
    assert LOCKING.idle_until(T0, owned=True, persistent=False) == T0 + 4200.0
    assert LOCKING.idle_until(T0, owned=True, persistent=True) == T0 + 9600.0
    assert LOCKING.idle_until(T0, owned=False, persistent=False) == T0 + 600.0
    assert Policy(idle=600.0).idle_until(T0, owned=True, persistent=False) == T0 + 600.0


def test_touch_opens_no_lock():
    """Use moves the clocks of an open session, and never those of a locked one."""
    row = record(owner="alice", idle=4200.0)

    assert LOCKING.touch(row, T0 + 599.0) == {"seen": T0 + 599.0, "idle_until": T0 + 4799.0}
    assert LOCKING.touch(row, T0 + 600.0) == {"seen": T0, "idle_until": T0 + 4200.0}


# Limits


def test_limit_is_the_same_for_all_or_a_function():
    """A number goes with the policy's ``on_limit``; a function gives a number, a limit or none."""
    mine = Limit(5, OnLimit.END_OTHERS)
    answers = {"few": 2, "mine": mine, "any": None}
    policy = Policy(limit=answers.get, on_limit=OnLimit.REFUSE)

    assert Policy(limit=None).limit_for("alice") is None
    assert Policy(limit=mine).limit_for("alice") is mine
    assert Policy(limit=3).limit_for("alice") == Limit(3, OnLimit.END_OLDEST)
    assert policy.limit_for("few") == Limit(2, OnLimit.REFUSE)
    assert policy.limit_for("mine") is mine
    assert policy.limit_for("any") is None


def test_limit_that_nobody_asked_for_ends_the_oldest():
    """The default refuses nobody, whatever shall happen at limits of the application's own."""
    policy = Policy(on_limit=OnLimit.REFUSE)

    assert policy.limit_for("alice") == Limit(1_000, OnLimit.END_OLDEST)


@pytest.mark.parametrize("wrong", [0, -1, True, "3", 1.5])
def test_function_that_gives_no_limit_is_an_error(wrong):
    """It is told when a user logs in, not taken for no limit."""
    with pytest.raises(ConfigError, match="whole number from 1"):
        Policy(limit=lambda user: wrong).limit_for("alice")


def test_limit_is_checked_at_birth():
    """A limit that cannot be meant is none."""
    with pytest.raises(ConfigError, match="whole number"):
        Limit(0)
    with pytest.raises(ConfigError, match=r"on_limit=.*OnLimit\.REFUSE"):
        Limit(1, "refuse")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "ends"),
    [
        (Limit(4), ""),
        (Limit(3), "a"),
        (Limit(2), "ab"),
        (Limit(1), "abc"),
        (Limit(4, OnLimit.END_OTHERS), ""),
        (Limit(3, OnLimit.END_OTHERS), "abc"),
        (Limit(4, OnLimit.REFUSE), ""),
        (Limit(3, OnLimit.REFUSE), None),
        (Limit(1, OnLimit.REFUSE), None),
    ],
)
def test_limit_says_which_sessions_end_for_one_more(limit, ends):
    """The oldest logins, all others, or none and the login is refused; within the limit nothing."""
    chosen = limit.excess(list("abc"))

    assert (None if chosen is None else list(chosen)) == (None if ends is None else list(ends))
    assert list(limit.excess([]) or ()) == []
