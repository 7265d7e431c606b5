"""One demo for all tests of a process; each test finds all its servers up."""

from contextlib import ExitStack

import httpx
import pytest

from demo.process import DemoProcess
from harness.chromium import chromium  # noqa: F401  (fixtures are found by their names)
from harness.postgres_server import PostgresServer
from harness.redis_server import RedisServer


@pytest.fixture(scope="session")
def _demo():
    with DemoProcess() as demo:
        assert demo.url, demo.output
        yield demo


@pytest.fixture
def demo(_demo):
    """The demo, with its store and three servers up, no affinity, and nobody's code used yet."""
    _demo.forget_codes()
    httpx.post(f"{_demo.url}/store/start")
    for name, member in _demo.members().items():
        if member["phase"] == "down":
            httpx.post(f"{_demo.url}/servers/{name}/restart")
        httpx.post(f"{_demo.url}/servers/{name}/undrain")
    httpx.post(f"{_demo.url}/route", data={"affinity": "none"})
    _demo.until(lambda members: all(m["phase"] == "up" for m in members.values()))
    return _demo


def pytest_generate_tests(metafunc):
    """Run a shop on the stores that its file names: each costs the pages of a whole demo."""
    if "_shop" in metafunc.fixturenames:
        metafunc.parametrize("_shop", metafunc.module.STORES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def _shop(request, tmp_path_factory):
    with ExitStack() as stack:
        url = None
        if request.param == "redis":
            url = stack.enter_context(RedisServer(tmp_path_factory.mktemp("redis"))).url
        elif request.param == "lmdb":
            url = f"lmdb:///{tmp_path_factory.mktemp('lmdb')}/sessions.lmdb"
        elif request.param == "postgres":
            url = f"{stack.enter_context(PostgresServer()).url}?timeout=2"
        shop = stack.enter_context(DemoProcess(servers=2, url=url))
        assert shop.url, shop.output
        yield shop


@pytest.fixture
def shop(_shop):
    """The demo on two servers; nobody's code is used yet."""
    _shop.forget_codes()
    httpx.post(f"{_shop.url}/store/start")
    return _shop


@pytest.fixture
def alice(shop):
    """Somebody who is logged in, here and nowhere else."""
    with shop.visitor() as alice:
        alice.log_in()
        alice.post("/devices/end-others")
        yield alice


@pytest.fixture
def visitor(demo):
    """A stranger to the shop."""
    with demo.visitor() as visitor:
        yield visitor
