"""A store that is gone, slow or full: an honest 503 in time, and nobody is logged out by it."""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from harness.handlers import logs_in, logs_out, puts, reads, who
from harness.redis_server import RedisServer
from harness.sites import serve
from red_team.attack import commands, weakened_by
from red_team.rows import rows_of
from sessile.core.state import SessionState
from sessile.core.ticket import Ticket
from sessile.errors import StoreUnavailable
from sessile.service.transaction import Opened, Standing, Transaction
from sessile.stores import redis, redis_url
from sessile.stores.contract import COMMITTED, Replaced
from sessile.web import exchange, lazy, wsgi

LIMIT = 0.5
MARGIN = 1.5  # a busy machine schedules threads when it can
KEEPS = ("--appendonly", "yes", "--appendfsync", "always")


@contextmanager
def own_server(interface, _, *, patience=20, **options):
    """Serve a site on a Redis of its own, which the attack may stop, freeze and fill.

    A server that is gone or full says so at once; the patience is for the machine of the tests.
    """
    with (
        tempfile.TemporaryDirectory() as place,
        RedisServer(Path(place), options=KEEPS) as server,
        serve(interface, f"{server.url}?timeout={patience}", **options) as site,
    ):
        site.server = server
        yield site


def is_honest(reply):
    """Tell whether an answer says that it is the store, and for how long to wait."""
    patient = int(reply.headers.get("retry-after", 0)) >= 1
    return reply.status == 503 and patient and reply.headers["cache-control"] == "no-store"


def begins(session):
    session["v"] = 1
    session.login("alice")


def outage_is_a_stranger(patch):
    """Who cannot be looked up is taken for a visitor."""
    for module in (exchange, lazy):
        patch.setattr(module, "open_transaction", _lenient(module.open_transaction))


def _lenient(open_transaction):
    async def opened(context, request, **more):
        try:
            return await open_transaction(context, request, **more)
        except StoreUnavailable:
            carrier, _ = context.carriers.find(request)
            visitor = Opened(Standing.ANONYMOUS, carrier)
            return Transaction(context, request, context.clock()).begin(visitor)

    return opened


def cookies_die_with_the_store(patch):
    """The answer to an outage takes the cookie away."""
    for module in (exchange, wsgi):
        patch.setattr(module, "refusal", _erasing(module.refusal))


def _erasing(refusal):
    def refused(error):
        said = refusal(error)
        erased = ("set-cookie", "sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
        return type(said)(said.status, said.reason, [*said.headers, erased], said.body)

    return refused


@weakened_by(outage_is_a_stranger, cookies_die_with_the_store, serve=own_server)
def test_a62_outage_logs_nobody_out(site):
    """While the store is gone every use of a session is a 503, and then everybody is back."""
    cookie = site.ask(begins).cookie
    site.server.stop()
    for act in (reads, who, puts(v=2), logs_in, logs_out):
        reply = site.ask(act, cookie)
        assert is_honest(reply), reply.status
        assert reply.set_cookie is None
    assert site.ask(lambda session: "no session was touched").status == 200
    site.server.start()
    assert site.ask(who, cookie).json == "alice"
    assert site.values(cookie) == {"v": 1}


def patience_is_long(patch):
    """A command is given three seconds, whatever the application's URL says."""
    patch.setattr(redis_url, "seconds", lambda text: 3.0)


@weakened_by(patience_is_long, serve=own_server, patience=LIMIT)
def test_a62_slow_store_costs_no_more_than_the_limit(site):
    """A server that takes commands and answers none is given up in time."""
    cookie = site.ask(begins).cookie
    site.server.freeze()
    try:
        for act in (reads, puts(v=2)):
            began = time.monotonic()
            reply = site.ask(act, cookie)
            took = time.monotonic() - began

            assert took < LIMIT + MARGIN
            assert is_honest(reply), reply.status
            assert reply.set_cookie is None
    finally:
        site.server.thaw()
    assert site.values(cookie) == {"v": 1}


def what_is_not_stored_is_forgotten(patch):
    """An answer leaves whether its session was stored or not."""
    for module in (exchange, lazy):
        patch.setattr(module, "begin_commit", _forgetful(module.begin_commit))


def _forgetful(begin_commit):
    def begun(transaction):
        flow = begin_commit(transaction)
        return None if flow is None else keep_quiet(flow)

    async def keep_quiet(flow):
        try:
            return await flow
        except StoreUnavailable:
            return ()

    return begun


@weakened_by(what_is_not_stored_is_forgotten, serve=own_server)
def test_a62_store_that_dies_in_the_middle_is_told(site):
    """A request whose session was read and cannot be stored is no success, and changes nothing."""
    cookie = site.ask(begins).cookie
    for act in (puts(v=2), logs_out, logs_in):
        with site.held(act, cookie) as late:
            site.server.stop()
        reply = late.result()
        site.server.start()

        assert is_honest(reply), reply.status
        assert reply.set_cookie is None
        back = site.ask(who, cookie)
        assert (back.status, back.json) == (200, "alice")
        assert site.values(cookie) == {"v": 1}


def visitors_are_stored(patch):
    """Every visitor gets a session at once, as in PHP."""
    init = SessionState.__init__

    def started(state, record, *rest, **more):
        init(state, record, *rest, **more)
        if record is None:
            state.values["started"] = True

    patch.setattr(SessionState, "__init__", started)


@weakened_by(visitors_are_stored)
def test_a63_flood_of_visitors_stores_nothing(site):
    """Two hundred visitors, half of them with an id they made up, leave no row behind."""
    with commands(site) as asked:
        for number in range(100):
            made_up = Ticket.mint(number.to_bytes(45, "big"))
            for cookie in ("", f"sid={made_up.reveal()}"):
                reply = site.ask(reads, cookie)
                assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None)
    assert set(asked) == {"read"}
    assert len(asked) == 100, "who has no ticket costs no command"
    assert len(rows_of(site)) == 0


def full_is_fine(patch):
    """A server that refuses to store more is not listened to."""
    for name, said in (("create", None), ("replace", Replaced()), ("commit", COMMITTED)):
        patch.setattr(redis.RedisStore, name, _deaf(getattr(redis.RedisStore, name), said))


def _deaf(method, said):
    async def asked(store, *args, **more):
        try:
            return await method(store, *args, **more)
        except StoreUnavailable:
            return said

    return asked


@weakened_by(full_is_fine, serve=own_server)
def test_a63_full_store_refuses_writers_and_keeps_its_sessions(site):
    """Without memory left Redis takes nothing new: a 503 for writers, the others read on.

    That is its policy ``noeviction``. A logout frees memory, and holds.
    """
    cookie, other = site.ask(begins).cookie, site.ask(begins).cookie
    site.server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    site.server.ask("CONFIG", "SET", "maxmemory", "1")
    for act, carried in ((puts(v=2), cookie), (puts(v=2), ""), (logs_in, cookie), (logs_in, "")):
        reply = site.ask(act, carried)
        assert is_honest(reply), reply.status
        assert reply.set_cookie is None
    assert site.ask(who, cookie).json == "alice"
    assert site.values(cookie) == {"v": 1}
    site.ask(logs_out, other)
    assert site.ask(who, other).json is None
    site.server.ask("CONFIG", "SET", "maxmemory", "0")
    assert site.ask(puts(v=2), cookie).status == 200
    assert site.ask(who, other).json is None
