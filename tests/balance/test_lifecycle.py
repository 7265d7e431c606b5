"""A balancer starts, serves and stops: nothing in flight is cut off, nothing is left behind."""

import asyncio
import signal
import subprocess
import sys

import httpx
import pytest

from sessile.balance import BackendServer, Balancer, BalancerLimits, serve
from sessile.errors import ConfigError

GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"


class Slow:
    """A server that answers when the test lets it."""

    def __init__(self):
        self.asked, self.release = asyncio.Event(), asyncio.Event()

    async def play(self, server):
        if b"sessile-balance" in await server.head():
            return
        self.asked.set()
        await self.release.wait()
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_requests_in_flight_are_finished(run, raw_server, raw_client):
    """Stopping refuses new connections and waits for the answer under way, the last one here."""
    slow = Slow()

    async def go():
        async with raw_server(slow.play) as server:
            balancer = Balancer([server])
            await balancer.start()
            async with raw_client(balancer) as client:
                address = balancer.address
                await client.say(GET)
                await slow.asked.wait()
                stopping = asyncio.create_task(balancer.stop())
                await asyncio.sleep(0)
                with pytest.raises(OSError):
                    await asyncio.open_connection(*address)
                assert not stopping.done()
                slow.release.set()
                answer = await client.rest()
                await stopping
                return answer

    answer = run(go())

    assert answer.endswith(b"\r\n\r\nok")
    assert b"connection: close" in answer.lower()


def test_grace_ends(run, raw_server, raw_client):
    """A request that does not finish within the grace is cut off."""
    slow = Slow()

    async def go():
        async with raw_server(slow.play) as server:
            balancer = Balancer([server], limits=BalancerLimits(grace=0.05))
            await balancer.start()
            async with raw_client(balancer) as client:
                await client.say(GET)
                await slow.asked.wait()
                await balancer.stop()
                return await client.rest()

    assert run(go()) == b""


def test_idle_connections_do_not_delay_the_end(run, servers, raw_client):
    """A client that has nothing under way is closed at once."""

    async def go():
        async with Balancer(servers, limits=BalancerLimits(grace=600)) as balancer:
            client = raw_client(balancer)
            raw = await client.__aenter__()
            await raw.say(GET)
            await raw.head()
        await raw.rest()
        await client.__aexit__(None, None, None)

    run(go())


def test_stopping_twice_is_no_error(run, servers):
    """A stopped balancer may be stopped again, and started again."""

    async def go():
        balancer = Balancer(servers)
        await balancer.stop()
        for _ in range(2):
            await balancer.start()
            async with httpx.AsyncClient() as client:
                response = await client.get("http://{}:{}/".format(*balancer.address))
                assert response.status_code == 200
            await balancer.stop()
            await balancer.stop()

    run(go())


def test_there_is_no_address_before_the_start(servers):
    """Asking for the address of a balancer that does not listen says why there is none."""
    with pytest.raises(RuntimeError, match="start"):
        _ = Balancer(servers).address


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Balancer([]),
        lambda: Balancer([BackendServer("a", "h", 1), BackendServer("a", "h", 2)]),
        lambda: BackendServer("", "h", 1),
        lambda: BackendServer("a", "h", 0),
        lambda: BalancerLimits(connect=0),
        lambda: BalancerLimits(spare=-1),
    ],
)
def test_settings_are_checked_at_birth(wrong):
    """What cannot work is refused before the first request."""
    with pytest.raises(ConfigError):
        wrong()


def test_serve_ends_when_cancelled(run, servers):
    """Cancellation ends ``serve`` and stops the balancer."""

    async def go():
        balancer, listening = Balancer(servers), asyncio.Event()
        serving = asyncio.create_task(serve(balancer, started=lambda _: listening.set()))
        await listening.wait()
        address = balancer.address
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(OSError):
            await asyncio.open_connection(*address)

    run(go())


SCRIPT = """
import asyncio
from sessile.balance import Balancer, BackendServer, serve

balancer = Balancer([BackendServer("a", "127.0.0.1", {port})])
asyncio.run(serve(balancer, started=lambda b: print(*b.address, flush=True)))
print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number, dead_port):
    """Ctrl-C and a polite kill end ``serve`` without a traceback or a warning."""
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", SCRIPT.format(port=dead_port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().startswith("127.0.0.1 ")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    told = [line for line in err.splitlines() if not line.endswith(" seconds")]  # a busy machine
    assert (out, told, process.returncode) == ("ended\n", [], 0)
