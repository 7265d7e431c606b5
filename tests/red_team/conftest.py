"""Each attack has a site of its own: behind ASGI and WSGI, on every store that servers share.

``harness.interfaces`` says which interface is asked over which store.
"""

from pathlib import Path

import pytest

from harness.backends import SHARED, as_params, fresh_url
from harness.interfaces import leave_out_second_interfaces
from harness.sites import INTERFACES


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Leave out the second interface of a store, where an attack comes by both."""
    leave_out_second_interfaces(items, Path(__file__).parent)


@pytest.fixture(params=as_params(SHARED))
def url(request, tmp_path):
    """Where a test's sessions are kept: a place of its own, given time on a busy machine."""
    with fresh_url(request.param, tmp_path, timeout=20) as url:
        yield url


@pytest.fixture(params=INTERFACES)
def interface(request):
    """The server's interface."""
    return request.param


@pytest.fixture
def site(request, interface, url):
    """What the attack is played on, as its ``weakened_by`` says."""
    with request.function.serve(interface, url) as site:
        yield site
