"""Servers that tests start are for this machine alone: nobody on its network can ask them."""

import asyncio
import random
import sys
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from demo.process import DemoProcess
from harness.balancers import WORDS, serve_site
from harness.certificates import Authority
from harness.listeners import listeners
from harness.memcached_server import MemcachedServer
from harness.nats_server import NatsCluster, NatsServer
from harness.programs import free_port
from harness.proxies import COMMANDS, serve_proxy
from harness.redis_cluster import RedisCluster
from harness.redis_server import RedisServer
from harness.servers import serve_asgi, serve_program, serve_waitress, serve_wsgi

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: /proc is of Linux")
ROOT = Path(__file__).parent.parent


def application(*_):
    """Nobody asks it anything."""


def serve_gunicorn(folder):
    """Start gunicorn as the tests of server programs do."""
    (folder / "shop.py").write_text("def app(environ, start_response): ...\n")
    port = free_port()
    words = ("-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "shop:app")
    return serve_program(folder, *words, port=port)


def serve_behind(kind):
    """Start a proxy with the lines of the page on deployment."""
    return lambda folder: serve_proxy(
        kind, folder / kind, Authority(folder).issue("shop.example"), "127.0.0.1:9"
    )


def serve_balancer(kind, _):
    """Start a balancer, and the servers behind it."""
    return serve_site(kind)


@contextmanager
def chaos_of(folder):
    """Start what ``make chaos`` does over Redis: server, proxy, workers."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.syspath_prepend(ROOT)
        patch.chdir(ROOT)
        from chaos.servers import Redis
        from chaos.workers import Workers

        @asynccontextmanager
        async def run():
            chance = random.Random(1)
            store = Redis(chance, None)
            await store.start()
            workers = Workers(1, chance, url=store.url, rate=0.0, broken="")
            await workers.start()
            yield
            await workers.stop()
            await store.stop()

        running = run()
        runner.run(running.__aenter__())
        yield
        runner.run(running.__aexit__(None, None, None))


SERVERS = {
    "redis": RedisServer,
    "redis cluster": RedisCluster,
    "redis with TLS": lambda folder: RedisServer(folder, authority=Authority(folder)),
    "memcached": MemcachedServer,
    "nats": NatsServer,
    "nats cluster": NatsCluster,
    "uvicorn": lambda _: serve_asgi(application),
    "werkzeug": lambda _: serve_wsgi(application),
    "waitress": lambda _: serve_waitress(application),
    "gunicorn": serve_gunicorn,
    "demo": lambda _: DemoProcess(servers=2),
    "demo on nodes": lambda _: DemoProcess(servers=1, url="replicated://?timeout=5"),
    "chaos": chaos_of,
    **{kind: serve_behind(kind) for kind in COMMANDS},
    **{f"balancer {kind}": partial(serve_balancer, kind) for kind in WORDS},
}
"""Whatever starts a server for the tests."""


@pytest.mark.parametrize("name", SERVERS)
def test_server_of_the_tests_listens_on_loopback_alone(name, tmp_path):
    """None has an address of the network, also none of those that it starts itself."""
    before = listeners()
    with SERVERS[name](tmp_path):
        found = listeners() - before

    assert found, "it listens nowhere"
    assert {(str(address), port) for address, port in found if not address.is_loopback} == set()
