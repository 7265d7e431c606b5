"""Client addresses: one spelling for each, and nothing else passes."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.core import address as module
from sessile.core.address import MAX_LENGTH, canonical, subnet
from sessile.testing.effort import effort

PIECES = st.sampled_from(["1", "255", "0", ".", ":", "::", "[", "]", "%", "ffff", "f", "/", " "])
TEXTS = st.text(max_size=90) | st.lists(PIECES, max_size=24).map("".join)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("192.0.2.1:65535", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::", "::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%en0.100@x", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::192.0.2.1", "::c000:201"),
    ],
)
def test_address_has_one_spelling(text, address):
    """Port, zone, brackets, capitals and IPv6 clothes do not make another address."""
    assert canonical(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "1", "unknown", "_hidden", "localhost", "testclient", "192.0.2", "192.0.2.1.5",
     "192.0.2.256", "192.0.2.01", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:123456", "192.0.2.1%eth0",
     "[192.0.2.1]", "[::1", "::1]", "[::1]80", "[::1]:", "[[::1]]", ":::", "1::2::3", "12345::",
     "::1%", "::1%a%b", "::1%\n", "192.0.2.1\n", " 192.0.2.1", "192.0.2.0/24", "٣.٣.٣.٣",
     "\ud800::", "1:2:3:4:5:6:7:8:9", "3232235777", "0x7f.1", "::1%" + "e" * 80],
)  # fmt: skip
def test_what_is_no_address_is_none(text):
    """Anything that is not exactly an address is None, never an error."""
    assert canonical(text) is None


@effort(2_000, 50_000)
@given(TEXTS)
@example("1" * 10_000)
@example(":" * MAX_LENGTH)
@example("%" * MAX_LENGTH)
@example("[" * MAX_LENGTH)
def test_no_text_upsets_the_reader(text):
    """What comes back is canonical already, and the standard library agrees that it is one."""
    found = canonical(text)

    if found is not None:
        assert canonical(found) == found
        assert str(ipaddress.ip_address(found)) == found


@given(st.ip_addresses())
def test_every_address_is_known(address):
    """No address is too long or too odd; all spellings of one meet."""
    found = canonical(str(address))

    assert found is not None
    assert found == canonical(address.exploded)
    assert found == canonical(f"[{address}]:1" if address.version == 6 else f"{address}:1")


def test_long_text_is_not_remembered():
    """What a client can send at will does not fill the memory."""
    before = module._parse.cache_info()
    canonical("1" * (MAX_LENGTH + 1))

    assert module._parse.cache_info() == before


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_subnet_of_an_address(address, network):
    """The neighbours of an IPv4 address are 256, those of an IPv6 address one network."""
    assert subnet(address) == network


@given(st.ip_addresses())
def test_subnet_is_a_canonical_network(
    address,
):
    """The standard library reads the same network in the text."""
    found = ipaddress.ip_address(canonical(str(address)) or "")
    network = ipaddress.ip_network(subnet(str(found)))

    assert found in network
    assert network.prefixlen == (24 if found.version == 4 else 64)
    assert str(network) == subnet(str(found))
