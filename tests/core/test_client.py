"""Clients: what a device is called."""

import pytest

from sessile.core.client import NOBODY, Client


@pytest.mark.parametrize(
    ("browser", "system", "device"),
    [
        ("Chrome", "Android", "Chrome on Android"),
        ("curl", "", "curl"),
        ("", "Linux", "Linux"),
        ("", "", ""),
    ],
)
def test_device_is_named_as_far_as_it_is_known(browser, system, device):
    """A device is called as people call it, and nothing is made up."""
    assert Client("192.0.2.7", browser, system).device == device


def test_nobody_is_nothing():
    """A client of which nothing is known has nothing in it."""
    assert Client() == NOBODY
    assert (NOBODY.address, NOBODY.device, NOBODY.agent) == ("", "", 0)
