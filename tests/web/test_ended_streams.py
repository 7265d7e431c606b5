"""Streams of events in process whose session ends, and all other answers, which go on."""

import asyncio

import pytest

from harness.recording_store import fresh_sessions, take_commands
from sessile import Cookie, Policy, SameSite, hours
from sessile.service.sessions import context_of
from sessile.web.asgi import SessionMiddleware, load_session
from web.asgi_chat import begin, stored
from web.asgi_line import PATIENCE, done, let_run, stream
from web.session_ends import ENDS, begins

LAST = {"type": "http.response.body", "body": b"", "more_body": False}
EVENTS = [(b"content-type", b"text/event-stream")]


async def start(send, headers=EVENTS):
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})


class Feed:
    """An application that streams one event, and waits for its client to leave."""

    def __init__(self, headers=EVENTS, act=dict):
        self.headers, self.act = headers, act
        self.received = []

    async def __call__(self, scope, receive, send):
        self.act(scope["session"])
        self.received.append(await receive())
        await start(send, self.headers)
        self.received.append(await receive())


def streaming(sessions, feed=None, **options):
    feed = feed or Feed()
    return feed, SessionMiddleware(feed, sessions, **options)


async def started(line):
    await line.hear("http.response.body")
    await let_run()


async def reach_end(line):
    async with asyncio.timeout(PATIENCE), line.news:
        await line.news.wait_for(lambda: line.heard[-1] == LAST)


@pytest.mark.parametrize("way", ENDS)
def test_stream_ends_with_its_session(sessions, cookie, way):
    """The answer is whole, so that the browser asks again; its application hears it has left."""

    async def scene():
        feed, app = streaming(sessions)
        async with stream(app, cookie) as line:
            await started(line)
            await ENDS[way](sessions, cookie)
            await done(line.app)
            assert line.heard[-1] == LAST
            assert len(line.heard) == 3
        assert feed.received[-1] == {"type": "http.disconnect"}

    asyncio.run(scene())


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"text/event-stream; charset=utf-8")],
        [(b"Content-Type", b"Text/Event-Stream")],
        [[b"x", b"y"], [b"content-type", b"text/event-stream"]],
        ((b"content-type", b"text/event-stream"),),
        iter([(b"content-type", b"text/event-stream"), (b"x", b"y")]),
    ],
    ids=["charset", "capitals", "lists", "tuple", "iterator"],
)
def test_stream_is_known_however_it_says_so(sessions, cookie, headers):
    """And its headers arrive as they were."""

    async def scene():
        _, app = streaming(sessions, Feed(headers))
        async with stream(app, cookie) as line:
            await started(line)
            assert any(b"vent-" in value or b"vent-" in name for name, value in
                       line.heard[0]["headers"])  # fmt: skip
            await sessions.end_all("alice")
            await done(line.app)
            assert line.heard[-1] == LAST

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("kind", "cookie_too", "options"),
    [
        (b"text/plain", True, {}),
        (b"video/mp4", True, {}),
        (b"application/json", True, {}),
        (b"text/event-stream", False, {}),
        (b"text/event-stream", True, {"ended_code": None}),
        (b"text/event-stream", True, {"load": "lazy"}),
        (b"text/event-stream", True, {"exclude": ("/",)}),
    ],
)
def test_other_answers_go_on(sessions, cookie, kind, cookie_too, options):
    """Downloads, what is nobody's, and what was to be left alone; none of them is watched."""

    async def scene():
        _, app = streaming(sessions, Feed([(b"content-type", kind)], act=id), **options)
        async with stream(app, cookie if cookie_too else "") as line:
            await started(line)
            take_commands(sessions)
            await sessions.end_everybody()
            await let_run()
            assert len(line.heard) == 2
            assert not line.app.done()
            assert take_commands(sessions) == ["end everybody"]
            assert context_of(sessions).watchers.find() is None
            line.say("http.disconnect")
            await done(line.app)

    asyncio.run(scene())


def test_answer_in_the_place_of_a_stream_is_none(sessions, cookie):
    """Where the save before it failed, the honest one has left, and is over."""
    context = context_of(sessions)

    async def changes(scope, receive, send):
        scope["session"]["v"] = 1
        context.store.down = True
        await start(send)

    async def scene():
        async with stream(SessionMiddleware(changes, sessions), cookie) as line:
            await done(line.app)
            assert line.heard[0]["status"] == 503
            assert context.watchers.find() is None

    asyncio.run(scene())


def test_lazily_loaded_session_ends_its_stream(sessions, cookie):
    """Once the handler has asked for it."""

    async def loads(scope, receive, send):
        await load_session(scope)
        await start(send)
        await receive()
        await receive()

    async def scene():
        async with stream(SessionMiddleware(loads, sessions, load="lazy"), cookie) as line:
            await started(line)
            await sessions.end_all("alice")
            await done(line.app)
            assert line.heard[-1] == LAST

    asyncio.run(scene())


@pytest.mark.parametrize("act", [begins, begin])
def test_session_that_begins_with_the_stream_ends_it(sessions, act):
    """A login, or a first value, in the request of the stream itself."""

    async def scene():
        _, app = streaming(sessions, Feed(act=act))
        async with stream(app) as line:
            await started(line)
            await let_run()
            assert not line.app.done()
            await sessions.end_everybody()
            await done(line.app)
            assert line.heard[-1] == LAST

    asyncio.run(scene())


def test_login_in_the_request_of_a_stream_ends_the_old_session_and_not_the_stream(sessions, cookie):
    """The stream is that of whoever logged in."""

    async def scene():
        _, app = streaming(sessions, Feed(act=lambda session: session.login("bob")))
        async with stream(app, cookie) as line:
            await started(line)
            await let_run()
            assert not line.app.done()
            await sessions.end_all("bob")
            await done(line.app)

    asyncio.run(scene())


def test_logout_in_the_request_of_a_stream_leaves_it_to_nobody(sessions, cookie):
    """It says goodbye, for as long as it likes."""

    async def scene():
        _, app = streaming(sessions, Feed(act=lambda session: session.logout()))
        async with stream(app, cookie) as line:
            await started(line)
            await sessions.end_everybody()
            await let_run()
            assert not line.app.done()

    asyncio.run(scene())


def test_new_session_that_was_withheld_ends_no_stream():
    """A visitor from another site is handed no session, and has none that could end."""
    strict = Cookie(secure=False, same_site=SameSite.STRICT)
    sessions = fresh_sessions(cookie=strict)
    app = SessionMiddleware(Feed(act=lambda s: (begin(s), s.id)), sessions)

    async def cross_site(scope, receive, send):
        scope["headers"] = [*scope["headers"], (b"sec-fetch-site", b"cross-site")]
        await app(scope, receive, send)

    async def scene():
        async with stream(cross_site) as line:
            await started(line)
            await sessions.end_everybody()
            await let_run()
            assert not line.app.done()

    asyncio.run(scene())


def test_locked_session_has_no_stream_to_end():
    """To the application nobody is there, before its end and after."""
    sessions = fresh_sessions(policy=Policy(lock=hours(2)))
    cookie = stored(sessions, begins)
    context_of(sessions).clock.advance(hours(1))

    async def scene():
        _, app = streaming(sessions)
        async with stream(app, cookie) as line:
            await started(line)
            await sessions.end_everybody()
            await let_run()
            assert not line.app.done()

    asyncio.run(scene())


def test_stream_ends_when_its_time_is_over(sessions, cookie):
    """A page that only listens is not used."""

    async def scene():
        _, app = streaming(sessions)
        async with stream(app, cookie) as line:
            await started(line)
            context_of(sessions).clock.advance(sessions.policy.idle)
            await done(line.app)
            assert line.heard[-1] == LAST

    asyncio.run(scene())


@pytest.mark.parametrize(("spec", "met"), [("2.3", []), ("2.4", [OSError]), ("2.10", [OSError])])
def test_application_that_sends_hears_it_as_of_its_server(sessions, cookie, spec, met):
    """From ASGI 2.4 on as an ``OSError``; before, what it says is dropped."""
    errors, sent, has_ended = [], [], asyncio.Event()

    async def sends(scope, receive, send):
        await start(send)
        await has_ended.wait()
        try:
            for _ in range(1_000):
                body = {"type": "http.response.body", "body": b"data: 2\n\n", "more_body": True}
                await send(body)
                sent.append(1)
        except OSError:
            errors.append(OSError)
            raise

    async def scene():
        async with stream(SessionMiddleware(sends, sessions), cookie, spec=spec) as line:
            await started(line)
            await sessions.end_all("alice")
            await reach_end(line)
            has_ended.set()
            await done(line.app)
            assert line.heard[-1] == LAST

    asyncio.run(scene())

    assert errors == met
    assert len(sent) == (0 if met else 1_000)


def test_application_that_never_listens_lets_the_others_go_on(sessions, cookie):
    """It sends without a pause what is dropped; others have their turn."""
    has_ended = asyncio.Event()

    async def sends(scope, receive, send):
        await start(send)
        await has_ended.wait()
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def scene():
        async with stream(SessionMiddleware(sends, sessions), cookie) as line:
            await started(line)
            await sessions.end_all("alice")
            await reach_end(line)
            has_ended.set()
            await let_run()

    asyncio.run(scene())


def test_stream_that_ends_by_itself_has_one_end(sessions, cookie):
    """An end of the session behind it says nothing more."""

    async def ends(scope, receive, send):
        await start(send)
        await send({"type": "http.response.body", "body": b"bye"})
        await sessions.end_all("alice")
        await let_run()

    async def scene():
        async with stream(SessionMiddleware(ends, sessions), cookie) as line:
            await done(line.app)
            assert line.heard[-1]["body"] == b"bye"
            assert context_of(sessions).watchers.find().list_keys() == []

    asyncio.run(scene())


def test_body_that_came_before_is_heard_as_ever(sessions, cookie):
    """What the client posts to a stream reaches its application piece by piece."""
    pieces = []

    async def reads(scope, receive, send):
        pieces.extend([await receive(), await receive()])
        await start(send)
        await receive()

    async def scene():
        async with stream(SessionMiddleware(reads, sessions), cookie) as line:
            line.say("http.request", body=b"more", more_body=False)
            await started(line)
            await sessions.end_all("alice")
            await done(line.app)

    asyncio.run(scene())

    assert [piece["body"] for piece in pieces] == [b"", b"more"]


def test_application_that_waits_since_before_the_start_hears_it(sessions, cookie):
    """Starlette begins to listen for the end of its client before it answers."""
    heard = []

    async def listens(scope, receive, send):
        await receive()
        listener = asyncio.create_task(receive())
        await let_run()
        await start(send)
        heard.append(await listener)

    async def scene():
        async with stream(SessionMiddleware(listens, sessions), cookie) as line:
            await started(line)
            await sessions.end_all("alice")
            await done(line.app)

    asyncio.run(scene())

    assert heard == [{"type": "http.disconnect"}]


def test_client_that_takes_nothing_holds_up_nobody(sessions, cookie):
    """Its application hears of the end, and the others end."""

    async def scene():
        feed, app = streaming(sessions)
        async with stream(app, cookie) as stuck, stream(streaming(sessions)[1], cookie) as line:
            await started(stuck)
            await started(line)
            stuck.takes.clear()
            await sessions.end_all("alice")
            await done(line.app)
            await let_run()
            assert feed.received[-1] == {"type": "http.disconnect"}
            stuck.takes.set()
            await done(stuck.app)
            assert stuck.heard[-1] == LAST

    asyncio.run(scene())


@pytest.mark.parametrize("leaves", ["client", "session"])
def test_nothing_is_left_of_a_stream_that_is_over(sessions, cookie, leaves):
    """No watch, and no task."""

    async def scene():
        before = asyncio.all_tasks()
        _, app = streaming(sessions)
        async with stream(app, cookie) as line:
            await started(line)
            watchers = context_of(sessions).watchers.find()
            assert len(watchers.list_keys()) == 1
            if leaves == "client":
                line.say("http.disconnect")
            else:
                await sessions.end_all("alice")
            await done(line.app)
        await let_run()
        assert watchers.list_keys() == []
        assert asyncio.all_tasks() == before

    asyncio.run(scene())
