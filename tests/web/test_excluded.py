"""Paths without sessions, and how they are named."""

import re

import pytest

from sessile.errors import ConfigError
from sessile.web.excluded import prefixes


def test_excluded_prefixes_are_taken_as_given():
    """Any number of prefixes, none of them changed."""
    assert prefixes("exclude", ["/static/", "/health"]) == ("/static/", "/health")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("/poll", 'passive=("/poll",)'),
        ("poll", 'passive=("/poll",)'),
        ("/", 'passive=("/",)'),
        (("static/",), '"/static/"'),
        (("",), '"/static/"'),
        ((7,), '"/static/"'),
        (("/a", "b"), '"/b"'),
    ],
)
def test_wrong_prefixes_are_refused_at_start(wrong, right):
    """A prefix that could never match, or a bare text, is an error that says what to write."""
    with pytest.raises(ConfigError, match=rf"passive.*{re.escape(right)}$"):
        prefixes("passive", wrong)
