"""Players and downloads: paths and carriers whose requests keep the ticket that they have."""

import flask
import pytest

from harness.applications import asgi_app, wsgi_app
from harness.browsers import WsgiBrowser
from harness.clients import AsgiClient, FlaskClient, WsgiClient
from harness.recording_store import fresh_sessions, take_commands
from sessile import Bearer, Cookie, ForgeableBody, LeakyQuery, Policy
from sessile.core.policy import hours
from sessile.errors import ConfigError, SessionTooLarge
from sessile.service.events import Replayed
from sessile.service.sessions import context_of
from sessile.web.flask import Sessile
from web.asgi_chat import accept, cookies_set, stored, talk

MEDIA = {"unrotated": ("/media/", "/files/")}
CARRIERS = [
    Bearer(unrotated=True), LeakyQuery("sid", unrotated=True), ForgeableBody("sid", unrotated=True)
]  # fmt: skip


@pytest.fixture(params=[AsgiClient, WsgiClient, FlaskClient])
def kind(request):
    return request.param


@pytest.fixture
def events():
    return []


@pytest.fixture
def sessions(events):
    return fresh_sessions(policy=Policy(idle=hours(11)), hooks=[events.append])


def look(session):
    return str(session.user).encode()


def customer(sessions):
    return stored(sessions, lambda session: session.login("alice"))


def turn(sessions, cookie, times=1):
    """Let a page turn its ticket so often; return the last one."""
    for _ in range(times):
        context_of(sessions).clock.advance(901)
        cookie = stored(sessions, look, cookie)
        stored(sessions, look, cookie)
    return cookie


def test_player_turns_no_ticket_and_gets_none(kind, sessions):
    """A request that is due to turn it is served as it is; the page's next one turns it."""
    cookie, client = customer(sessions), kind(look, sessions, **MEDIA)
    context_of(sessions).clock.advance(901)

    for path in ("/media/film.mp4", "/files/film.mp4"):
        reply = client.ask(path, cookie=cookie)
        assert (reply.body, reply.all("set-cookie")) == (b"alice", [])
    for path in ("/media", "/a/media/"):
        assert client.ask(path, cookie=cookie).all("set-cookie") != []


def test_player_is_served_for_hours(kind, sessions, events):
    """Its copy of the cookie opens its own path, however often the page's ticket has turned."""
    copy, client = customer(sessions), kind(look, sessions, **MEDIA)
    turn(sessions, copy, times=12)
    context_of(sessions).clock.advance(hours(2))
    take_commands(sessions)
    reply = client.ask("/media/film.mp4", cookie=copy)

    assert (reply.body, reply.all("set-cookie")) == (b"alice", [])
    assert not [event for event in events if isinstance(event, Replayed)]
    assert client.ask("/", cookie=copy).body == b"None"  # the copy is used, and long ago
    assert [event for event in events if isinstance(event, Replayed)]


def test_path_that_climbs_out_is_no_players(kind, sessions, events):
    """Where an application takes it for the page above, an old ticket opens nothing there."""
    copy, client = customer(sessions), kind(look, sessions, **MEDIA)
    turn(sessions, copy, times=12)
    context_of(sessions).clock.advance(hours(2))

    assert client.ask("/media/../account", cookie=copy).body == b"None"
    assert [event for event in events if isinstance(event, Replayed)]


def grow(session):
    session["film"] = []
    session["film"].append("x" * 3_000)


async def asgi_page(scope, receive, send):
    await asgi_app(lambda _: None, body=str(scope["session"].user).encode())(scope, receive, send)


def wsgi_page(environ, start_response):
    return wsgi_app(lambda session: str(session.user).encode())(environ, start_response)


@pytest.mark.parametrize(("kind", "page"), [(AsgiClient, asgi_page), (WsgiClient, wsgi_page)])
def test_page_for_an_error_is_served_with_the_copy_too(kind, page, events):
    """What could not be saved there makes no thief of the player: the session goes on."""
    policy = Policy(idle=hours(11), max_bytes=2_000)
    sessions = fresh_sessions(policy=policy, hooks=[events.append])
    copy = customer(sessions)
    cookie = turn(sessions, copy, times=12)
    context_of(sessions).clock.advance(hours(2))
    reply = kind(grow, sessions, **MEDIA, answers={SessionTooLarge: page}).ask(
        "/media/film.mp4", cookie=copy
    )

    assert (reply.body, reply.all("set-cookie")) == (b"alice", [])
    assert not [event for event in events if isinstance(event, Replayed)]
    assert kind(look, sessions).ask(cookie=cookie).body == b"alice"


def test_late_look_with_the_copy_is_no_theft(sessions, events):
    """A function of Flask's teardown that reads the session finds the player's, which goes on."""
    copy = customer(sessions)
    turn(sessions, copy, times=12)
    context_of(sessions).clock.advance(hours(2))
    app, seen = flask.Flask("films"), []
    Sessile(app, sessions, **MEDIA)
    app.add_url_rule("/media/film.mp4", "film", lambda: "film")
    app.teardown_request(lambda _: seen.append(flask.session.user))
    WsgiBrowser(app).get("/media/film.mp4", cookies=[copy])

    assert seen == ["alice"]
    assert not [event for event in events if isinstance(event, Replayed)]


def test_first_value_and_login_hand_over_a_ticket_there_too(kind, sessions):
    """A session that begins there has to be held by somebody."""
    client = kind(lambda session: str(session.increment("n")).encode(), sessions, **MEDIA)
    cookie = client.ask("/media/").all("set-cookie")[0].partition(";")[0]

    assert client.ask("/media/", cookie=cookie).body == b"2"


@pytest.mark.parametrize("wrong", ["/media/", ["media/"], [1], ("/a", "b")])
def test_prefix_that_is_no_path_is_refused_at_start(kind, sessions, wrong):
    """As that of ``passive`` is."""
    with pytest.raises(ConfigError, match="unrotated"):
        kind(look, sessions, unrotated=wrong)


def test_players_socket_is_handed_no_ticket(sessions):
    """A handshake with an old ticket on such a path is served, and its answer sets no cookie."""
    copy = customer(sessions)
    turn(sessions, copy)
    context_of(sessions).clock.advance(hours(2))
    found = []

    async def act(session, send):
        found.append(session.user)
        session.rotate()
        await accept(send)

    (accepted,) = talk(act, sessions, copy, unrotated=("/",))

    assert found == ["alice"]
    assert cookies_set(accepted) == []


def brought(carrier, ticket):
    """Return a request that brings a ticket by that carrier."""
    if isinstance(carrier, Bearer):
        return {"headers": {"authorization": f"Bearer {ticket}"}}
    if isinstance(carrier, LeakyQuery):
        return {"query": f"sid={ticket}"}
    body = f"sid={ticket}".encode()
    kind = {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(body))}
    return {"method": "POST", "body": body, "headers": kind}


@pytest.mark.parametrize("kind", [AsgiClient, WsgiClient])
@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: type(carrier).__name__)
def test_carrier_of_players_keeps_its_ticket(kind, carrier):
    """Beside the cookie of its page, on any path; the cookie itself turns as ever."""
    sessions = fresh_sessions(
        carriers=[Cookie("sid", secure=False), carrier], policy=Policy(idle=hours(11))
    )
    cookie, client = customer(sessions), kind(look, sessions)
    ticket = cookie.removeprefix("sid=")
    turn(sessions, cookie, times=3)
    context_of(sessions).clock.advance(hours(2))
    reply = client.ask("/film.mp4", **brought(carrier, ticket))

    assert reply.body == b"alice"
    assert (reply.all("set-cookie"), reply.all("session-ticket")) == ([], [])
    assert client.ask("/film.mp4", cookie=cookie).body == b"None"
