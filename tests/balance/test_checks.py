"""Servers are asked how they are; the answers decide who gets clients."""

import asyncio

from sessile.balance import BackendServer, Balancer, HealthCheck, State

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OFTEN = HealthCheck(path="/healthz", interval=0.02, timeout=0.2, rise=2, fall=2)


class Patient:
    """A server whose health a test decides; None is one that never answers."""

    def __init__(self):
        self.status = 200
        self.asked = []

    async def play(self, server):
        while head := await server.head():
            self.asked.append(head)
            if self.status is None:
                await server.rest()
            else:
                await server.say(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)


def state(balancer):
    return balancer.report()[0].state


def test_a_server_falls_and_rises(run, behind, until):
    """A server that answers 500 goes down, and comes back when it answers well again."""
    patient = Patient()

    async def go():
        async with behind(patient.play, check=OFTEN) as balancer:
            await until(lambda: patient.asked)
            for status, expected in [(500, State.DOWN), (404, State.UP), (None, State.DOWN)]:
                patient.status = status
                await until(lambda expected=expected: state(balancer) is expected)

    run(go())

    assert patient.asked[0].startswith(b"GET /healthz HTTP/1.1\r\n")


def test_a_server_that_starts_late_is_found(run, raw_server, dead_port, until):
    """A server that listens only later is down first and then up, with nobody asking for it."""

    async def go():
        late = BackendServer("a", "127.0.0.1", dead_port)
        async with Balancer([late], check=OFTEN) as balancer:
            await until(lambda: state(balancer) is State.DOWN)

            async def accept(reader, writer):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(OK)
                writer.close()
                await writer.wait_closed()

            listener = await asyncio.start_server(accept, "127.0.0.1", dead_port)
            await until(lambda: state(balancer) is State.UP)
            listener.close()
            await listener.wait_closed()

    run(go())


def test_checks_are_not_counted_as_requests(run, behind, until):
    """The counts are the clients'."""
    patient = Patient()

    async def go():
        async with behind(patient.play, check=OFTEN) as balancer:
            await until(lambda: len(patient.asked) > 3)
            return balancer.report()

    (report,) = run(go())

    assert (report.requests, report.active) == (0, 0)
