"""What an error tracker finds in our frames when a store or a server fails under a request."""

import asyncio
from pathlib import Path

import flask
import pytest

import sessile
from sessile import Cookie, Sessions
from sessile.core import flow as flows
from sessile.core.ticket import ENTROPY, Ticket
from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.testing.error_report import report_error
from sessile.testing.world import SECRET
from sessile.web import asgi, exchange, lazy, websocket, wsgi
from sessile.web import flask as web_flask
from sessile.wire import system

OURS = str(Path(sessile.__file__).parent)
CARD = "4111 1111 1111 1111"

REQUEST = ("scope", "environ", "args")
"""Locals of ours that hold the request as the server gave it; its own frames hold it as well."""


class BrokenPipe(Exception):  # noqa: N818  (what a server calls it)
    """What a server raises that cannot send."""


class Outage:
    """The store fails at one command of a request.

    Args:
        at: which one, from 1; 0 is none.
    """

    def __init__(self, at=0):
        self.left = at
        self.errors = []

    def strike(self, patch):
        """Cut every flow of the web floor, and keep the errors that are answered with a 503."""
        for module, name in ((exchange, "arun"), (websocket, "arun"), (lazy, "run")):
            whole = getattr(flows, name)
            patch.setattr(module, name, lambda flow, whole=whole: whole(CutFlow(flow, self)))
        for module in (exchange, wsgi, websocket, web_flask):
            patch.setattr(module, "refusal", self._keep(module.refusal))

    def _keep(self, refusal):
        def keeping(error):
            self.errors.append(error)
            return refusal(error)

        return keeping


class CutFlow:
    """A flow whose Asks are counted; the one that the outage waits for fails."""

    def __init__(self, flow, outage):
        self.flow, self.outage = flow, outage
        self.close = flow.close

    def send(self, value):
        return self._count(self.flow.send(value))

    def throw(self, error):
        return self._count(self.flow.throw(error))

    def _count(self, ask):
        self.outage.left -= 1
        return ask if self.outage.left else self.throw(StoreUnavailable("memory://", "gone"))


class Visit:
    """A browser's requests to one application, in process; it notes all that must not be seen.

    Args:
        interface: whose requests they are.
    """

    def __init__(self, interface):
        self.interface = interface
        self.drawn = []
        self.cookie = ""
        self.sessions = Sessions(
            "memory://",
            secrets=[SECRET],
            cookie=Cookie(secure=False),
            clock=FakeClock(),
            entropy=self._draw,
        )

    def _draw(self, size):
        drawn = system.entropy(size)
        self.drawn += [Ticket.mint(drawn)] if size == ENTROPY else []
        return drawn

    def secrets(self):
        """Yield every text that gives a secret away."""
        yield from (SECRET, CARD)
        for drawn in self.drawn:
            for ticket in (drawn, drawn.successor(SECRET.encode())):
                yield from (ticket.reveal()[20:], repr(ticket.verifier)[2:-1])

    def ask(self, act, *, breaks=False):
        """Make a request; where it breaks the server cannot send the start of the answer."""
        take = self._fail if breaks else self._take
        if self.interface in ("asgi", "websocket"):
            asyncio.run(self._asgi(act, take))
        else:
            self._wsgi(act, take)

    def _fail(self, headers):
        raise BrokenPipe

    def _take(self, headers):
        for name, value in headers:
            if name.lower() == "set-cookie":
                self.cookie = value.partition(";")[0]

    async def _asgi(self, act, take):
        kind = "http" if self.interface == "asgi" else "websocket"
        start = "http.response.start" if kind == "http" else "websocket.accept"

        async def app(scope, receive, send):
            act(scope["session"])
            await send({"type": start, "status": 200, "headers": []})

        async def receive():
            return {"type": f"{kind}.connect"}

        async def send(message):
            if message["type"] == start:
                take([(n.decode(), v.decode()) for n, v in message.get("headers", ())])

        headers = [(b"host", b"shop"), (b"cookie", self.cookie.encode())]
        scope = {"type": kind, "method": "GET", "path": "/", "query_string": b"", "scheme": "http"}
        middleware = asgi.SessionMiddleware(app, self.sessions)
        await middleware(scope | {"headers": headers, "client": ("192.0.2.7", 1)}, receive, send)

    def _wsgi(self, act, take):
        def app(environ, start_response):
            act(environ["sessile.session"])
            start_response("200 OK", [])
            return [b""]

        def start_response(status, headers, trouble=None):
            take(headers)

        whole = wsgi.SessionMiddleware(app, self.sessions)
        if self.interface == "flask":
            shop = flask.Flask("flask shop")
            shop.logger.disabled = True
            web_flask.Sessile(shop, self.sessions)
            shop.add_url_rule("/", "page", lambda: act(flask.session) or "")
            whole = shop
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_COOKIE": self.cookie}
        environ |= {"SERVER_NAME": "shop", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
        body = whole(environ, start_response)
        list(body)
        getattr(body, "close", list)()


def reads(session):
    session.get("card")


def pays(session):
    session.increment("n")  # opens a lazy one: a value on its way there is in the caller's hands
    session["card"] = f"{CARD} 1"


def logs_in(session):
    session.login("alice")
    session["card"] = CARD


def rotates(session):
    session.rotate()


def steps_up(session):
    session.step_up("pay", factors=("totp",))


def logs_out(session):
    session.logout()


INTERFACES = ("asgi", "wsgi", "flask", "websocket")


@pytest.fixture(params=INTERFACES)
def visit(request):
    """A browser that is logged in."""
    visit = Visit(request.param)
    visit.ask(logs_in)
    visit.ask(reads)
    yield visit
    visit.sessions.sync.close()


@pytest.mark.parametrize("act", [reads, pays, logs_in, rotates, steps_up, logs_out])
def test_failing_store_shows_no_secret_of_a_request(monkeypatch, visit, act):
    """Whichever command of a request fails, our frames show no ticket, no value and no secret."""
    failures = 0
    for number in range(1, 10):
        outage = Outage(number)
        with monkeypatch.context() as patch:
            outage.strike(patch)
            visit.ask(act)
        if not outage.errors:
            break
        failures += 1
        for error in outage.errors:
            report = report_error(error, within=OURS, leaving_out=REQUEST)
            assert "_open" in report or "commit" in report
            for secret in visit.secrets():
                assert secret not in report
        visit.ask(logs_in)
        visit.ask(reads)  # to show the ticket is housekeeping, which waits in an outage

    assert failures >= (1 if act is reads else 2)


@pytest.mark.parametrize("act", [logs_in, rotates, steps_up])
def test_server_that_cannot_send_shows_no_fresh_ticket(visit, act):
    """Where the server fails with the Set-Cookie in hand, none of our frames shows the ticket."""
    with pytest.raises(BrokenPipe) as broken:
        visit.ask(act, breaks=True)
    report = report_error(broken.value, within=OURS, leaving_out=REQUEST)

    assert "self = <sessile.web" in report
    for secret in visit.secrets():
        assert secret not in report
