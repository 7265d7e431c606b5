"""Paths below a prefix, and those that climb out of it."""

import pytest

from sessile.core.prefix import is_below

HOOKS = ("/hooks/", "/saml")


@pytest.mark.parametrize("path", ["/hooks/", "/hooks/a..b/..c", "/saml", "/saml2", "/hooks/..."])
def test_path_that_begins_so_is_below(path):
    """Dots in a name are no way up."""
    assert is_below(path, HOOKS)


@pytest.mark.parametrize(
    "path",
    ["/hooks/..", "/hooks/../pay", "/hooks/a/../../pay", "/hooks/..\\pay", "/hooks\\..\\pay",
     "/hooks/..;/pay", "/saml/..", "/saml\\..", "/pay/hooks/", "//hooks/", "/HOOKS/", ""],
)  # fmt: skip
def test_path_that_climbs_out_is_below_none(path):
    """Nor is one that only contains a prefix: what is spelt otherwise has no privilege."""
    assert not is_below(path, HOOKS)
