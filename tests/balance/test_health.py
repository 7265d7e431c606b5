"""Health is judged from observations, and a wish to drain is kept beside it."""

import pytest

from sessile.balance.health import Health, HealthCheck, Observation, State
from sessile.errors import ConfigError

CHECK = HealthCheck(rise=2, fall=3)


def after(*observations, start=None):
    health = start or Health()
    for observation in observations:
        health = health.after(observation, CHECK)
    return health


def test_a_new_server_is_up():
    """A server is believed to be well until it fails."""
    assert Health().state is State.UP


def test_fall_takes_failures_in_a_row():
    """Only ``fall`` failures in a row take a server down."""
    assert after(Observation.ILL, Observation.ILL).state is State.UP
    assert (
        after(
            Observation.ILL, Observation.ILL, Observation.WELL, Observation.ILL, Observation.ILL
        ).state
        is State.UP
    )
    assert after(Observation.ILL, Observation.ILL, Observation.ILL).state is State.DOWN


def test_rise_takes_successes_in_a_row():
    """Only ``rise`` successes in a row bring a server back."""
    down = after(Observation.GONE)

    assert after(Observation.WELL, start=down).state is State.DOWN
    assert (
        after(Observation.WELL, Observation.ILL, Observation.WELL, start=down).state is State.DOWN
    )
    assert after(Observation.WELL, Observation.WELL, start=down).state is State.UP


def test_nobody_listening_is_believed_at_once():
    """A refused connection takes a server down without a second look, and undoes a rise."""
    assert after(Observation.GONE).state is State.DOWN
    assert (
        after(Observation.GONE, Observation.WELL, Observation.GONE, Observation.WELL).state
        is State.DOWN
    )


def test_draining_outlives_an_outage():
    """A server that dies while it drains is down, and drains again when it is back."""
    draining = Health(draining=True)

    assert draining.state is State.DRAIN
    assert after(Observation.GONE, start=draining).state is State.DOWN
    assert (
        after(Observation.GONE, Observation.WELL, Observation.WELL, start=draining).state
        is State.DRAIN
    )


@pytest.mark.parametrize(
    "wrong", [{"path": "health"}, {"interval": 0}, {"timeout": -1}, {"rise": 0}, {"fall": 0}]
)
def test_a_check_that_cannot_work_is_refused(wrong):
    """Settings are checked when they are made."""
    with pytest.raises(ConfigError):
        HealthCheck(**wrong)
