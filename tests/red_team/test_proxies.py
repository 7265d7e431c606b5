"""Proxies: headers that say where a client is, by which scheme it came, and what it runs."""

import ipaddress

from harness.handlers import logs_in, who
from harness.sites import serve
from mutations.defences import every_client_is_at_home
from red_team.attack import events_of, weakened_by
from sessile import Binding, Cookie, ForwardedHeader, OnMismatch, Policy, Proxies
from sessile.core import address, binding
from sessile.core import proxies as proxies_module
from sessile.service import clients, commit
from sessile.service.events import LoggedIn

VICTIM, THIEF = "203.0.113.7", "198.51.100.66"
HERE, ELSEWHERE = "127.0.0.1", "127.9.0.1"
WARY = Policy(binding=Binding(on_mismatch=OnMismatch.STEP_UP))
TRUSTED = (HERE, "10.0.0.0/8")
LISTED = Proxies(trusted=TRUSTED)


def claims(place):
    """Return one request's worth of every header in which somebody claims to be elsewhere."""
    names = (
        "X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP",
        "X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-Addr", "Client-IP", "Via",
        "X-ProxyUser-Ip", "REMOTE_ADDR", "Remote-Addr",
    )  # fmt: skip
    return [*((name, place) for name in names), ("Forwarded", f"for={place}")]


def hops(*addresses):
    """Return the header that our proxy sends on, its own addition last."""
    return [("X-Forwarded-For", ", ".join(addresses))]


def at_home(site, headers):
    """Log in with these headers; return the cookie."""
    return site.ask(logs_in, headers=headers).cookie


def placed(site, headers, source=""):
    """Return the address from which a login with these headers is noted to come."""
    site.ask(logs_in, headers=headers, source=source)
    return events_of(site, LoggedIn)[-1].client.address


def claims_are_believed(patch):
    """The first address in X-Forwarded-For is the client's, whoever wrote it."""
    found = clients._address

    def claimed(context, request):
        said = request.header("x-forwarded-for").partition(",")[0]
        return said or found(context, request)

    patch.setattr(clients, "_address", claimed)


def other_headers_are_believed(patch):
    """X-Real-IP is believed from whoever may say X-Forwarded-For."""
    found = clients._address

    def claimed(context, request):
        return request.header("x-real-ip") or found(context, request)

    patch.setattr(clients, "_address", claimed)


def every_peer_is_a_proxy(patch):
    """The header is believed from whoever sends it."""
    patch.setattr(Proxies, "_believes", lambda proxies, peer, here: True)


def every_hop_is_a_proxy(patch):
    """The walk goes on past hops that nobody trusts."""
    client = Proxies.client

    def far(proxies, peer, header):
        here = client(proxies, peer, header)
        if not header or not proxies._trusts(peer):
            return here
        return [hop for hop in proxies._hops(header) if hop is not None][-1]

    patch.setattr(Proxies, "client", far)


@weakened_by(claims_are_believed, every_client_is_at_home, other_headers_are_believed, policy=WARY)
def test_a40_without_proxies_no_header_is_believed(site):
    """Where no proxy is named a stolen ticket is not at home, whatever its headers claim."""
    cookie = site.ask(logs_in).cookie
    for headers in (claims(HERE), hops(HERE, HERE), [("X-Real-IP", HERE)]):
        assert site.ask(who, cookie, headers=headers, source=ELSEWHERE).json is None
        assert placed(site, headers, ELSEWHERE) == ELSEWHERE
    assert site.ask(who, cookie, headers=claims(THIEF)).json == "alice"


@weakened_by(claims_are_believed, every_peer_is_a_proxy, policy=WARY, proxies=LISTED)
def test_a40_header_of_an_untrusted_peer_is_not_believed(site):
    """Who reaches the application past the proxy cannot say to be the victim, or a proxy."""
    cookie = at_home(site, hops(VICTIM))
    for headers in (hops(VICTIM), hops(VICTIM, HERE), hops(VICTIM, "10.0.0.1"), claims(VICTIM)):
        assert site.ask(who, cookie, headers=headers, source=ELSEWHERE).json is None
        assert placed(site, headers, ELSEWHERE) == ELSEWHERE
    assert site.ask(who, cookie, headers=hops(VICTIM)).json == "alice"


@weakened_by(
    claims_are_believed,
    other_headers_are_believed,
    every_hop_is_a_proxy,
    policy=WARY,
    proxies=LISTED,
)
def test_a40_hop_that_the_client_made_up_is_not_believed(site):
    """What stands left of the proxy's own addition is the thief's writing, and names nobody."""
    cookie = at_home(site, hops(VICTIM))
    for headers in (
        hops(VICTIM, THIEF),
        hops(VICTIM, "10.0.0.1", THIEF),
        hops(VICTIM, THIEF, "10.0.0.1"),
        hops(*[VICTIM] * 40, THIEF),
        hops(*["10.0.0.1"] * 40, THIEF),
        [*hops(VICTIM), *hops(THIEF)],
        [*hops(THIEF), ("Forwarded", f"for={VICTIM}"), ("X-Real-IP", VICTIM)],
        hops(f'"{VICTIM}', THIEF),
        hops("x" * 3000, VICTIM, THIEF),
        [("X_Forwarded_For", VICTIM), *hops(THIEF)],
        [*hops(THIEF), ("X_FORWARDED_FOR", VICTIM), ("X-Forwarded-Fors", VICTIM)],
    ):
        assert site.ask(who, cookie, headers=headers).json is None, headers
        assert placed(site, headers) == THIEF
    assert site.ask(who, cookie, headers=hops(THIEF, VICTIM)).json == "alice"


def paired(interface, url, **options):
    """Serve behind a proxy that says Forwarded; made here, so that a weakened reader is taken."""
    proxies = Proxies(trusted=TRUSTED, header=ForwardedHeader.FORWARDED)
    return serve(interface, url, proxies=proxies, **options)


def quotes_go_on(patch):
    """Elements are read from the left, so that an open quote swallows what a proxy added."""

    def from_the_left(header):
        found, rest = [], header
        while rest:
            value = rest.strip().removeprefix("for=")
            if value.startswith('"'):
                value, _, rest = value[1:].partition('"')
                rest = rest.lstrip(", ")
            else:
                value, _, rest = value.partition(",")
            found.append(proxies_module.canonical(value.partition(",")[0].partition(";")[0]))
        return iter(reversed(found))

    patch.setattr(proxies_module, "hops_of_forwarded", from_the_left)


@weakened_by(quotes_go_on, every_hop_is_a_proxy, policy=WARY, serve=paired)
def test_a40_forwarded_is_read_from_the_right(site):
    """The same of RFC 7239: no quote, parameter or repetition of the thief's hides our hop."""
    cookie = at_home(site, [("Forwarded", f"for={VICTIM}")])
    for text in (
        f"for={VICTIM}, for={THIEF}",
        f'for="{VICTIM}, for={THIEF}',
        f'for={VICTIM};by="x, for={THIEF}',
        f"for={VICTIM}, for=10.0.0.1, for={THIEF}",
        f"for={VICTIM};for={THIEF}, for={THIEF}",
        f'for="{VICTIM}\\", for={THIEF}',
    ):
        headers = [("Forwarded", text), *hops(VICTIM)]
        assert site.ask(who, cookie, headers=headers).json is None, text
        assert placed(site, headers) == THIEF
    assert site.ask(who, cookie, headers=[("Forwarded", f"for={VICTIM}")]).json == "alice"


def mapped_addresses_are_others(patch):
    """An IPv4 address in IPv6 clothes is an address of its own."""
    patch.setattr(
        proxies_module, "canonical", lambda text: str(ipaddress.ip_address(address._host(text)))
    )


def networks_are_wide(patch):
    """Whoever is in the same /32 of IPv6, or /16 of IPv4, is at home."""

    def wide(one):
        bits = 32 if ":" in one else 16
        return str(ipaddress.ip_network(f"{one}/{bits}", strict=False))

    patch.setattr(binding, "subnet", wide)


def addresses_are_texts(patch):
    """Addresses are compared as they were written."""
    patch.setattr(proxies_module, "canonical", lambda text: text)
    patch.setattr(binding, "subnet", lambda one: one)
    patch.setattr(Proxies, "_believes", lambda proxies, peer, here: True)

    def listed(proxies, peer, header):
        return header.rpartition(",")[2].strip() or peer

    patch.setattr(Proxies, "client", listed)


@weakened_by(
    mapped_addresses_are_others, networks_are_wide, addresses_are_texts, policy=WARY, proxies=LISTED
)
def test_a40_client_has_one_address_however_it_is_spelt(site):
    """Spelt anew the victim is at home; a neighbour's network, in IPv6 clothes or not, is not."""
    spelt = (
        VICTIM,
        f"::ffff:{VICTIM}",
        "::FFFF:cb00:7107",
        f"[::ffff:{VICTIM}]:443",
        f"{VICTIM}:1",
    )
    away = (THIEF, f"::ffff:{THIEF}", "203.0.112.7", f"::{VICTIM}", f"64:ff9b::{VICTIM}")
    cookie = at_home(site, hops(VICTIM))
    assert [site.ask(who, cookie, headers=hops(one)).json for one in spelt] == ["alice"] * 5
    assert [site.ask(who, cookie, headers=hops(one)).json for one in away] == [None] * 5


@weakened_by(networks_are_wide, addresses_are_texts, policy=WARY, proxies=LISTED)
def test_a40_client_keeps_its_network_of_ipv6_and_no_more(site):
    """Within its /64 a client may have any address, as it changes them; the next /64 is away."""
    spelt = (
        "2001:DB8:1:2:0:0:0:1",
        "2001:db8:1:2::1%eth0",
        "[2001:db8:1:2::1]:9",
        "2001:db8:1:2::f",
    )
    away = ("2001:db8:1:3::1", "2001:db8:1:1:ffff:ffff:ffff:ffff", "2001:db9:1:2::1", "::1", VICTIM)
    cookie = at_home(site, hops("2001:db8:1:2::1"))
    assert [site.ask(who, cookie, headers=hops(one)).json for one in spelt] == ["alice"] * 4
    assert [site.ask(who, cookie, headers=hops(one)).json for one in away] == [None] * 5


def hosted(interface, url):
    """Serve the default cookie behind a proxy."""
    return serve(interface, url, cookie=Cookie(), proxies=LISTED)


def secure_follows_the_request(patch):
    """Whether the cookie is Secure is read from what the request says of its scheme."""
    headers = commit._headers

    def plain(transaction, outcome, now):
        whole = headers(transaction, outcome, now)
        if whole and transaction.request.header("x-forwarded-proto") == "http":
            ((name, value),) = whole
            return ((name, value.replace("__Host-", "").replace("; Secure", "")),)
        return whole

    patch.setattr(commit, "_headers", plain)


def domains_follow_the_host(patch):
    """The cookie is given to the domain that the request names."""
    headers = commit._headers

    def given(transaction, outcome, now):
        ((name, value),) = headers(transaction, outcome, now)
        host = transaction.request.header("x-forwarded-host")
        return ((name, value + (f"; Domain={host}" if host else "")),)

    patch.setattr(commit, "_headers", given)


@weakened_by(secure_follows_the_request, domains_follow_the_host, serve=hosted)
def test_a41_no_header_weakens_the_cookie(site):
    """Whatever scheme and host a request claims, also by way of a trusted proxy, it is the same."""
    plain = [
        ("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "http,https"),
        ("X-Forwarded-Scheme", "http"), ("X-Forwarded-Protocol", "http"), ("X-Url-Scheme", "http"),
        ("X-Forwarded-Ssl", "off"), ("Front-End-Https", "off"), ("X-Forwarded-Port", "80"),
        ("Forwarded", f"for={VICTIM};proto=http;host=thief.example"),
        ("X-Forwarded-Host", "thief.example"), ("Host", "thief.example"),
        ("X-Forwarded-Prefix", "/app"),
    ]  # fmt: skip
    usual = site.ask(logs_in).set_cookie.partition(";")[2]
    assert {"Secure", "HttpOnly", "Path=/"} <= set(usual.strip().split("; "))
    for header in plain:
        issued = site.ask(logs_in, headers=[header, *hops(VICTIM)]).set_cookie

        assert issued.startswith("__Host-sid="), header
        assert issued.partition(";")[2] == usual, header
