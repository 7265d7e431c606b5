"""Sites on every store, behind ASGI and WSGI."""

import itertools

import pytest

from harness.sites import INTERFACES, serve
from sessile import Policy

NUMBERS = itertools.count()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request, tmp_path):
    """Where a test's sessions are kept: a place of its own."""
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sessile.db"
    server = request.getfixturevalue("redis_server")
    return f"{server.url}?prefix=race{next(NUMBERS)}:"


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
