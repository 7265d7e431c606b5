"""What becomes of the commands beside one that is late, or large: they go on."""

import asyncio

import pytest

from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.wire.commands.lane import LARGE
from sessile.wire.commands.repeat import Repeat, Repeated
from wire.redis.clients import ask, client_of, close

LIMIT = 60.0


class WatchLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    ahead = 0.0

    def time(self):
        return super().time() + self.ahead


class Desk:
    """A server in the test's own loop, which answers when the test says so.

    Attributes:
        calls: for each connection its writer, and what was read from it.
    """

    def __init__(self):
        self.calls = []

    async def open(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        heard = bytearray()
        self.calls.append((writer, heard))
        try:
            while data := await reader.read(1 << 20):
                heard += data
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def close(self):
        self.server.close()
        for writer, _ in self.calls:
            writer.close()
        await asyncio.gather(
            *(writer.wait_closed() for writer, _ in self.calls), return_exceptions=True
        )

    async def until(self, truth):
        """Let the loop turn until something holds."""
        async with asyncio.timeout(LIMIT):  # on a clock that a test puts forward: ample
            while not truth():  # noqa: ASYNC110  (a stand-in for time that passes)
                await asyncio.sleep(0)

    async def hear(self, number, words):
        """Wait until that connection has brought so many words of ECHO."""
        await self.until(
            lambda: len(self.calls) > number and self.calls[number][1].count(b"ECHO") >= words
        )

    def say(self, number, *answers):
        self.calls[number][0].write(b"".join(b"+%d\r\n" % answer for answer in answers))


def play(scenario):
    """Run a scenario on a loop whose clock it moves."""
    loop, desk = WatchLoop(), Desk()

    async def whole():
        try:
            return await scenario(loop, desk)
        finally:
            await desk.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(whole())


def start(client, number, repeat=Repeat.NEVER, size=0):
    """Ask for the echo of a number, in a task."""
    words = ("ECHO", f"{number}".zfill(size))
    return asyncio.create_task(arun(ask(client, *words, repeat=repeat)))


def test_late_command_fails_alone():
    """A connection that answers the others goes on; the late answer is thrown away."""

    async def scenario(loop, desk):
        await desk.open()
        client = client_of(desk, timeout=LIMIT)
        first, late = start(client, 1), start(client, 2)
        await desk.hear(0, 2)
        loop.ahead = 40.0
        young = start(client, 3)
        await desk.hear(0, 3)
        loop.ahead = 55.0
        desk.say(0, 1)
        answer = await first
        loop.ahead = 61.0
        with pytest.raises(StoreUnavailable, match="no answer within 60 s"):
            await late
        desk.say(0, 2, 3)
        answers = [answer, await young]
        await arun(close(client))
        return answers, len(desk.calls)

    assert play(scenario) == ([b"1", b"3"], 1)


def test_young_commands_of_a_silent_connection_are_sent_again():
    """Where a connection is given up, what may be repeated goes on within its own time."""

    async def scenario(loop, desk):
        await desk.open()
        client = client_of(desk, timeout=LIMIT, connect_timeout=LIMIT)
        late = start(client, 1, Repeat.HARMLESS)
        await desk.hear(0, 1)
        loop.ahead = 40.0
        young = [start(client, n, repeat) for n, repeat in enumerate(Repeat, start=2)]
        await desk.hear(0, 4)
        loop.ahead = 61.0
        with pytest.raises(StoreUnavailable, match="no answer within 60 s"):
            await late
        with pytest.raises(StoreUnavailable, match="its connection was given up"):
            await young[0]
        await desk.hear(1, 2)
        desk.say(1, 3, 4)
        answers = [await young[1], await young[2]]
        await arun(close(client))
        return answers

    assert list(Repeat) == [Repeat.NEVER, Repeat.HARMLESS, Repeat.TOLD]
    assert play(scenario) == [b"3", Repeated(b"4")]


def test_repeated_command_has_no_more_than_its_own_time():
    """What was sent a second time is late when its first asking says so, and not sent again."""

    async def scenario(loop, desk):
        await desk.open()
        client = client_of(desk, timeout=LIMIT, connect_timeout=LIMIT)
        old = start(client, 1)
        await desk.hear(0, 1)
        loop.ahead = 40.0
        young = start(client, 2, Repeat.HARMLESS)
        await desk.hear(0, 2)
        loop.ahead = 61.0
        await asyncio.wait([old])
        await desk.hear(1, 1)
        loop.ahead = 101.0
        with pytest.raises(StoreUnavailable, match="no answer within 60 s"):
            await young
        await arun(close(client))
        return type(old.exception()), len(desk.calls)

    assert play(scenario) == (StoreUnavailable, 2)


def test_small_commands_do_not_wait_behind_large_ones():
    """A large command has another connection, whose answer the small ones do not wait for."""

    async def scenario(loop, desk):
        await desk.open()
        client = client_of(desk, timeout=LIMIT)
        large = start(client, 1, size=LARGE)
        await desk.until(lambda: desk.calls and len(desk.calls[0][1]) > LARGE)
        small = start(client, 2)
        await desk.hear(1, 1)
        desk.say(1, 2)
        answers = [await small]
        desk.say(0, 1)
        answers.append(await large)
        await arun(close(client))
        return answers

    assert play(scenario) == [b"2", b"1"]
