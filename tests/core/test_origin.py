"""The cross-site check: the cases of Go's ``http.CrossOriginProtection``, and the malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.origin import OriginCheck, Origins
from sessile.core.proxies import ForwardedHeader, Proxies
from sessile.core.request import PlainRequest
from sessile.errors import ConfigError
from sessile.testing.effort import effort

SHOP = "https://shop.example"
THIEF = "https://thief.example"
TRUSTING = Origins(
    trusted=["https://pay.example", "http://localhost:8000", "capacitor://localhost"]
)
OLD = Origins()


def sent_by(method="POST", *, site="", origin="", host="shop.example"):
    headers = {"host": host, "origin": origin, "sec-fetch-site": site}
    return PlainRequest({name: value for name, value in headers.items() if value}, method)


def passes(request, origins=OLD):
    return origins.refuses(request) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "same-origin, cross-site"])
def test_safe_methods_pass(method, site):
    """A link from another site is no attack: a safe method changes nothing."""
    assert passes(sent_by(method, site=site, origin=THIEF))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "", "BREW"])
def test_every_other_method_is_looked_at(method):
    """A method is safe if it is known to be, and methods know case."""
    assert not passes(sent_by(method, site="cross-site", origin=THIEF))


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_own_pages_and_typed_addresses_pass(site):
    """What a browser says of itself is believed: no page can write that header."""
    assert passes(sent_by(site=site, origin=SHOP))
    assert passes(sent_by(site=site, origin=SHOP, host="backend:8000"))  # a proxy rewrote Host
    assert passes(sent_by(site=site))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "SAME-ORIGIN", "none ", "future"])
def test_other_sites_are_refused(site):
    """A sibling host is another origin too, and what is no known word is no permission."""
    assert not passes(sent_by(site=site, origin=THIEF))
    assert not passes(sent_by(site=site))


def test_sec_fetch_site_comes_before_an_origin_that_names_the_host():
    """Http and https of one host differ in Sec-Fetch-Site alone."""
    assert not passes(sent_by(site="cross-site", origin="http://shop.example"))


def test_no_browser_passes():
    """A program says neither header, and has no visitor to act for."""
    assert passes(sent_by())
    assert passes(PlainRequest(method="POST"))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://shop.example", "shop.example"),
        ("http://shop.example", "shop.example"),
        ("https://shop.example", "shop.example:443"),
        ("https://shop.example:443", "shop.example"),
        ("http://shop.example", "shop.example:80"),
        ("https://shop.example:8443", "shop.example:8443"),
        ("https://shop.example", "SHOP.Example"),
        ("https://SHOP.example", "shop.example"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_older_browsers_pass_when_origin_names_the_host(origin, host):
    """Without Sec-Fetch-Site the Origin decides; case and the port that a scheme implies do not."""
    assert passes(sent_by(origin=origin, host=host))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (THIEF, "shop.example"),
        ("https://shop.example.thief.example", "shop.example"),
        ("https://shop.example", "shop.example.thief.example"),
        ("https://sub.shop.example", "shop.example"),
        ("https://shop.example:8443", "shop.example"),
        ("https://shop.example", "shop.example:8443"),
        ("https://shop.example:80", "shop.example"),
        ("http://shop.example", "shop.example:443"),
        ("null", "shop.example"),
        ("null", "null"),
        ("shop.example", "shop.example"),
        ("https://", ""),
        ("https://shop.example", ""),
        ("https://shop.example/", "shop.example"),
        ("https://shop.example/a", "shop.example"),
        ("https://me@shop.example", "shop.example"),
        ("https://shop.example", "me@shop.example"),
        ("https://shop.example.", "shop.example"),
        ("https://shop.example\n", "shop.example"),
        ("https://shop.example", "shop.example\n"),
        ("https://shop.example https://thief.example", "shop.example"),
        ("chrome-extension://shop.example", "shop.example"),
        ("https://shop.example, https://shop.example", "shop.example"),
        ("https://shop.example", "shop.example, shop.example"),
        ("https://\u017fhop.example", "shop.example"),  # a long s: upper case is S
    ],
)
def test_any_other_origin_is_refused(origin, host):
    """What does not name the host, as it stands, is another site; so is what is malformed."""
    assert not passes(sent_by(origin=origin, host=host))


@pytest.mark.parametrize(
    "origin",
    [
        "https://pay.example",
        "https://PAY.example",
        "https://pay.example:443",
        "http://localhost:8000",
        "capacitor://localhost",
    ],
)
@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_trusted_origins_pass(origin, site):
    """An origin that the application trusts may, in old browsers and new ones."""
    assert passes(sent_by(site=site, origin=origin), TRUSTING)


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("http://pay.example", "cross-site"),
        ("https://pay.example:444", "cross-site"),
        ("https://sub.pay.example", "cross-site"),
        ("", "cross-site"),
        ("null", "cross-site"),
        ("https://pay.example, https://pay.example", "cross-site"),
        ("https://pay.example", "cross-site, cross-site"),
        ("https://pay.example, https://pay.example", ""),
    ],
)
def test_trust_goes_to_that_very_origin(origin, site):
    """Another scheme, port or host is another origin; a header that stands twice is nobody's."""
    assert not passes(sent_by(site=site, origin=origin), TRUSTING)


def test_proxy_that_rewrites_host_is_answered_by_trust():
    """An old browser behind such a proxy is refused until its site is named; the text says so."""
    request = sent_by(origin=SHOP, host="backend:8000")
    why = OLD.refuses(request)

    assert why is not None
    assert "'https://shop.example'" in why
    assert "backend" not in why  # the sender may be anybody
    assert "Origins(trusted=...)" in why
    assert passes(request, Origins(trusted=[SHOP]))


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
def test_handshakes_are_looked_at_whatever_their_method(method):
    """No preflight guards a WebSocket, and its method says nothing."""
    thief = sent_by(method, origin=THIEF)

    assert OLD.refuses_handshake(thief) is not None
    assert OLD.refuses_handshake(sent_by(method, origin=SHOP)) is None
    assert OLD.refuses_handshake(sent_by(method)) is None


def test_off_refuses_nothing():
    """Whoever switches it off takes the risk whole."""
    off = Origins(check=OriginCheck.OFF)

    assert passes(sent_by(site="cross-site", origin=THIEF), off)
    assert off.refuses_handshake(sent_by(site="cross-site", origin=THIEF)) is None


@pytest.mark.parametrize(
    "trusted",
    [
        "https://shop.example",
        ["shop.example"],
        ["*"],
        ["https://*.shop.example"],
        ["https://shop.example/"],
        ["https://shop.example/path"],
        ["null"],
        [""],
        [None],
        ["https://b\u00fccher.example"],
        ["https://shop.example:port"],
    ],
)
def test_what_is_no_origin_is_a_config_error(trusted):
    """A wildcard, a path or a bare host is refused at start; the message shows how to write it."""
    with pytest.raises(ConfigError, match=r"https://shop\.example"):
        Origins(trusted=trusted)


def test_check_is_an_enum():
    """A bool would be a guess."""
    with pytest.raises(ConfigError, match=r"OriginCheck\.OFF"):
        Origins(check=False)


@effort(2_000, 50_000)
@given(st.text(), st.text(), st.text())
def test_no_header_upsets_the_check(site, origin, host):
    """Whatever the headers hold, the answer is yes or a reason; a long one is cut."""
    why = TRUSTING.refuses(sent_by(site=site, origin=origin, host=host))

    assert why is None or len(why) < 4_000


@pytest.mark.parametrize("path", ["/saml/acs", "/saml/acs/", "/hook/9"])
def test_exempt_paths_take_what_any_site_posts(path):
    """Under ``Referrer-Policy: no-referrer`` a provider's form says ``Origin: null``."""
    origins = Origins(exempt=["/saml/acs", "/hook/"])
    for site in ("cross-site", ""):
        headers = {"origin": "null", "host": "shop.example"} | {"sec-fetch-site": site}
        assert origins.refuses(PlainRequest(headers, "POST", path=path)) is None
        why = origins.refuses(PlainRequest(headers, "POST", path="/pay"))
        assert "exempt" in (why or "")


@pytest.mark.parametrize("exempt", ["/saml", ["saml"], ["/"], [""], [4], 4])
def test_what_is_no_path_to_exempt_is_refused(exempt):
    """And so is every path at once, which has a setting of its own."""
    with pytest.raises(ConfigError, match="exempt"):
        Origins(exempt=exempt)


LIST = Proxies(trusted=["10.0.0.7"])
RFC = Proxies(trusted=["10.0.0.7"], header=ForwardedHeader.FORWARDED)


@pytest.mark.parametrize(
    ("proxies", "header", "passes"),
    [
        (LIST, {"x-forwarded-host": "shop.example"}, True),
        (LIST, {"x-forwarded-host": "thief.example, shop.example"}, True),  # the nearest proxy's
        (LIST, {"x-forwarded-host": "shop.example, thief.example"}, False),
        (LIST, {"forwarded": "for=192.0.2.1;host=shop.example"}, False),  # not the header they set
        (LIST, {}, False),
        (RFC, {"forwarded": "for=192.0.2.1;host=shop.example;proto=https"}, True),
        (RFC, {"forwarded": 'host="shop.example";for=_x, for=192.0.2.1'}, False),
        (RFC, {"x-forwarded-host": "shop.example"}, False),
        (Proxies(trusted=["10.0.0.8"]), {"x-forwarded-host": "shop.example"}, False),
        (Proxies(), {"x-forwarded-host": "shop.example"}, False),
    ],
)
def test_host_that_a_trusted_proxy_forwards_is_the_sites(proxies, header, passes):
    """A handshake without Sec-Fetch-Site passes behind a proxy that rewrites Host and says so."""
    headers = {"host": "backend:8000", "origin": SHOP, **header}
    request = PlainRequest(headers, peer="10.0.0.7")

    assert (OLD.refuses_handshake(request, proxies) is None) is passes
