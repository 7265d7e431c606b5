"""``session.watch()`` and its kin: an application that is told, in requests and in WebSockets."""

import asyncio

import pytest

from harness.recording_store import take_commands
from sessile.errors import ConfigError, SessionEnded
from sessile.service.sessions import context_of
from sessile.web.asgi import SessionMiddleware
from sessile.web.websocket import WebSocketSession
from web.asgi_chat import stored
from web.asgi_line import PATIENCE, connected, done, let_run, stream
from web.session_ends import ENDS


@pytest.fixture(params=["websocket", "http"])
def during(request, sessions, cookie):
    """Run a handler of either kind, with its session, and what a test does to it meanwhile."""

    async def run(handle, meanwhile=None, cookie=cookie):
        async def app(scope, receive, send):
            await receive()
            if request.param == "websocket":
                await send({"type": "websocket.accept"})
            await handle(scope["session"])

        middleware = SessionMiddleware(app, sessions, ended_code=None)
        connect = connected if request.param == "websocket" else stream
        async with connect(middleware, cookie) as line:
            await let_run()
            if meanwhile is not None:
                await meanwhile(line)
            return await done(line.app)

    return lambda *given, **more: asyncio.run(run(*given, **more))


async def forever():
    await asyncio.Event().wait()


async def hold(session, finish=bool):
    """Wait in a block of the session; ``finish`` is called on the way out."""
    async with session.watch():
        try:
            await forever()
        finally:
            finish()


def blunder():
    raise ZeroDivisionError


@pytest.mark.parametrize("way", ENDS)
def test_block_is_cancelled_when_the_session_ends(during, sessions, cookie, way):
    """And says so at its end, by whomever it was ended."""
    left = []

    async def handle(session):
        with pytest.raises(SessionEnded, match="log in again"):
            await hold(session, lambda: left.append(True))

    during(handle, lambda line: ENDS[way](sessions, cookie))

    assert left == [True]


def test_block_that_comes_to_its_end_raises_nothing(during, sessions):
    """Nor does the end of the session behind it."""

    async def handle(session):
        async with session.watch():
            await let_run()
        await sessions.end_all("alice")
        await let_run()
        assert context_of(sessions).watchers.find().list_keys() == []

    during(handle)


def test_error_of_the_block_goes_on(during):
    """The session lives, and so does the error."""

    async def handle(session):
        with pytest.raises(ZeroDivisionError):
            async with session.watch():
                blunder()

    during(handle)


def test_error_while_the_block_is_cancelled_goes_on(during, sessions):
    """As from a ``finally``; what was to be told hangs on it."""

    async def handle(session):
        with pytest.raises(ZeroDivisionError) as raised:
            await hold(session, blunder)
        assert isinstance(raised.value.__context__, asyncio.CancelledError)
        assert asyncio.current_task().cancelling() == 0

    during(handle, lambda line: sessions.end_all("alice"))


def test_cancellation_from_outside_is_none_of_ours(during):
    """A server that stops is no end of the session."""
    told = []

    async def handle(session):
        try:
            async with session.watch():
                await forever()
        except BaseException as error:
            told.append(type(error))
            raise

    async def cancel(line):
        line.app.cancel()

    with pytest.raises(asyncio.CancelledError):
        during(handle, cancel)

    assert told == [asyncio.CancelledError]


def test_cancellation_from_outside_counts_beside_the_end(during, sessions):
    """Where both come at once the task is cancelled."""
    told = []

    async def handle(session):
        try:
            async with session.watch():
                await forever()
        except BaseException as error:
            told.append(type(error))
            raise

    async def both(line):
        (watchers,) = context_of(sessions).watchers.all()
        for watched in list(watchers._watched.values()):
            watchers._end(watched)
        line.app.cancel()

    with pytest.raises(asyncio.CancelledError):
        during(handle, both)

    assert told == [asyncio.CancelledError]


@pytest.mark.parametrize("inner", [True, False])
def test_blocks_stand_in_timeouts_and_timeouts_in_them(during, sessions, inner):
    """Each raises its own error, whichever is around which."""

    async def handle(session):
        if inner:
            with pytest.raises(TimeoutError):
                async with session.watch(), asyncio.timeout(0.01):
                    await forever()
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), session.watch():
                    await forever()

    during(handle)


def test_two_blocks_in_each_other_end_together(during, sessions):
    """The outer one says so, as the inner one cannot go on behind its end."""

    async def handle(session):
        with pytest.raises(SessionEnded):
            async with session.watch():
                await hold(session)
        assert asyncio.current_task().cancelling() == 0

    during(handle, lambda line: sessions.end_all("alice"))


def test_visitors_block_is_never_cancelled(during, sessions):
    """Nobody's session has no end, and the store is not asked."""

    async def handle(session):
        async with session.watch():
            await sessions.end_everybody()
            await let_run()
        assert take_commands(sessions) == ["end everybody"]

    during(handle, cookie="")


def test_wait_returns_when_the_session_ends(during, sessions):
    """For whoever has other things to wait for beside it."""

    async def handle(session):
        await session.wait_ended()
        assert context_of(sessions).watchers.find().list_keys() == []

    during(handle, lambda line: sessions.end_all("alice"))


def test_wait_that_is_given_up_leaves_nothing(during, sessions):
    """A cancelled wait watches no longer."""

    async def handle(session):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await session.wait_ended()
        assert context_of(sessions).watchers.find().list_keys() == []

    during(handle)


def test_visitors_wait_never_returns(during, sessions):
    """It can be given up."""

    async def handle(session):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await session.wait_ended()

    during(handle, cookie="")


class Source:
    """A source of numbers: some at once, and then one for each time that it is fed.

    Attributes:
        closed: how it was left.
    """

    def __init__(self, number=2, *, goes_on=True):
        self.number, self.goes_on = number, goes_on
        self.closed = None

    async def numbers(self):
        try:
            for number in range(self.number):
                yield number
            if self.goes_on:
                await forever()
        except BaseException as error:
            self.closed = type(error)
            raise


def test_source_is_followed_until_the_session_ends(during, sessions):
    """Then the loop is over, and the source is closed; nothing is raised."""
    source, seen = Source(), []

    async def handle(session):
        seen.extend([number async for number in session.until_ended(source.numbers())])
        assert asyncio.current_task().cancelling() == 0

    during(handle, lambda line: sessions.end_all("alice"))

    assert seen == [0, 1]
    assert source.closed is asyncio.CancelledError


def test_source_that_is_over_ends_the_loop(during, sessions):
    """And nobody watches any longer."""
    seen = []

    async def handle(session):
        source = Source(goes_on=False).numbers()
        seen.extend([number async for number in session.until_ended(source)])
        assert context_of(sessions).watchers.find().list_keys() == []

    during(handle)

    assert seen == [0, 1]


def test_session_that_ends_while_an_item_is_used_ends_the_loop_after_it(during, sessions):
    """Whoever has the item finishes it in peace: the source alone is interrupted."""
    source, seen = Source(10), []

    async def handle(session):
        async for number in session.until_ended(source.numbers()):
            await sessions.end_all("alice")
            async with asyncio.timeout(PATIENCE):
                while context_of(sessions).watchers.find().list_keys():  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            seen.append(number)
        assert source.closed is GeneratorExit

    during(handle)

    assert seen == [0]


def test_loop_that_is_left_closes_its_source(during, sessions):
    """Once its generator is closed, as a stream does that its client has left."""
    source = Source(10)

    async def handle(session):
        items = session.until_ended(source.numbers())
        assert await anext(items) == 0
        await items.aclose()
        assert source.closed is GeneratorExit
        assert context_of(sessions).watchers.find().list_keys() == []

    during(handle)


def test_error_of_the_source_goes_on(during):
    """As if it were not watched."""

    async def fails():
        yield 1
        raise ZeroDivisionError

    async def handle(session):
        with pytest.raises(ZeroDivisionError):
            async for _ in session.until_ended(fails()):
                pass

    during(handle)


def test_source_of_a_visitor_is_followed_to_its_end(during):
    """Also one that is an iterator and no generator."""
    seen = []

    class Numbers:
        def __init__(self):
            self.left = [3, 2, 1]

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    async def handle(session):
        seen.extend([number async for number in session.until_ended(Numbers())])

    during(handle, cookie="")

    assert seen == [1, 2, 3]


async def enter(session):
    session.watch()


WATCHES = {
    "watch": enter,
    "wait_ended": lambda session: session.wait_ended(),
    "until_ended": lambda session: anext(session.until_ended(Source().numbers())),
}


@pytest.mark.parametrize("how", WATCHES)
def test_session_that_is_not_stored_yet_cannot_be_watched(sessions, how):
    """A login is stored when its answer leaves: the message says what to write."""

    async def scene():
        async def app(scope, receive, send):
            session = scope["session"]
            session.login("alice")
            with pytest.raises(ConfigError, match="not stored before its answer leaves"):
                await WATCHES[how](session)

        async with stream(SessionMiddleware(app, sessions)) as line:
            await done(line.app)

    asyncio.run(scene())


def test_session_that_was_logged_out_is_nobodys(during, sessions):
    """As that of a visitor, it has no end."""

    async def handle(session):
        session.logout()
        async with session.watch():
            await sessions.end_everybody()
            await let_run()
        if isinstance(session, WebSocketSession):
            await session.save()  # else it would say so

    during(handle)


def test_session_of_a_login_is_watched_once_its_answer_began(sessions):
    """A stream may begin with a login, and ends with that."""

    async def app(scope, receive, send):
        session = scope["session"]
        session.login("alice")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with pytest.raises(SessionEnded):
            async with session.watch():
                await forever()

    async def scene():
        async with stream(SessionMiddleware(app, sessions, ended_code=None)) as line:
            await line.hear("http.response.start")
            await let_run()
            assert not line.app.done()
            await sessions.end_all("alice")
            await done(line.app)

    asyncio.run(scene())


async def listen(session, receive):
    async with session.watch():
        while True:
            await receive()


def test_block_and_socket_end_together(sessions, cookie):
    """The application is told in its block; the client by the middleware."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        with pytest.raises(SessionEnded):
            await listen(scope["session"], receive)
        assert asyncio.current_task().cancelling() == 0
        assert (await receive())["code"] == 4401

    async def scene():
        async with connected(SessionMiddleware(app, sessions), cookie) as line:
            await let_run()
            await sessions.end_all("alice")
            await done(line.app)
            assert line.heard[-1]["type"] == "websocket.close"

    asyncio.run(scene())


@pytest.mark.parametrize("act", [lambda s: s.logout(), lambda s: s.step_up(factors=("totp",))])
def test_request_can_ask_whether_its_session_lives(sessions, cookie, act):
    """As a WebSocket can: long answers that are no streams of events do."""
    said = []

    async def app(scope, receive, send):
        session = scope["session"]
        said.append(await session.alive())
        await asyncio.to_thread(stored, sessions, act, cookie)
        said.append(await session.alive())

    async def scene():
        async with stream(SessionMiddleware(app, sessions), cookie) as line:
            await done(line.app)

    asyncio.run(scene())

    is_step_up = said[1]
    assert said[0] is True
    assert is_step_up is (act.__code__.co_names[0] == "step_up")
