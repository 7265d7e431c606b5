"""Each attack has a site of its own: behind ASGI and WSGI, on every store that servers share.

Both interfaces are asked on SQLite. On each other store it is one of them, by turns: an interface
knows no store, and a store no interface.
"""

from pathlib import Path

import pytest

from harness.backends import SHARED, as_params, fresh_url
from harness.sites import INTERFACES

BOTH = "sqlite"
_ASKED = {
    backend.name: INTERFACES[number % len(INTERFACES)] for number, backend in enumerate(SHARED)
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Leave out the second interface of a store, where an attack comes by both."""
    items[:] = [item for item in items if not _is_second(item)]


def _is_second(item):
    if Path(__file__).parent not in item.path.parents or not hasattr(item, "callspec"):
        return False
    interface, backend = map(item.callspec.params.get, ("interface", "url"))
    asked = None if backend is None else _ASKED.get(backend.name, interface)
    if interface is None or asked is None or backend.name == BOTH:
        return False
    return len(item.function.interfaces) > 1 and asked != interface


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
