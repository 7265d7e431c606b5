"""Each attack has a site of its own: behind ASGI and WSGI, on SQLite and Redis."""

import itertools

import pytest

from harness.sites import INTERFACES

NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    """Where a test's sessions are kept: a place of its own, given time on a busy machine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sessile.db?timeout=20"
    server = request.getfixturevalue("redis_server")
    return f"{server.url}?prefix=red{next(NUMBERS)}:&timeout=20"


@pytest.fixture(params=INTERFACES)
def interface(request):
    """The server's interface."""
    return request.param


@pytest.fixture
def site(request, interface, url):
    """What the attack is played on, as its ``weakened_by`` says."""
    with request.function.serve(interface, url) as site:
        yield site
