"""A handler that fails: nothing half done, and no secret in what is told of it."""

import traceback
from contextlib import contextmanager

import pytest

from harness.handlers import logs_in, puts, reads, who
from red_team.attack import weakened_by
from red_team.rows import rows_of
from sessile.core.flow import run
from sessile.core.session import Session, state_of
from sessile.core.ticket import Ticket
from sessile.service import commit
from sessile.service.sessions import context_of
from sessile.web import asgi, exchange, lazy, wsgi
from sessile.web.late import FAILED


class MishapError(Exception):
    """What an application's handler raises."""


def fails(site, act, cookie=""):
    """Let a handler act and then raise; the answer is the server's own 500."""

    def mishap(session, *_):
        act(session)
        raise MishapError("the database of orders is gone")

    reply = site.ask(mishap, cookie)
    assert reply.status == 500
    site.statuses.remove(500)
    return reply


def failures_are_saved(patch):
    """What a handler did before it raised is stored."""
    asgi_close, wsgi_close = exchange.Exchange.close, lazy.RequestSession.close

    def exchange_close(exchange):
        if exchange._transaction is not None:
            run(commit.commit(exchange._transaction))
        asgi_close(exchange)

    def life_close(life, reason=FAILED):
        if life._transaction is not None and reason is FAILED:
            run(commit.commit(life._transaction))
        wsgi_close(life, reason)

    patch.setattr(exchange.Exchange, "close", exchange_close)
    patch.setattr(lazy.RequestSession, "close", life_close)


@weakened_by(failures_are_saved)
def test_a44_failed_request_leaves_no_trace(site):
    """A handler that raises changes nothing: no value, no login, no ticket, no cookie."""
    cookie = site.ask(puts(v=1)).cookie
    before = rows_of(site)[cookie.partition("=")[2][:20]]
    for act in (
        puts(v=2, w=3),
        logs_in,
        lambda s: s.logout(),
        lambda s: s.rotate(),
        lambda s: s.clear(),
    ):
        for carried in (cookie, ""):
            assert fails(site, act, carried).set_cookie is None
    assert len(rows_of(site)) == 1
    assert rows_of(site)[cookie.partition("=")[2][:20]] == before
    assert site.values(cookie) == {"v": 1}
    assert site.ask(who, cookie).json is None


@contextmanager
def told_of_failures():
    """Collect what a server would log of exceptions that leave the middleware, locals included."""
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        ways = {asgi.SessionMiddleware: _watched_async, wsgi.SessionMiddleware: _watched}
        for kind, watched in ways.items():
            patch.setattr(kind, "__call__", watched(kind.__call__, reports))
        yield reports


def _watched(whole, reports):
    def call(*args):
        try:
            return whole(*args)
        except Exception as error:
            reports.append(_report(error))
            raise

    return call


def _watched_async(whole, reports):
    async def call(*args):
        try:
            await whole(*args)
        except Exception as error:
            reports.append(_report(error))
            raise

    return call


REQUEST = {"scope", "environ", "said", "args"}
"""Locals that hold the request as the server gave it; whoever logs those has the Cookie header."""


def _report(error):
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    for frame in told.stack:
        shown = frame.locals or {}
        frame.locals = {name: text for name, text in shown.items() if name not in REQUEST}
    return "".join(told.format())


def drawn(site):
    """Note every ticket that is made from here on."""
    entropy, tickets = context_of(site.sessions).entropy, []

    def noting(size):
        drawn = entropy(size)
        tickets.extend([Ticket.mint(drawn)] if size == 45 else [])
        return drawn

    context_of(site.sessions).entropy = noting
    return tickets


def sessions_show_their_tickets(patch):
    """A session's repr says what it will be opened with."""
    _shown(patch, lambda session: f"<Session {_ticket_of(session)}>")


def _ticket_of(session):
    ticket = state_of(session)._ticket
    return "" if ticket is None else ticket.reveal()


def sessions_show_their_values(patch):
    """A session's repr is that of a dict."""
    _shown(patch, lambda session: f"<Session {dict(session)}>")


def _shown(patch, text):
    patch.setattr(Session, "__repr__", text)
    patch.setattr(lazy.LazySession, "__repr__", text)


def shown(site, act, cookie):
    """Return the report of a handler that acted and then failed, quoting its session."""

    def quoting(session):
        act(session)
        raise MishapError(f"what is wrong with {session!r}? {session}")

    def mishap(session):
        quoting(session)

    with told_of_failures() as reports:
        site.ask(mishap, cookie)
    site.statuses.remove(500)
    return "\n".join(reports)


@weakened_by(sessions_show_their_tickets, sessions_show_their_values)
def test_a44_traceback_shows_no_ticket(site):
    """What is logged of a failure, locals included, shows no ticket, no verifier and no value."""
    cookie, tickets = site.ask(puts(card="4111 1111")).cookie, drawn(site)
    for act in (reads, logs_in, puts(card="4111 1111"), lambda s: s.rotate()):
        report = shown(site, act, cookie)

        assert "MishapError" in report
        assert "_serve" in report or "attempt" in report
        for ticket in (*tickets, Ticket.parse(cookie.partition("=")[2])):
            assert ticket.reveal()[20:] not in report
            assert repr(ticket.verifier) not in report
        assert "4111 1111" not in report
