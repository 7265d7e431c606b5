"""Polls: requests that use the session and are no sign of life; sockets that ask after theirs."""

import asyncio

import pytest

from harness.clients import AsgiClient, FlaskClient, WsgiClient
from harness.recording_store import fresh_sessions, take_commands
from sessile import Policy
from sessile.core.flow import run
from sessile.core.policy import minutes
from sessile.core.ticket import Key
from sessile.errors import StoreUnavailable
from sessile.service.sessions import context_of
from web.asgi_chat import accept, stored, talk

IDLE = minutes(30)


@pytest.fixture
def sessions():
    return fresh_sessions(policy=Policy(idle=IDLE, rotate=minutes(1000)))


def count(session):
    return str(session.increment("n")).encode()


def look(session):
    return str(session.get("n")).encode()


@pytest.fixture(params=[AsgiClient, WsgiClient, FlaskClient])
def kind(request):
    return request.param


def customer(sessions):
    return stored(sessions, count)


def test_poll_keeps_no_session_alive(kind, sessions):
    """However often a page polls, its session ends when its visitor has been away long enough."""
    cookie, client = customer(sessions), kind(look, sessions, passive=("/poll",))
    found = []
    for _ in range(7):
        context_of(sessions).clock.advance(IDLE / 6)
        found.append(client.ask("/poll/news", cookie=cookie).body)

    assert found == [b"1"] * 5 + [b"None"] * 2


def test_any_other_request_keeps_it_alive(kind, sessions):
    """A path that only resembles a poll is a visitor's own."""
    cookie, client = customer(sessions), kind(look, sessions, passive=("/poll",))
    found = []
    for path in ["/po", "/a/poll", "/POLL", "/"] * 2:
        context_of(sessions).clock.advance(IDLE / 2)
        found.append(client.ask(path, cookie=cookie).body)

    assert found == [b"1"] * 8


def test_poll_reads_and_writes_as_any_request(kind, sessions):
    """What it changes is kept; the clock alone stands still."""
    cookie, client = customer(sessions), kind(count, sessions, passive=("/poll",))
    until = [stored_until(sessions, cookie)]
    context_of(sessions).clock.advance(IDLE / 2)
    said = client.ask("/poll", cookie=cookie).body
    until.append(stored_until(sessions, cookie))

    assert said == b"2"
    assert until[0] == until[1]


def stored_until(sessions, cookie):
    """When the session ends if nobody comes: read from the store, without a request."""
    key = cookie.removeprefix("sid=")[:20]
    record = run(context_of(sessions).store.read(Key(key)))
    take_commands(sessions)
    return record.idle_until


def test_poll_that_only_reads_costs_one_read(kind, sessions):
    """No commit moves a clock that is not to move."""
    cookie, client = customer(sessions), kind(look, sessions, passive=("/poll",))
    context_of(sessions).clock.advance(IDLE / 2)
    client.ask("/poll", cookie=cookie)

    assert take_commands(sessions) == ["read"]


def test_passive_socket_is_no_sign_of_life(sessions):
    """A handshake on such a path moves no clock, and neither does what it saves."""
    cookie = customer(sessions)
    before = stored_until(sessions, cookie)
    context_of(sessions).clock.advance(IDLE / 2)

    async def act(session, send):
        await accept(send)
        session.increment("n")
        await session.save()

    talk(act, sessions, cookie, passive=("/",))

    assert stored_until(sessions, cookie) == before


def told(sessions, cookie, *deeds):
    """Return what ``alive`` says in one WebSocket, before any deed and after each."""
    said = []

    async def act(session, send):
        await accept(send)
        said.append(await session.alive())
        for deed in deeds:
            await deed()
            said.append(await session.alive())

    talk(act, sessions, cookie)
    return said


def test_socket_hears_that_its_session_ended(sessions):
    """An operator ends the session, and the socket that is still open can tell."""
    cookie = stored(sessions, lambda session: session.login("alice"))

    async def end():
        await sessions.end_all("alice")

    async def wait():
        await asyncio.sleep(0)

    assert told(sessions, cookie, wait, end) == [True, True, False]


@pytest.mark.parametrize("begin", [count, lambda session: session.login("alice")])
def test_socket_hears_of_a_logout_elsewhere(sessions, begin):
    """The remains of a session that its visitor left are no session."""
    cookie = stored(sessions, begin)

    async def leave():
        await asyncio.to_thread(stored, sessions, lambda session: session.logout(), cookie)

    assert told(sessions, cookie, leave) == [True, False]


def test_socket_hears_that_the_time_is_over(sessions):
    """Asking is no sign of life: the clocks run on."""
    cookie = customer(sessions)

    async def almost():
        context_of(sessions).clock.advance(IDLE - 1)

    async def over():
        context_of(sessions).clock.advance(1)

    assert told(sessions, cookie, almost, over) == [True, True, False]


def test_nobodys_socket_has_no_session_that_lives(sessions):
    """A stranger's WebSocket asks no store."""
    assert told(sessions, "") == [False]
    assert take_commands(sessions) == []


def test_outage_is_no_end(sessions):
    """Whether the session lives cannot be told, so nothing is."""
    cookie = customer(sessions)
    caught = []

    async def act(session, send):
        await accept(send)
        context_of(sessions).store.down = True
        try:
            await session.alive()
        except StoreUnavailable as error:
            caught.append(error)

    talk(act, sessions, cookie)

    assert len(caught) == 1
