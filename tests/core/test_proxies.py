"""Trusted proxies: who is believed about the client, and how far."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.core.address import canonical
from sessile.core.proxies import WINDOW, ForwardedHeader, Proxies, hops_of_forwarded
from sessile.errors import ConfigError
from sessile.testing.effort import effort

PEER = "10.0.0.1"
THIEF, ALICE = "203.0.113.66", "198.51.100.7"
LISTED = Proxies(["10.0.0.0/8", "2001:db8:aaaa::/48", "unix"])
PAIRED = Proxies(["10.0.0.0/8", "2001:db8:aaaa::/48", "unix"], ForwardedHeader.FORWARDED)


# Who is believed.


@pytest.mark.parametrize("header", ["", ALICE, f"for={ALICE}", "\0" * 9])
def test_without_proxies_the_peer_is_the_client(header):
    """Nobody is believed who was not named."""
    assert Proxies().client("::ffff:192.0.2.9", header) == "192.0.2.9"
    assert Proxies().client("", header) == ""


@pytest.mark.parametrize("peer", [THIEF, "11.0.0.1", "2001:db8:bbbb::1", "9.255.255.255"])
def test_stranger_is_not_believed(peer):
    """A client that writes the header itself is taken for what it is."""
    assert LISTED.client(peer, ALICE) == peer
    assert PAIRED.client(peer, f"for={ALICE}") == peer


@pytest.mark.parametrize("peer", [PEER, "10.0.0.1:4711", "::ffff:10.0.0.1", "2001:db8:aaaa::9", ""])
def test_trusted_peer_is_believed(peer):
    """A trusted proxy is known by its network in each spelling, or by its unix socket."""
    assert LISTED.client(peer, ALICE) == ALICE
    assert PAIRED.client(peer, f"for={ALICE}") == ALICE


def test_unix_socket_is_believed_only_when_named():
    """A peer without an address is not trusted by default."""
    assert Proxies(["10.0.0.0/8"]).client("", ALICE) == ""


@pytest.mark.parametrize("peer", ["testclient", "unix", "unknown", "10.0.0", " "])
def test_unreadable_peer_is_no_unix_socket(peer):
    """A peer that names itself oddly is unknown, and not believed."""
    assert LISTED.client(peer, ALICE) == ""


def test_folded_network_is_that_of_its_addresses():
    """A proxy named in IPv6 clothes is found under its IPv4 address."""
    assert Proxies(["::ffff:10.0.0.0/104"]).client(PEER, ALICE) == ALICE


def test_single_addresses_are_trusted_alone():
    """An address names one proxy, not its neighbours."""
    proxies = Proxies(["10.0.0.1", "2001:db8::1"])

    assert proxies.client("10.0.0.1", ALICE) == ALICE
    assert proxies.client("2001:db8::1", ALICE) == ALICE
    assert proxies.client("10.0.0.2", ALICE) == "10.0.0.2"


def test_every_named_network_is_trusted():
    """Networks of one size stand beside each other, and none is mistaken for one of IPv6."""
    proxies = Proxies(["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"])

    for peer in ("10.0.0.1", "11.0.0.1", "12.0.0.1"):
        assert proxies.client(peer, ALICE) == ALICE
    assert proxies.client("::a00:1", ALICE) == "::a00:1"


# How far: X-Forwarded-For.


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("", PEER),
        (ALICE, ALICE),
        (f"{THIEF}, {ALICE}", ALICE),
        (f"{ALICE},10.9.9.9 ,\t10.8.8.8", ALICE),
        (f"10.9.9.9, {ALICE}, 10.8.8.8", ALICE),
        ("10.9.9.9, 10.8.8.8", "10.9.9.9"),
        (f"{ALICE}, unknown", PEER),
        (f"{ALICE}, unknown, 10.8.8.8", "10.8.8.8"),
        (f"{ALICE}, _hidden, 10.8.8.8", "10.8.8.8"),
        (f"{ALICE}, 10.8.8.8 10.7.7.7", PEER),
        (f"{ALICE}:5000, [2001:db8:aaaa::1]:80", ALICE),
        (f"{ALICE}, , ,10.8.8.8,", ALICE),
        ("\0, 10.8.8.8", "10.8.8.8"),
        (f"for={ALICE}", PEER),
        (f'"{ALICE}"', PEER),
    ],
)
def test_walk_ends_at_the_first_untrusted_hop(header, client):
    """What stands left of the first stranger may be his own writing; so may what is unreadable."""
    assert LISTED.client(PEER, header) == client


# How far: Forwarded.


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("", PEER),
        (f"for={ALICE}", ALICE),
        (f"For={ALICE};proto=https;by=10.0.0.1", ALICE),
        (f"proto=https ; FOR={ALICE};", ALICE),
        (f"for={THIEF}, for={ALICE}", ALICE),
        (f"for={ALICE}, for=10.9.9.9,for=10.8.8.8", ALICE),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="[2001:db8::1]"', "2001:db8::1"),
        (f'for="{ALICE}:5000"', ALICE),
        (f"for={ALICE}:5000", ALICE),
        ("for=[2001:db8::1]:4711", "2001:db8::1"),
        (r'for="198.51\.100.7"', ALICE),
        (f'for={ALICE};host="a,b;for=1.1.1.1\\", for=\\\\"', ALICE),
        (f'for="{THIEF}, for={ALICE}', ALICE),
        (f'for="x, for="{ALICE}"', ALICE),
        (f"for={ALICE}, for=unknown", PEER),
        (f"for={ALICE}, for=_hidden, for=10.8.8.8", "10.8.8.8"),
        (f"for={ALICE}, proto=https", PEER),
        (f"for={ALICE}, for=10.8.8.8;for=10.7.7.7", PEER),
        (f"for={ALICE}, {ALICE}", PEER),
        (f"for={ALICE}, , ;, for=10.8.8.8,", ALICE),
        (f"for = {ALICE}", PEER),
        (f'for="{ALICE}', PEER),
        (f'for={ALICE}"', PEER),
        ('for=""', PEER),
        ("for=", PEER),
        ("=" * 99, PEER),
    ],
)
def test_forwarded_is_read_by_its_grammar(header, client):
    """Names in any case, quotes with escapes, other pairs ignored; else the walk ends."""
    assert PAIRED.client(PEER, header) == client


@given(st.text('for=;,"\\ 1.x', max_size=60), st.sampled_from([ALICE, '"[2001:db8::1]:80"']))
def test_clients_writing_never_hides_the_proxys(written, said):
    """Whatever the client sent, what the proxy added after a comma is understood."""
    assert next(hops_of_forwarded(f"{written}, for={said}")) == canonical(said.strip('"'))


# Bounds.


def test_no_more_than_32_hops_are_walked():
    """The work does not grow with the header."""
    hops = [f"10.1.0.{n}" for n in range(40)]

    assert LISTED.client(PEER, ",".join(hops)) == "10.1.0.8"
    assert PAIRED.client(PEER, ",".join(f"for={hop}" for hop in hops)) == "10.1.0.8"


def test_no_more_than_the_right_end_is_read():
    """An element that the window cuts is not taken for a whole one."""
    pad = " " * (WINDOW - len(f"{ALICE},10.8.8.8"))
    assert LISTED.client(PEER, f"{ALICE},{pad}10.8.8.8") == ALICE
    assert LISTED.client(PEER, f" {ALICE},{pad}10.8.8.8") == "10.8.8.8"
    assert LISTED.client(PEER, f"1{ALICE},{pad}10.8.8.8") == "10.8.8.8"
    assert LISTED.client(PEER, f"{ALICE},{pad} 10.8.8.8") == "10.8.8.8"
    assert LISTED.client(PEER, f"{ALICE},{pad}{pad}10.8.8.8") == PEER
    pad = "x" * (WINDOW - len(f"for={ALICE};a=,for=10.8.8.8"))
    assert PAIRED.client(PEER, f"for={ALICE};a={pad},for=10.8.8.8") == ALICE
    assert PAIRED.client(PEER, f" for={ALICE};a={pad},for=10.8.8.8") == "10.8.8.8"


WORDS = st.sampled_from(
    ["for=", "FOR=", "by=", "proto=http", ";", ",", ", ", '"', "\\", '\\"', "=", " ", "\t", "\0",
     "é", "\ud800", "unknown", "_x", ALICE, "10.8.8.8", "[2001:db8:aaaa::1]", ":80",
     "2001:db8::1", "x" * 2040]
)  # fmt: skip
HEADERS = st.text() | st.lists(WORDS, max_size=60).map("".join)


@effort(2_000, 100_000)
@given(st.sampled_from([LISTED, PAIRED, Proxies()]), HEADERS | WORDS, HEADERS)
@example(PAIRED, PEER, '"' + "\\" * 2100)
@example(PAIRED, PEER, '"' + "\\a" * 1000 + '"')
@example(PAIRED, PEER, " " * 5000)
@example(PAIRED, PEER, ";" * 5000)
@example(LISTED, PEER, "," * 100_000)
def test_no_header_upsets_the_walk(proxies, peer, header):
    """Whatever comes in, a canonical address or nothing comes out."""
    found = proxies.client(peer, header)

    assert found == "" or canonical(found) == found


# The setting.


@pytest.mark.parametrize(
    ("trusted", "says"),
    [
        ("10.0.0.0/8", "write a list"),
        (b"10.0.0.0/8", "write text"),
        (None, "write a list"),
        (7, "write a list"),
        ([10], "write text"),
        (["*"], "everybody"),
        (["0.0.0.0/0"], "everybody"),
        (["10.0.0.1", "::/0"], "everybody"),
        (["0.0.0.0/0.0.0.0"], "everybody"),
        (["::ffff:0:0/96"], "everybody"),
        (["proxy.internal"], "host names are not looked up"),
        ([""], "write an address"),
        (["10.0.0.0/33"], "write an address"),
        (["10.0.0.1/8"], "write '10.0.0.0/8' for the network"),
        (["fe80::1%eth0"], "without the zone"),
        (["Unix"], "'unix'"),
    ],
)
def test_wrong_proxies_are_refused_at_birth(trusted, says):
    """A setting that cannot be meant, or that trusts everybody, says what to write."""
    with pytest.raises(ConfigError, match=says):
        Proxies(trusted)


def test_header_is_one_of_two():
    """The header is a member of the enum, not its text."""
    with pytest.raises(ConfigError, match="X_FORWARDED_FOR or FORWARDED"):
        Proxies([], "x-forwarded-for")  # type: ignore[arg-type]


def test_header_is_named_in_lower_case():
    """The web floor looks for the header by this name."""
    assert (LISTED.name, PAIRED.name) == ("x-forwarded-for", "forwarded")


def test_proxies_are_a_value():
    """Equal settings are equal, and a list changed later changes nothing."""
    given_list = ["10.0.0.0/8"]
    proxies = Proxies(given_list)
    given_list.append("0.0.0.0/0")

    assert proxies == Proxies(("10.0.0.0/8",))
    assert hash(proxies) == hash(Proxies(("10.0.0.0/8",)))
    assert repr(proxies).startswith("Proxies(trusted=('10.0.0.0/8',), header=<ForwardedHeader.X_F")
