"""Instants as people and as programs read them."""

import math

import pytest

from sessile.cli.times import relative_time, timestamp

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("away", "text"),
    [
        (0.0, "now"),
        (-0.9, "now"),
        (-1.0, "1 second ago"),
        (59.9, "in 59 seconds"),
        (-60.0, "1 minute ago"),
        (3599.0, "in 59 minutes"),
        (-7200.0, "2 hours ago"),
        (86_399.0, "in 23 hours"),
        (-86_400.0, "1 day ago"),
        (30 * 86_400.0, "in 30 days"),
        (math.inf, "in 2932896 days"),
    ],
)
def test_people_read_the_largest_unit(away, text):
    """Whole units only, and which side of now it is on."""
    assert relative_time(NOW + away, NOW) == text


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (NOW + 0.999, "2023-11-14T22:13:20Z"),
        (-5.0, "1970-01-01T00:00:00Z"),
        (math.nan, "1970-01-01T00:00:00Z"),
        (math.inf, "9999-12-31T23:59:59Z"),
        (1e300, "9999-12-31T23:59:59Z"),
    ],
)
def test_programs_read_utc(instant, text):
    """RFC 3339 to the second; what a tampered record may claim stays within the calendar."""
    assert timestamp(instant) == text


def test_a_moment_that_is_no_number_is_no_error():
    """Whatever a tampered record says can be listed."""
    assert relative_time(math.nan, NOW) == "now"
