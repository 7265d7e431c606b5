"""The cookie: rules checked at start, a reader that nothing upsets, a writer nothing slips into."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.core.cookie import Cookie, SameSite
from sessile.core.ticket import ENTROPY, NoTicket, Ticket
from sessile.errors import ConfigError
from sessile.testing.clock import SeededEntropy
from sessile.testing.effort import effort

TICKET = Ticket.mint(SeededEntropy()(ENTROPY)).reveal()
COOKIE = Cookie()
NAME = "__Host-sid"


# Reading.

PIECES = st.sampled_from(
    [NAME, "sid", "=", ";", "; ", ",", " ", "\t", '"', "\\", "\r\n", "\0", "é", "\x7f", TICKET]
)
HEADERS = (
    st.text()
    | st.lists(PIECES, max_size=12).map("".join)
    | st.binary().map(lambda raw: raw.decode("latin-1"))
)


@effort(10_000, 100_000)
@given(HEADERS)
@example(f"{NAME}={TICKET}\n")
@example(f"{NAME}=")
@example("=" * 10_000)
@example(";" * 10_000)
@example(f"{NAME}=;" * 1_000)
@example(" " * 10_000 + NAME)
@example(f"{NAME}=\ud800")
def test_no_header_upsets_the_reader(header):
    """Whatever a Cookie header holds, it is a value, nothing, or ambiguous; never an error."""
    found = COOKIE.find(header)

    assert isinstance(found, str | NoTicket)
    if isinstance(found, str):
        assert header.count(f"{NAME}={found}") >= 1
        assert ";" not in found
        Ticket.parse(found)


@pytest.mark.parametrize(
    "header",
    [
        f"{NAME}={TICKET}",
        f"{NAME}={TICKET};",
        f"{NAME}={TICKET} ; a=b",
        f"a=b; {NAME}={TICKET}",
        f"a=b;{NAME}={TICKET}",
        f"a=b;\t {NAME}={TICKET}; c=d",
        f"a={NAME}; {NAME}={TICKET}",
        f"x{NAME}=no; {NAME}={TICKET}",
        f"{NAME.lower()}=no; {NAME}={TICKET}",
        f"{NAME}x=no; {NAME}={TICKET}",
        f"=no; ;; {NAME}={TICKET}; =",
        f'a="b; {NAME}={TICKET}',
    ],
)
def test_cookie_is_found_among_others(header):
    """The one cookie of our exact name is found, whatever stands around it."""
    assert COOKIE.find(header) == TICKET


@pytest.mark.parametrize(
    "header",
    ["", "a=b", NAME, f"{NAME} =x", f"a={NAME}=x", f"{NAME.lower()}=x", f"x{NAME}=x", "sid=x"],
)
def test_absent_cookie_is_nothing(header):
    """A header without a cookie of our exact name holds nothing of ours."""
    assert COOKIE.find(header) is NoTicket.ABSENT


@pytest.mark.parametrize("second", [TICKET, "planted", ""])
def test_cookie_that_stands_twice_is_ambiguous(second):
    """Of two cookies of our name one may be planted, and nobody can tell which."""
    assert COOKIE.find(f"{NAME}={TICKET}; {NAME}={second}") is NoTicket.AMBIGUOUS
    assert COOKIE.find(f"{NAME}={second}; a=b; {NAME}={TICKET}") is NoTicket.AMBIGUOUS


def test_name_is_taken_literally():
    """A name with characters that patterns know means these characters."""
    cookie = Cookie(name="a.b*c|d+e^$")

    assert cookie.find(f"a.b*c|d+e^$={TICKET}") == TICKET
    assert cookie.find(f"axbbc={TICKET}; d={TICKET}; a.b*c={TICKET}") is NoTicket.ABSENT


def test_long_header_is_read_in_one_pass():
    """A header of a megabyte made to be slow is read like any other."""
    for unit in (f"; {NAME}", f"{NAME}=;", ";" + " \t" * 50, f";{NAME[:-1]}="):
        COOKIE.find(unit * (1_000_000 // len(unit)))


# Writing.


def test_default_cookie_is_what_the_page_says():
    """Without any setting: this host alone, https alone, no script, no foreign form."""
    expected = f"__Host-sid={TICKET}; Path=/; Secure; HttpOnly; SameSite=Lax"

    assert Cookie().issue(TICKET) == expected


@pytest.mark.parametrize(
    ("settings", "name", "attributes"),
    [
        ({"secure": False}, "sid", "Path=/; HttpOnly; SameSite=Lax"),
        ({"path": "/app"}, "__Secure-sid", "Path=/app; Secure; HttpOnly; SameSite=Lax"),
        (
            {"domain": "example.com"},
            "__Secure-sid",
            "Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
        ),
        ({"name": "x"}, "x", "Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"same_site": SameSite.STRICT}, NAME, "Path=/; Secure; HttpOnly; SameSite=Strict"),
        (
            {"same_site": SameSite.NONE, "partitioned": True},
            NAME,
            "Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
        ),
    ],
)
def test_settings_are_spelt_out(settings, name, attributes):
    """Each setting has its attribute, and the name follows the rules its prefix promises."""
    cookie = Cookie(**settings)

    assert cookie.full_name == name
    assert cookie.issue("v") == f"{name}=v; {attributes}"
    assert cookie.issue("v", 60) == f"{name}=v; Max-Age=60; {attributes}"
    assert cookie.expire() == f"{name}=; Max-Age=0; {attributes}"


def test_what_is_issued_is_found_again():
    """A browser that returns the issued pair is understood."""
    pair = COOKIE.issue(TICKET, 60).partition(";")[0]

    assert COOKIE.find(f"a=b; {pair}; c=d") == TICKET


# Rules.

INJECTIONS = [
    "\r\nSet-Cookie: evil=1", "\nX: y", "\r", "\0", "; HttpOnly=no", ";", ", b=c", " ", "\t", "é",
    "\x7f", "\x85", "\u2028", "\ud800", '"', "=",
]  # fmt: skip


@pytest.mark.parametrize("evil", INJECTIONS)
def test_nothing_is_injected_through_the_name(evil):
    """A name takes token characters alone, at its start, middle and end."""
    for name in (f"a{evil}b", f"a{evil}", f"{evil}a", evil):
        with pytest.raises(ConfigError, match="cookie name"):
            Cookie(name=name)


@pytest.mark.parametrize("evil", [e for e in INJECTIONS if e not in (", b=c", '"', "=")])
def test_nothing_is_injected_through_the_path(evil):
    """A path takes visible ASCII without semicolons, at its start, middle and end."""
    for path in (f"/a{evil}b", f"/a{evil}", f"/{evil}"):
        with pytest.raises(ConfigError, match="cookie path"):
            Cookie(path=path)


@pytest.mark.parametrize("evil", INJECTIONS)
def test_nothing_is_injected_through_the_domain(evil):
    """A domain is a host name, at its start, middle and end."""
    for domain in (f"a{evil}b.example.com", f"example.com{evil}", f"{evil}example.com"):
        with pytest.raises(ConfigError, match="cookie domain"):
            Cookie(domain=domain)


@effort(300, 10_000)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_accepted_settings_hold_one_line(name, path, domain):
    """Whatever is accepted spells a Set-Cookie of exactly the attributes it should have."""
    for settings in ({"name": name}, {"path": "/" + path}, {"domain": domain + ".com"}):
        try:
            line = Cookie(**settings).issue("v")
        except ConfigError:
            continue
        assert set(line) <= set(string.printable) - set("\r\n\t\v\f")
        assert line.count(";") == 4 + ("domain" in settings)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"name": ""}, "write up to 64 letters"),
        ({"name": "a" * 65}, "write up to 64 letters"),
        ({"path": ""}, "starts with '/'"),
        ({"path": "app"}, "starts with '/'"),
        ({"path": "/" + "a" * 1024}, "starts with '/'"),
        ({"domain": ""}, "write a host name"),
        ({"domain": "localhost"}, "write a host name"),
        ({"domain": ".example.com"}, "write a host name"),
        ({"domain": "example.com."}, "write a host name"),
        ({"domain": "-a.example.com"}, "write a host name"),
        ({"domain": "*.example.com"}, "write a host name"),
        ({"domain": "a" * 64 + ".com"}, "write a host name"),
        ({"domain": "a." * 127 + "com"}, "write a host name"),
        ({"name": "__Host-sid", "domain": "example.com"}, "__Secure-sid"),
        ({"name": "__Host-sid", "path": "/app"}, "demands path='/'"),
        ({"name": "__Host-sid", "secure": False}, "name it 'sid' for plain http"),
        ({"name": "__Secure-sid", "secure": False}, "name it 'sid' for plain http"),
        ({"name": "__host-sid"}, "spell the prefix '__Host-'"),
        ({"name": "__SECURE-sid"}, "spell the prefix '__Host-', '__Secure-'"),
        ({"same_site": SameSite.NONE, "secure": False}, "demands secure=True"),
        ({"same_site": "Lax"}, "write SameSite.LAX"),
        ({"same_site": None}, "write SameSite.LAX"),
        ({"partitioned": True, "secure": False}, "demands secure=True"),
    ],
)
def test_what_browsers_would_drop_is_refused(settings, advice):
    """A combination that cannot work is an error at start that says what to write instead."""
    with pytest.raises(ConfigError, match=advice.replace("(", r"\(")):
        Cookie(**settings)


@pytest.mark.parametrize("wrong", [{"secure": False}, {"domain": "example.com"}, {"path": "/app"}])
def test_newer_prefix_keeps_the_rules_of_the_older(wrong):
    """``__Host-Http-``, which a script cannot set, may be chosen, and holds to ``__Host-``."""
    name = "__Host-Http-sid"
    line = Cookie(name=name).issue(TICKET)

    assert line == f"{name}={TICKET}; Path=/; Secure; HttpOnly; SameSite=Lax"
    with pytest.raises(ConfigError, match=name):
        Cookie(name=name, **wrong)


def test_cookie_is_frozen_and_its_settings_are_shown():
    """What was checked stays as it was checked, and ``repr`` has the settings alone."""
    with pytest.raises(AttributeError):
        COOKIE.path = "/x"

    shown = "name=None, secure=True, same_site=<SameSite.LAX: 'Lax'>, path='/app', domain=None"
    assert repr(Cookie(path="/app")) == f"Cookie({shown}, partitioned=False, former=())"
    assert Cookie(path="/app") == Cookie(path="/app") != Cookie()


def test_longest_settings_are_taken():
    """A name of 64 characters and a path of 1024 are allowed."""
    assert Cookie(name="a" * 64, path="/" + "a" * 1023).issue("v").startswith("a" * 64 + "=v; ")


@pytest.mark.parametrize("wrong", [{"name": "__Http-sid", "secure": False}, {"name": "__http-sid"}])
def test_http_prefix_demands_secure(wrong):
    """``__Http-``, which a script cannot set, is spelt so and needs a secure cookie."""
    with pytest.raises(ConfigError, match=r"__[Hh]ttp-"):
        Cookie(**wrong)
    assert Cookie(name="__Http-sid").issue("x").startswith("__Http-sid=x; Path=/; Secure; HttpOnly")


@pytest.mark.parametrize("flag", ["secure", "partitioned"])
def test_flag_that_is_neither_true_nor_false_is_refused(flag):
    """A text from a setting, as ``"no"``, would count as true."""
    with pytest.raises(ConfigError, match=f"write {flag}=True or {flag}=False"):
        Cookie(**{flag: "no"})


def test_former_cookies_are_of_the_same_name_and_another_place():
    """What is named there is what a browser would keep beside this one."""
    now = Cookie(name="sid", domain="example.com")
    former = [Cookie(name="sid"), Cookie(name="sid", path="/app"), Cookie("sid", partitioned=True)]
    assert Cookie(name="sid", domain="example.com", former=former).former == tuple(former)
    same = Cookie(name="sid", domain="Example.COM")  # to a browser
    for wrong in (now, [now], [same], ["sid"], "sid", [Cookie(name="other")], 4):
        with pytest.raises(ConfigError, match="former"):
            Cookie(name="sid", domain="example.com", former=wrong)


@pytest.mark.parametrize(
    ("own", "path", "reaches"),
    [
        ("/", "/", True), ("/", "/shop", True), ("/admin", "/admin", True),
        ("/admin", "/admin/users", True), ("/admin/", "/admin/users", True),
        ("/admin", "/administrator", False), ("/admin", "/", False), ("/admin/", "/admin", False),
    ],
)  # fmt: skip
def test_path_is_matched_as_browsers_do(own, path, reaches):
    """RFC 6265, 5.1.4: whole segments."""
    assert Cookie(name="sid", path=own).reaches(path) is reaches


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"{NAME}={TICKET},theme=dark", TICKET),
        (f"{NAME}={TICKET}, theme=dark; a=b", TICKET),
        (f"a=b; {NAME}={TICKET},{NAME}=planted", TICKET),
        (f"prefs=x,{NAME}=planted; {NAME}={TICKET}", TICKET),
        (f"theme=dark,{NAME}={TICKET}", NoTicket.AMBIGUOUS),
        (f"theme=dark, {NAME}={TICKET}; a=b", NoTicket.AMBIGUOUS),
        (f"theme=dark,x{NAME}={TICKET}", NoTicket.ABSENT),
        ("theme=dark,light", NoTicket.ABSENT),
    ],
)
def test_comma_never_makes_a_cookie(header, found):
    """A server joined two fields, or a sibling host set ``prefs=x,__Host-sid=planted``: who knows.

    What stands before a comma is the cookie's own; what stands behind one opens nothing, and is
    told.
    """
    assert Cookie().find(header) == found
