"""The route of a server: its token, and the cookie that carries it."""

import pytest

from sessile.core.cookie import Cookie, SameSite
from sessile.core.request import PlainRequest
from sessile.core.route import ROUTE_COOKIE, ServerRoute, route_token
from sessile.errors import ConfigError

SECRET = b"one secret of all servers"


def request(cookie):
    return PlainRequest({"cookie": cookie})


def test_token_is_of_a_server_and_a_secret():
    """Another name or another secret gives another one, and none says the name."""
    one = route_token("shop-a", SECRET)

    assert one == route_token("shop-a", SECRET)
    assert len({one, route_token("shop-b", SECRET), route_token("shop-a", b"another")}) == 3
    assert len(one) == 20
    assert "shop" not in one


def test_cookie_has_the_attributes_of_the_sessions():
    """So it goes wherever that goes, and to no script."""
    cookie = Cookie(
        domain="shop.example", same_site=SameSite.STRICT, former=[Cookie("__Secure-sid")]
    )
    ((name, value),) = ServerRoute("a", SECRET, cookie).issue(60)

    assert name == "set-cookie"
    assert value == (
        f"{ROUTE_COOKIE}={route_token('a', SECRET)}; Max-Age=60; Path=/; Domain=shop.example; "
        "Secure; HttpOnly; SameSite=Strict"
    )


@pytest.mark.parametrize(
    ("sent", "has"),
    [
        ("", False),
        ("{name}={own}", True),
        ("sid=x; {name}={own}; theme=dark", True),
        ("{name}={other}", False),
        ("{name}={own}; {name}={other}", True),
        ("x{name}={own}", False),
    ],
)
def test_own_route_counts(sent, has):
    """Whatever somebody else has put beside it: a balancer obeys one of them."""
    own, other = route_token("a", SECRET), route_token("b", SECRET)
    sent = sent.format(name=ROUTE_COOKIE, own=own, other=other)

    assert ServerRoute("a", SECRET, Cookie()).has(request(sent)) is has


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a\n", "-a", "x" * 65, "\u00e9"])
def test_name_that_no_configuration_could_have_is_refused(name):
    with pytest.raises(ConfigError, match="write the name that the balancer has for it"):
        ServerRoute(name, SECRET, Cookie())
