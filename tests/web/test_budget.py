"""What requests cost the store, counted in process: crowds of strangers, and busy handlers."""

import asyncio

import pytest

from harness.applications import asgi_app, counting_cookie, wsgi_app
from harness.browsers import AsgiBrowser, WsgiBrowser
from harness.recording_store import take_commands
from sessile.core.ticket import ENTROPY, Ticket
from sessile.errors import SessileError
from sessile.service.sessions import context_of
from sessile.testing.clock import SeededEntropy
from sessile.web import asgi, wsgi

HITS = 10_000


def look(session):
    session.get("cart")


def leave(session):
    pass


def asgi_crowd(act, sessions, cookies, **options):
    """Ask an ASGI application once with each of these cookies, in one event loop."""
    browser = AsgiBrowser(asgi.SessionMiddleware(asgi_app(act), sessions, **options))

    async def crowd():
        return [await browser.ask(cookies=[c] if c else []) for c in cookies]

    return asyncio.run(crowd())


def wsgi_crowd(act, sessions, cookies, **options):
    """Ask a WSGI application once with each of these cookies."""
    browser = WsgiBrowser(wsgi.SessionMiddleware(wsgi_app(act), sessions, **options))
    return [browser.get(cookies=[c] if c else []) for c in cookies]


@pytest.fixture(params=[asgi_crowd, wsgi_crowd])
def crowd(request):
    return request.param


def set_cookies(replies):
    return [line for reply in replies for line in reply.all("set-cookie")]


@pytest.mark.parametrize("act", [look, leave])
def test_ten_thousand_strangers_cost_nothing(crowd, sessions, act):
    """Hits without a cookie leave no record, get no cookie, and never ask the store."""
    replies = crowd(act, sessions, [""] * HITS)

    assert len(replies) == HITS
    assert set_cookies(replies) == []
    assert take_commands(sessions) == []
    assert len(context_of(sessions).store._rows) == 0


def test_scan_with_invented_cookies_leaves_no_record(crowd, sessions):
    """A security scan whose every hit brings a ticket of its own leaves not one record behind."""
    draw = SeededEntropy(1)
    cookies = [f"sid={Ticket.mint(draw(ENTROPY)).reveal()}" for _ in range(500)]
    replies = crowd(look, sessions, cookies)

    assert set_cookies(replies) == []
    assert take_commands(sessions) == ["read"] * 500
    assert len(context_of(sessions).store._rows) == 0


def test_static_files_cost_nothing_even_with_a_cookie(crowd, sessions):
    """Below an excluded prefix a visitor's cookie is not looked at, and no header is added."""
    cookie = counting_cookie(sessions)
    replies = crowd(lambda _: None, sessions, [cookie] * 20, exclude=("/",))

    assert {reply.status for reply in replies} == {200}
    assert [name for reply in replies for name in ("vary", "set-cookie") if reply.all(name)] == []
    assert take_commands(sessions) == []


def test_hundred_reads_and_writes_are_one_read_and_one_commit(crowd, sessions):
    """However often a handler looks and sets, its request is one read and one commit."""

    def busy(session):
        for n in range(100):
            session[f"k{n}"] = session.get(f"k{n - 1}")
            session.increment("n")

    crowd(busy, sessions, [counting_cookie(sessions)])

    assert take_commands(sessions) == ["read", "commit"]


def test_login_from_a_session_is_one_read_and_one_replace(crowd, sessions):
    """The new session takes the old one's place as one act, its limit and its tombstone in it."""
    crowd(lambda session: session.login("alice"), sessions, [counting_cookie(sessions)])

    assert take_commands(sessions) == ["read", "replace"]


def test_outage_is_caught_as_an_error_of_ours(sessions):
    """A handler that can do without its session catches the outage and answers by itself."""
    cookie, caught = counting_cookie(sessions), []
    context_of(sessions).store.down = True

    def careful(session):
        try:
            return str(session["n"]).encode()
        except SessileError as error:
            caught.append(error)
            return b"without a session"

    async def lazily(scope, receive, send):
        try:
            await asgi.load_session(scope)
        except SessileError as error:
            caught.append(error)
        await asgi_app(lambda _: None)(scope, receive, send)

    lazy = asgi.SessionMiddleware(lazily, sessions, load="lazy")
    replies = [*wsgi_crowd(careful, sessions, [cookie]), AsgiBrowser(lazy, cookie).get()]

    assert [reply.status for reply in replies] == [200, 200]
    assert set_cookies(replies) == []
    with pytest.raises(SessileError):
        sessions.sync.of("alice")
    assert len(caught) == 2
