"""The route cookie is read, hidden and written without touching any other cookie."""

import pytest

from sessile.balance.cookie import RouteCookie
from sessile.errors import ConfigError

COOKIE = RouteCookie()


@pytest.mark.parametrize(
    ("values", "tokens"),
    [
        ([], ()),
        ([b"sid=1; theme=dark"], ()),
        ([b"sid=1; sessile-route=T; theme=dark"], ("T",)),
        ([b"sessile-route=T", b"sessile-route = U"], ("T", "U")),
        ([b"sessile-route"], ("",)),
        ([b";;=;sessile-route=\xff"], ("\xff",)),
        ([b"xsessile-route=T; sessile-routex=T"], ()),
    ],
)
def test_read(values, tokens):
    """Every pair of the name is found, and nothing is an error."""
    assert COOKIE.read(values) == tokens


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (b"sid=1;theme=dark; x", b"sid=1;theme=dark; x"),
        (b"sid=1; sessile-route=T; theme=dark", b"sid=1; theme=dark"),
        (b"sessile-route=T; sid=1", b"sid=1"),
        (b"sid=1; sessile-route=T", b"sid=1"),
        (b"sessile-route=T", b""),
    ],
)
def test_hide(sent, passed):
    """The route is taken out and the session's cookie keeps every byte."""
    assert COOKIE.hide(sent) == passed


def test_write():
    """The cookie cannot be read by scripts nor sent along from other sites."""
    assert COOKIE.write("T") == b"sessile-route=T; HttpOnly; Path=/; SameSite=Lax"


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", "ä", "__Host-route", "__secure-route"])
def test_a_name_that_browsers_would_drop_is_refused(name):
    """The name is checked when it is given."""
    with pytest.raises(ConfigError):
        RouteCookie(name)
