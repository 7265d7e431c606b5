"""Sites on every store, behind ASGI and WSGI: see ``harness.interfaces``."""

from pathlib import Path

import pytest

from harness.backends import BACKENDS, as_params, fresh_url
from harness.interfaces import leave_out_second_interfaces
from harness.sites import INTERFACES, serve
from sessile import Policy


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Leave out the second interface of a store, where a test asks both."""
    leave_out_second_interfaces(items, Path(__file__).parent)


@pytest.fixture(params=as_params(BACKENDS))
def url(request, tmp_path):
    """Where a test's sessions are kept: a place of its own."""
    with fresh_url(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=INTERFACES)
def interface(request):
    """The server's interface."""
    return request.param


@pytest.fixture
def site(url, interface):
    """A site with the ordinary policy."""
    with serve(interface, url) as site:
        yield site


@pytest.fixture
def limited_site(url, interface):
    """A site whose users have one session each."""
    with serve(interface, url, policy=Policy(limit=1)) as site:
        yield site
