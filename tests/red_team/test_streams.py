"""Sessions that somebody still holds: sockets, late handlers, other threads, background tasks."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.handlers import logs_out, who
from harness.servers import serve_asgi
from harness.sites import serve
from mutations.defences import revive
from red_team.attack import events_of, weakened_by
from red_team.pages import Page, publishing
from red_team.rows import rows_of
from sessile.core.policy import hours
from sessile.core.record import RecordKind
from sessile.core.state import SessionState
from sessile.errors import TooLate
from sessile.service.events import Dropped
from sessile.service.watchers import Watchers
from sessile.stores import sqlite
from sessile.stores.contract import COMMITTED, GONE, Conflict
from sessile.web import asgi, exchange, lazy
from sessile.web.open_connection import OpenConnection

PATIENCE = 10.0


def begins(session):
    session["v"] = 1
    session.login("alice")


async def chat(scope, receive, send):
    """Put what the client says into the session, and tell what it is then."""
    session = scope["session"]
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        session["v"] = message["text"]
        saved = await session.save()
        said = json.dumps([saved, session.user, dict(session)])
        await send({"type": "websocket.send", "text": said})


@contextmanager
def with_sockets(interface, url, **options):
    """Serve a site whose sessions WebSockets share, which are ASGI in either case."""
    with (
        serve(interface, url, **options) as site,
        serve_asgi(asgi.SessionMiddleware(chat, site.sessions, ended_code=None)) as address,
    ):
        site.socket = address.replace("http", "ws", 1) + "/"
        yield site


def gone_is_written_anew(patch):
    """A store that finds no row to replace makes one."""
    commit = sqlite.SQLiteStore.commit

    async def upsert(store, change):
        answer = await commit(store, change)
        ended = isinstance(answer, Conflict) and answer.current.kind is not RecordKind.SESSION
        if answer is not GONE and not ended:
            return answer
        await revive(store, change.record)
        return COMMITTED

    patch.setattr(sqlite.SQLiteStore, "commit", upsert)


ENDS = {
    "logged out in a request": lambda site, cookie: site.ask(logs_out, cookie),
    "ended by the server": lambda site, cookie: site.sessions.sync.end(cookie[4:24]),
    "all ended": lambda site, cookie: site.end_all("alice"),
}


@weakened_by(gone_is_written_anew, serve=with_sockets)
def test_a45_socket_does_not_outlive_its_session(site):
    """A socket that was open at the end of its session saves nothing, is nobody's, and is told."""
    for name, end in ENDS.items():
        cookie = site.ask(begins).cookie
        with connect(site.socket, additional_headers={"Cookie": cookie}) as socket:
            socket.send("before")
            assert json.loads(socket.recv()) == [True, "alice", {"v": "before"}], name
            end(site, cookie)
            site.events.clear()
            socket.send("after")

            assert json.loads(socket.recv()) == [False, None, {}], name
        assert [event.keys for event in events_of(site, Dropped)] == [("v",)], name
        assert site.ask(who, cookie).json is None, name
        assert site.values(cookie) == {}, name


def ends_are_not_looked_up(patch):
    """The store answers from what it has read before."""
    read, known = sqlite.SQLiteStore.read, {}

    async def remembered(store, key):
        known[key] = known.get(key) or await read(store, key)
        return known[key]

    patch.setattr(sqlite.SQLiteStore, "read", remembered)


@weakened_by(ends_are_not_looked_up, serve=with_sockets)
def test_a45_socket_can_ask_whether_its_session_lives(site):
    """``sessions.show(session.id)`` is None from the moment of the end: the application's signal.

    So it may close its sockets by itself, with ``ended_code=None``.
    """
    for name, end in ENDS.items():
        cookie = site.ask(begins).cookie
        assert site.sessions.sync.show(cookie[4:24]).user == "alice"
        end(site, cookie)
        assert site.sessions.sync.show(cookie[4:24]) is None, name
    cookie = site.ask(begins).cookie
    site.sessions.sync.show(cookie[4:24])
    site.clock.advance(hours(13))
    assert site.sessions.sync.show(cookie[4:24]) is None


@contextmanager
def with_closed_sockets(interface, url, **options):
    """Serve a site whose WebSockets end with their sessions."""
    url += f"{'&' if '?' in url else '?'}watch=0.2"
    with (
        serve(interface, url, **options) as site,
        serve_asgi(asgi.SessionMiddleware(chat, site.sessions)) as address,
    ):
        site.socket = address.replace("http", "ws", 1) + "/"
        yield site


def sockets_are_left_open(patch):
    """Nobody ends what is open."""
    patch.setattr(OpenConnection, "_part", lambda *_: None)


def ends_are_not_asked_for(patch):
    """Whoever was there once is there for ever."""
    patch.setattr(Watchers, "go", nothing_to_do)


async def nothing_to_do(_):
    """Rest for good."""


@weakened_by(
    sockets_are_left_open, ends_are_not_asked_for, serve=with_closed_sockets, interfaces=("asgi",)
)  # fmt: skip
def test_a45_socket_that_only_listens_is_closed(site):
    """Whoever stole a socket keeps it no longer than the session that it was opened with."""
    for name, end in ENDS.items():
        cookie = site.ask(begins).cookie
        with connect(site.socket, additional_headers={"Cookie": cookie}) as socket:
            socket.send("before")
            assert json.loads(socket.recv()) == [True, "alice", {"v": "before"}], name
            end(site, cookie)
            try:
                said = socket.recv(PATIENCE)
            except ConnectionClosed as closed:
                said = closed.rcvd.code
            except TimeoutError:
                said = "nothing"

            assert said == 4401, name


def later(state, reason):
    """Accept what comes after the answer, and lose it."""


def late_changes_are_lost_in_silence(patch):
    """A session that was saved takes changes as before."""
    patch.setattr(SessionState, "close", later)


LATE = {
    "set": lambda s: s.update(v=2),
    "delete": lambda s: s.pop("v"),
    "clear": lambda s: s.clear(),
    "increment": lambda s: s.increment("v"),
    "flash": lambda s: s.flash("too late"),
    "login": lambda s: s.login("alice"),
    "logout": lambda s: s.logout(),
    "rotate": lambda s: s.rotate(),
}


@weakened_by(late_changes_are_lost_in_silence, serve=publishing)
def test_a46_change_after_the_headers_have_left_raises(site):
    """Whatever a handler does to its session once its answer has begun is refused aloud."""
    cookie = site.ask(lambda session, _: Page(session.update(v=1))).cookie
    for name, act in LATE.items():
        became = []

        def late(session, act=act, became=became):
            try:
                act(session)
            except TooLate:
                became.append("refused")
            else:
                became.append("taken")

        reply = site.ask(lambda session, _, late=late: Page(session["v"], late=late), cookie)

        assert (reply.json, reply.set_cookie) == (1, None), name
        assert became == ["refused"], name
    assert site.ask(lambda session, _: Page(dict(session)), cookie).json == {"v": 1}


@weakened_by(late_changes_are_lost_in_silence)
def test_a47_session_that_was_kept_is_of_no_use_after_the_answer(site):
    """A background task that kept the session of a request can neither change nor revive it."""
    cookie = site.ask(begins).cookie
    for carried in (cookie, ""):
        kept = []
        site.ask(lambda session, kept=kept: kept.append(session) or session.user, carried)
        for act in LATE.values():
            try:
                act(kept[0])
            except (TooLate, KeyError):
                continue
            raise AssertionError("a change after the answer was taken")
    assert site.values(cookie) == {"v": 1}
    assert len(rows_of(site)) == 1


def one_transaction_serves_all(patch):
    """Whoever has a session is given the one that was opened first."""
    for module in (exchange, lazy):
        patch.setattr(module, "open_transaction", _shared(module.open_transaction))


def _shared(open_transaction):
    first = []

    async def found(context, request, **more):
        transaction = await open_transaction(context, request, **more)
        if transaction.opened.record is None:
            return transaction
        first.append(transaction.opened)
        return transaction.begin(first[0])

    return found


@weakened_by(one_transaction_serves_all)
def test_a47_overlapping_requests_keep_to_their_own_sessions(site):
    """While one request waits others begin and end; each sees and changes its own session alone."""
    alice, bob = (site.ask(lambda s, name=name: s.login(name)).cookie for name in ("alice", "bob"))

    def signs(session):
        session["mine"] = session.user
        return session.user

    with site.held(signs, alice) as first:
        assert site.ask(signs, bob).json == "bob"
        assert site.ask(who).json is None
    assert first.result().json == "alice"
    assert site.values(alice) == {"mine": "alice"}
    assert site.values(bob) == {"mine": "bob"}


@weakened_by(one_transaction_serves_all)
def test_a47_crowd_is_not_mixed_up(site):
    """Twenty users at once, on the same threads and the same loop, five requests each."""
    cookies = {f"u{n}": site.ask(lambda s, n=n: s.login(f"u{n}")).cookie for n in range(20)}

    def signs(session):
        session.increment(session.user)
        return session.user

    with ThreadPoolExecutor(10) as pool:
        asked = [(name, pool.submit(site.ask, signs, cookies[name])) for name in [*cookies] * 5]
    for name, reply in asked:
        assert reply.result().json == name
    for name, cookie in cookies.items():
        assert site.values(cookie) == {name: 5}
