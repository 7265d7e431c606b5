"""WebSockets in process whose session ends: what the client hears, and its application."""

import asyncio
import gc

import pytest

from harness.applications import asgi_app
from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from sessile import Policy, hours
from sessile.errors import ConfigError
from sessile.service.events import Dropped
from sessile.service.sessions import context_of
from sessile.web import open_connection
from sessile.web.asgi import SessionMiddleware
from sessile.web.websocket import ENDED
from web.asgi_chat import begin, stored
from web.asgi_line import PATIENCE, connected, done, let_run
from web.session_ends import ENDS, begins, everywhere

CLOSE = {"type": "websocket.close", "code": 4401, "reason": "session ended"}
GONE = {"type": "websocket.disconnect", "code": 4401, "reason": "session ended"}


class Chat:
    """An application that writes down what it receives, until its client has left."""

    def __init__(self):
        self.received = []

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        self.received.append(await receive())
        while self.received[-1]["type"] != "websocket.disconnect":
            self.received.append(await receive())


def chatting(sessions, **options):
    chat = Chat()
    return chat, SessionMiddleware(chat, sessions, **options)


async def accepted(line):
    await line.hear("websocket.accept")
    await let_run()


@pytest.mark.parametrize("way", ENDS)
def test_socket_is_closed_when_its_session_ends(sessions, cookie, way):
    """Its client hears why, and its application as if the client had left."""

    async def scene():
        chat, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            line.say("websocket.receive", text="hello")
            await let_run()
            await ENDS[way](sessions, cookie)
            assert await line.hear("websocket.close") == CLOSE
            await done(line.app)
        assert chat.received == [{"type": "websocket.receive", "text": "hello"}, GONE]

    asyncio.run(scene())


def test_socket_is_closed_when_its_time_is_over(sessions, cookie):
    """By the session's own clocks, whose end nobody has to tell."""

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            context_of(sessions).clock.advance(sessions.policy.idle)
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


def test_socket_of_a_visitor_ends_with_the_session_too(sessions):
    """A cart is somebody's, though nobody is logged in."""
    cookie = stored(sessions, begin)

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            await sessions.end_everybody()
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


def test_session_that_ends_before_it_is_watched_ends_its_socket(sessions, cookie):
    """Between the handshake's read and the accept nothing is listened to."""

    async def ends_first(scope, receive, send):
        await receive()
        await sessions.end_all("alice")
        await send({"type": "websocket.accept"})
        await receive()

    async def scene():
        async with connected(SessionMiddleware(ends_first, sessions), cookie) as line:
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


@pytest.mark.parametrize("code", [1000, 1001, 1008, 3000, 4000, 4401, 4999])
def test_application_chooses_the_code(sessions, cookie, code):
    """The client and the application hear the same one."""

    async def scene():
        chat, app = chatting(sessions, ended_code=code)
        async with connected(app, cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            assert (await line.hear("websocket.close"))["code"] == code
            await done(line.app)
        assert chat.received[-1]["code"] == code

    asyncio.run(scene())


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 2999, 5000, -1, "4401", True, 4401.0])
def test_code_that_nobody_may_send_is_refused(sessions, code):
    """When the middleware is made, and in words."""
    with pytest.raises(ConfigError, match=r"ended_code=.*write a number.*4401"):
        SessionMiddleware(print, sessions, ended_code=code)


def test_application_that_closes_by_itself_is_left_alone(sessions, cookie):
    """``None`` leaves the socket open, and costs no command."""

    async def scene():
        chat, app = chatting(sessions, ended_code=None)
        async with connected(app, cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            take_commands(sessions)
            await let_run()
            line.say("websocket.receive", text="still here")
            await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]
        assert chat.received[-1]["text"] == "still here"
        assert take_commands(sessions) == []
        assert context_of(sessions).watchers.find() is None

    asyncio.run(scene())


def test_strangers_socket_is_nobodys(sessions):
    """It has no session that could end, and asks no store."""

    async def scene():
        _, app = chatting(sessions)
        async with connected(app) as line:
            await accepted(line)
            await sessions.end_everybody()
            await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]
            assert context_of(sessions).watchers.find() is None

    asyncio.run(scene())
    assert take_commands(sessions) == ["end everybody"]


def test_first_value_before_the_accept_makes_it_somebodys(sessions):
    """The session that begins with the handshake ends the socket like any other."""

    async def begins_here(scope, receive, send):
        await receive()
        scope["session"].login("alice")
        await send({"type": "websocket.accept"})
        await receive()

    async def scene():
        async with connected(SessionMiddleware(begins_here, sessions)) as line:
            await accepted(line)
            await sessions.end_all("alice")
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


def test_locked_session_has_no_socket_to_end(cookie, sessions):
    """To the application nobody is there, before its end and after."""
    sessions = fresh_sessions(policy=Policy(lock=hours(2)))
    cookie = stored(sessions, begins)
    context_of(sessions).clock.advance(hours(1))

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            await sessions.end_everybody()
            await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]

    asyncio.run(scene())


def test_step_up_keeps_the_socket_open(sessions, cookie):
    """Its session goes on under another id, and ends the socket when it ends there."""
    name = cookie.partition("=")[0]

    async def scene():
        chat, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            newer = await asyncio.to_thread(
                stored, sessions, lambda s: s.step_up(factors=("totp",)), cookie
            )
            line.say("websocket.receive", text="still here")
            await let_run()
            assert chat.received[-1]["text"] == "still here"
            assert newer.partition("=")[0] == name
            await everywhere(sessions, lambda s: s.logout(), newer)
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


def test_use_keeps_the_socket_open(sessions, cookie):
    """A write, a rotation and the tick of the clocks end nothing."""

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            turned = cookie
            for act in (lambda s: s.update(v=1), lambda s: s.rotate(), dict):
                context_of(sessions).clock.advance(1_000)
                turned = await asyncio.to_thread(stored, sessions, act, turned)
            await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]

    asyncio.run(scene())


def test_socket_that_saves_is_use(sessions, cookie):
    """The idle clock moves with each, though nothing was changed, and the socket stays."""
    clock = context_of(sessions).clock

    async def saves(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await scope["session"].save()

    async def scene():
        async with connected(SessionMiddleware(saves, sessions), cookie) as line:
            await accepted(line)
            for _ in range(4):
                clock.advance(sessions.policy.idle / 2)
                line.say("websocket.receive", text="hello")
                await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]
            clock.advance(sessions.policy.idle)
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


def test_outage_keeps_the_socket_open(sessions, cookie, caplog):
    """Nobody can tell then, and the log says so; when the store is back the end is told."""
    context = context_of(sessions)

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            context.store.down = True
            context._hear(None)
            async with asyncio.timeout(PATIENCE):
                while "stay open" not in caplog.text:  # noqa: ASYNC110  (the log has no event)
                    await asyncio.sleep(0.001)
            assert [message["type"] for message in line.heard] == ["websocket.accept"]
            context.store.down = False
            await sessions.end_all("alice")
            assert await line.hear("websocket.close") == CLOSE

    asyncio.run(scene())


def test_application_that_sends_meets_an_os_error(sessions, cookie):
    """As ASGI says it of a client that has left; left alone it is no failure."""
    met = []

    async def sends(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "tick"})
                await asyncio.sleep(0.001)
        except OSError as error:
            met.append(str(error))
            raise

    async def scene():
        async with connected(SessionMiddleware(sends, sessions), cookie) as line:
            await line.hear("websocket.send")
            await sessions.end_all("alice")
            await done(line.app)
            assert line.heard[-1] == CLOSE

    asyncio.run(scene())

    assert len(met) == 1
    assert "session of this connection has ended" in met[0]


def test_application_hears_it_whenever_it_listens(sessions, cookie):
    """Also one that was busy, and however often it asks."""
    heard, go_on = [], asyncio.Event()

    async def busy(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        heard.extend([await receive(), await receive()])

    async def scene():
        async with connected(SessionMiddleware(busy, sessions), cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            await line.hear("websocket.close")
            go_on.set()
            await done(line.app)

    asyncio.run(scene())

    assert heard == [GONE, GONE]


def test_client_that_takes_nothing_holds_up_nobody(sessions, cookie):
    """Its application hears of the end at once, and so do the other sockets."""

    async def scene():
        stuck_chat, app = chatting(sessions)
        chat, other = chatting(sessions)
        async with connected(app, cookie) as stuck, connected(other, cookie) as line:
            await accepted(stuck)
            await accepted(line)
            stuck.takes.clear()
            await sessions.end_all("alice")
            await line.hear("websocket.close")
            await done(line.app)
            await let_run()
            assert stuck_chat.received == chat.received == [GONE]
            stuck.takes.set()
            assert await stuck.hear("websocket.close") == CLOSE
            await done(stuck.app)

    asyncio.run(scene())


def test_application_that_closes_first_has_the_last_word(sessions, cookie):
    """A second close would be an error of the server."""

    async def closes(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        await sessions.end_all("alice")
        await let_run()

    async def scene():
        async with connected(SessionMiddleware(closes, sessions), cookie) as line:
            await done(line.app)
            assert [message.get("code") for message in line.heard] == [None, 1000]

    asyncio.run(scene())


def test_our_close_comes_behind_what_is_on_its_way(sessions, cookie):
    """A message that the client is slow to take arrives whole before it."""

    async def sends(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "whole"})
        await receive()

    async def scene():
        async with connected(SessionMiddleware(sends, sessions), cookie) as line:
            await accepted(line)
            line.takes.clear()
            line.say("websocket.receive", text="go")
            await let_run()
            await sessions.end_all("alice")
            await let_run()
            line.takes.set()
            await line.hear("websocket.close")
            assert [message["type"] for message in line.heard] == [
                "websocket.accept", "websocket.send", "websocket.close",
            ]  # fmt: skip

    asyncio.run(scene())


def test_client_of_an_application_that_raises_is_told(sessions, cookie):
    """As one that awaits texts in a loop, and minds no disconnection."""

    async def raises(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        raise RuntimeError(message["type"])

    async def scene():
        async with connected(SessionMiddleware(raises, sessions), cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            with pytest.raises(RuntimeError, match="disconnect"):
                await done(line.app)
            assert line.heard[-1]["type"] == "websocket.close"
            assert line.heard[-1]["code"] == ENDED

    asyncio.run(scene())


def test_application_that_asks_for_ever_keeps_nobody_waiting(sessions, cookie):
    """It is told of the end each time, and others have their turn in between."""
    asked = []

    async def asks(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            asked.append(await receive())

    async def scene():
        async with connected(SessionMiddleware(asks, sessions), cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            await told(sessions)
            assert asked[-1]["type"] == "websocket.disconnect"

    asyncio.run(scene())


async def told(sessions):
    """Wait until nobody is watched any more: the feed has a thread of its own."""
    async with asyncio.timeout(PATIENCE):
        while context_of(sessions).watchers.find().list_keys():  # noqa: ASYNC110  (another thread tells)
            await asyncio.sleep(0.005)
    await let_run()


def test_our_close_overtakes_nothing(sessions, cookie):
    """Not even where the server would let it: it waits for its turn."""

    async def sends(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "whole"})

    async def scene():
        async with connected(SessionMiddleware(sends, sessions), cookie) as line:
            line.quick = {"websocket.close"}
            await accepted(line)
            line.takes.clear()
            line.say("websocket.receive", text="go")
            await let_run()
            await sessions.end_all("alice")
            await told(sessions)
            line.takes.set()
            await done(line.app)
            assert [message["type"] for message in line.heard][1:] == [
                "websocket.send", "websocket.close",
            ]  # fmt: skip

    asyncio.run(scene())


def test_client_that_takes_nothing_is_given_up(sessions, cookie, monkeypatch):
    """When its application has nothing left to do; the server ends the connection then."""
    monkeypatch.setattr(open_connection, "PATIENCE", 0.01)

    async def scene():
        before = asyncio.all_tasks()
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            line.takes.clear()
            await sessions.end_all("alice")
            await done(line.app)
            await let_run()
            assert asyncio.all_tasks() - before <= {line.app}

    asyncio.run(scene())


def test_client_that_has_left_in_the_same_moment_is_no_failure(sessions, cookie, caplog):
    """Its server says so, and nobody has to hear of it."""

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            line.has_left = True
            await sessions.end_all("alice")
            await done(line.app)

    asyncio.run(scene())
    gc.collect()

    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_failure_of_the_application_goes_on(sessions, cookie):
    """The end of the session hides no error."""

    async def fails(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        raise ZeroDivisionError

    async def scene():
        async with connected(SessionMiddleware(fails, sessions), cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            with pytest.raises(ZeroDivisionError):
                await done(line.app)

    asyncio.run(scene())


@pytest.mark.parametrize("ended", [True, False])
def test_cancelled_application_is_cancelled(sessions, cookie, ended):
    """A server that stops takes its task back, whether the session ends in that moment or not."""

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            if ended:
                for watchers in context_of(sessions).watchers.all():
                    for watched in list(watchers._watched.values()):
                        watchers._end(watched)
            line.app.cancel()
            with pytest.raises(asyncio.CancelledError):
                await done(line.app)
            assert line.app.cancelled()

    asyncio.run(scene())


def test_interrupted_application_can_wait_and_be_cancelled_again(sessions, cookie):
    """The interruption leaves no trace in its task: a timeout in it works as ever."""
    after = []

    async def waits(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        after.append(asyncio.current_task().cancelling())
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            after.append("timeout")

    async def scene():
        async with connected(SessionMiddleware(waits, sessions), cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            await done(line.app)

    asyncio.run(scene())

    assert after == [0, "timeout"]


def test_changes_that_the_end_overtook_are_told(sessions, cookie):
    """The event says so; it is not the application's mistake."""
    told = []
    context_of(sessions).listen(told.append)

    async def changes(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        scope["session"]["cart"].append("hat")
        await receive()

    async def scene():
        async with connected(SessionMiddleware(changes, sessions), cookie) as line:
            await accepted(line)
            await sessions.end_all("alice")
            await done(line.app)

    asyncio.run(scene())

    assert [event.keys for event in told if isinstance(event, Dropped)] == [("cart",)]


@pytest.mark.parametrize("leaves", ["client", "session"])
def test_nothing_is_left_of_a_socket_that_is_over(sessions, cookie, leaves):
    """No watch, and no task."""

    async def scene():
        before = asyncio.all_tasks()
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            watchers = context_of(sessions).watchers.find()
            assert len(watchers.list_keys()) == 1
            if leaves == "client":
                line.say("websocket.disconnect", code=1001)
            else:
                await sessions.end_all("alice")
            await done(line.app)
        await let_run()
        assert watchers.list_keys() == []
        assert asyncio.all_tasks() == before

    asyncio.run(scene())


def test_sessions_that_close_leave_sockets_to_the_server(sessions, cookie):
    """No task of ours is left, and nobody is told of an end that is none."""

    async def scene():
        before = asyncio.all_tasks()
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            await sessions.close()
            assert asyncio.all_tasks() - before == {line.app}
            await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]
            assert context_of(sessions).watchers.all() == []
        await let_run()
        assert asyncio.all_tasks() == before

    asyncio.run(scene())


def test_watching_costs_one_read_and_each_word_one_more(sessions, cookie):
    """However long the socket is open."""
    stored(sessions, dict, cookie)  # so that the ticket was seen
    asked = context_of(sessions).store.asked
    write = AsgiBrowser(SessionMiddleware(asgi_app(lambda s: s.update(v=1)), sessions), cookie)

    async def reach(number):
        async with asyncio.timeout(PATIENCE):
            while len(asked) < number:  # noqa: ASYNC110  (a store has no event)
                await asyncio.sleep(0.001)
        await let_run()

    async def scene():
        _, app = chatting(sessions)
        async with connected(app, cookie) as line:
            await accepted(line)
            await reach(2)  # that of the handshake, and that of its watch
            await asyncio.to_thread(write.get)
            await reach(5)
            assert sorted(asked) == ["commit", "read", "read", "read", "read"]

    asyncio.run(scene())


def test_default_code_is_ours():
    """RFC 6455 leaves 4000 to 4999 to applications; 4401 is 401 there."""
    assert ENDED == 4401
