"""Bindings: which clients count as the same one."""

import pytest

from sessile.core.binding import AddressMatch, AgentMatch, Binding, OnMismatch
from sessile.core.client import NOBODY, Client
from sessile.errors import ConfigError

HOME = Client("192.0.2.7", "Firefox", "Linux", 1)


def at(address):
    return Client(address, HOME.browser, HOME.system, HOME.agent)


def by(browser, system="Linux"):
    return Client(HOME.address, browser, system, 2)


def test_defaults_record_a_change_of_network_or_browser():
    """Out of the box a change is noticed and nobody is harmed by it."""
    binding = Binding()

    assert binding.address is AddressMatch.SUBNET
    assert binding.agent is AgentMatch.FAMILY
    assert binding.on_mismatch is OnMismatch.RECORD


@pytest.mark.parametrize(
    ("kept", "near", "far"),
    [
        (AddressMatch.IGNORE, True, True),
        (AddressMatch.SUBNET, True, False),
        (AddressMatch.EXACT, False, False),
    ],
)
@pytest.mark.parametrize(
    "places",
    [
        ("192.0.2.7", "192.0.2.8", "192.0.3.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1:8::", "2001:db8:0:2::7"),
    ],
)
def test_address_counts_as_far_as_asked(kept, near, far, places):
    """An address is compared not at all, by its /24 or /64, or whole; the same one always holds."""
    binding, (here, next_door, elsewhere) = Binding(address=kept), places

    assert binding.holds(at(here), at(here))
    assert binding.holds(at(here), at(next_door)) is near
    assert binding.holds(at(here), at(elsewhere)) is far


@pytest.mark.parametrize("kept", [AddressMatch.SUBNET, AddressMatch.EXACT])
def test_unknown_address_is_known_once_and_not_lost(kept):
    """A session of an unknown address takes any; one of a known address does not take none."""
    binding = Binding(address=kept)

    assert binding.holds(at(""), at("192.0.2.7"))
    assert not binding.holds(at("192.0.2.7"), at(""))
    assert not binding.holds(at("192.0.2.7"), at("2001:db8::7"))


def test_browser_counts_by_its_family():
    """Version and system may change, the family may not; an unknown one is known once."""
    binding = Binding()

    assert binding.holds(HOME, by("Firefox", "Windows"))
    assert not binding.holds(HOME, by("Chrome"))
    assert not binding.holds(HOME, by(""))
    assert binding.holds(by(""), HOME)
    assert Binding(agent=AgentMatch.IGNORE).holds(HOME, by("Chrome"))


def test_session_that_knows_no_client_takes_any():
    """What nothing was kept of is bound to nobody."""
    assert Binding(address=AddressMatch.EXACT).holds(NOBODY, HOME)


@pytest.mark.parametrize("name", ["address", "agent", "on_mismatch"])
@pytest.mark.parametrize("wrong", [None, "subnet", True, 1])
def test_what_is_no_member_is_refused(name, wrong):
    """The error names the members there are."""
    with pytest.raises(ConfigError, match=rf"{name}=.*: write one of \w+\.[A-Z]"):
        Binding(**{name: wrong})


@pytest.mark.parametrize("kept", [AddressMatch.SUBNET, AddressMatch.EXACT])
def test_second_address_counts_like_the_first(kept):
    """A client that is known at two addresses may come from either, as far as they must stay."""
    binding, near = Binding(address=kept), kept is AddressMatch.SUBNET

    for came, same in [("2001:db8::7", True), ("2001:db8::8", near), ("2001:db8:0:1::7", False)]:
        assert binding.holds(HOME, at(came), "2001:db8::7") is same
        assert binding.holds(HOME, at(came)) is False
    assert not binding.holds(HOME, by("Chrome"), "2001:db8::7")
