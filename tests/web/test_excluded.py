"""Paths without sessions, and how they are named."""

import pytest

from sessile.errors import ConfigError
from sessile.web.excluded import prefixes


def test_excluded_prefixes_are_taken_as_given():
    """Any number of prefixes, none of them changed."""
    assert prefixes("exclude", ["/static/", "/health"]) == ("/static/", "/health")


@pytest.mark.parametrize("wrong", ["/static/", "/", ("static/",), ("",), (7,), ("/a", "b")])
def test_wrong_prefixes_are_refused_at_start(wrong):
    """A prefix that could never match, or a bare text, is an error that says what to write."""
    with pytest.raises(ConfigError, match=r"passive.*/static/"):
        prefixes("passive", wrong)
