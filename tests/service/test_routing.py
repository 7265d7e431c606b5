"""The route cookie of sessions: who is handed one, when it is replaced, when it is taken back."""

import pytest

from sessile import Bearer, Cookie, SameSite, Sessions
from sessile.core.carrier import CookieCarrier
from sessile.core.request import PlainRequest
from sessile.core.route import ROUTE_COOKIE, route_token
from sessile.core.session import Session
from sessile.errors import ConfigError
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.stories import logs_in, logs_out, puts, reads
from sessile.testing.world import SECRET


class Site:
    """Servers by their names, on one store, and a browser that goes to any."""

    def __init__(self, drive, *names, **more):
        self.drive, self.store, self.jar, self.unrotated = drive, MemoryStore(), {}, False
        self.servers = {
            name: Sessions(store=self.store, secrets=[SECRET], server=name, **more)
            for name in names
        }

    def ask(self, name, handler, **headers):
        """Make a request at a server; return the route that its answer sets, "" for its end."""
        told = dict(self.drive(self._request(name, handler, headers)))
        self.jar |= told
        self.jar = {key: value for key, value in self.jar.items() if value}
        return told.get(ROUTE_COOKIE)

    async def _request(self, name, handler, headers):
        cookie = "; ".join(f"{key}={value}" for key, value in self.jar.items())
        request = PlainRequest({"cookie": cookie, "user-agent": "Firefox", **headers})
        context = context_of(self.servers[name])
        transaction = await open_transaction(context, request, unrotated=self.unrotated)
        handler(Session(transaction.state))
        given = await commit(transaction)
        cookies = [value.partition(";")[0] for name, value in given if name == "set-cookie"]
        return [(key, value) for key, _, value in (one.partition("=") for one in cookies)]


def token(name):
    return route_token(name, SECRET.encode())


def test_session_that_is_made_here_comes_back(drive):
    """It is told once, with what was stored, and not to whoever brings it."""
    site = Site(drive, "a")
    assert site.ask("a", reads) is None
    assert site.ask("a", puts(v=1)) == token("a")
    assert site.ask("a", puts(v=2)) is None
    assert site.ask("a", reads) is None
    assert site.ask("a", logs_in()) == token("a"), "it lasts as long as the new ticket"


def test_session_that_comes_to_another_server_stays_there(drive):
    """Its own was away. A request that only reads is enough to tell."""
    site = Site(drive, "a", "b")
    site.ask("a", logs_in())
    assert site.ask("b", reads) == token("b")
    assert site.ask("b", reads) is None
    assert site.ask("a", puts(v=1)) == token("a")


def test_route_that_was_made_up_is_replaced(drive):
    """Nobody chooses a server by guessing."""
    site = Site(drive, "a")
    site.ask("a", logs_in())
    site.jar[ROUTE_COOKIE] = token("elsewhere")

    assert site.ask("a", reads) == token("a")


def test_visitor_without_a_session_is_told_no_route(drive):
    """There is nothing to come back to; whoever has one from before keeps it."""
    site = Site(drive, "a")
    site.jar[ROUTE_COOKIE] = token("b")

    assert site.ask("a", reads) is None


def test_logout_frees_the_client(drive):
    """The next one on that browser goes where there is room."""
    site = Site(drive, "a")
    site.ask("a", logs_in())

    assert site.ask("a", logs_out) == ""
    assert ROUTE_COOKIE not in site.jar


def test_route_that_somebody_else_has_put_beside_it_is_no_matter(drive):
    """As a sibling host can: nobody is told the same with each answer, and a drain takes ours."""
    site = Site(drive, "a")
    site.ask("a", logs_in())
    own = site.jar.pop(ROUTE_COOKIE)
    site.jar[ROUTE_COOKIE] = f"{own}; {ROUTE_COOKIE}=planted"
    assert site.ask("a", reads) is None
    site.servers["a"].drain()
    assert site.ask("a", reads) == ""


def test_client_that_keeps_its_cookies_is_told_no_route(drive):
    """A player would be told with each piece of a film, none of which any cache could keep."""
    site = Site(drive, "a", "b")
    site.ask("a", logs_in())
    site.unrotated = True

    assert site.ask("b", reads) is None


def test_drain_is_told_to_a_client_that_keeps_its_cookies(drive):
    """Else a page that holds a WebSocket would come back to the same server again and again."""
    site = Site(drive, "a", "b")
    site.ask("a", logs_in())
    site.unrotated = True
    site.servers["a"].drain()

    assert site.ask("a", reads) == ""


def test_route_is_as_the_cookie_that_carries_tickets(drive):
    """Wherever a browser keeps that, it keeps this one."""
    carriers = [CookieCarrier(Cookie(same_site=SameSite.NONE, partitioned=True))]
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET], server="a", carriers=carriers)

    told = context_of(sessions).route.issue(None)[0][1]
    assert told.endswith("; Secure; HttpOnly; SameSite=None; Partitioned")


def test_program_without_cookies_has_no_route(drive):
    """A balancer could tell it nothing."""
    site = Site(drive, "a", carriers=[Cookie(), Bearer()])
    site.ask("a", logs_in())
    ticket = site.jar["__Host-sid"]
    site.jar = {}

    assert site.ask("a", puts(v=1), authorization=f"Bearer {ticket}") is None


def test_drained_server_sends_its_clients_away(drive):
    """Each with its next request, whatever that does; who comes all the same is served."""
    site = Site(drive, "a", "b")
    site.ask("a", logs_in())
    stranger = Site(drive)
    stranger.servers, stranger.jar = site.servers, {ROUTE_COOKIE: token("a")}
    site.servers["a"].drain()
    assert site.servers["a"].is_drained
    assert stranger.ask("a", reads) == "", "whose session has ended"
    assert site.ask("a", reads) == ""
    assert site.ask("a", puts(v=1)) is None
    assert site.ask("a", logs_in("bob")) is None
    assert site.ask("b", reads) == token("b")
    site.servers["a"].undrain()
    assert site.ask("a", reads) == token("a")


def test_without_a_name_there_is_no_route(drive):
    """Nothing changes for a site that is not sticky."""
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET])

    assert context_of(sessions).route is None


def test_name_is_taken_from_the_environment(monkeypatch):
    """As all that differs from server to server."""
    monkeypatch.setenv("SESSILE_SERVER", "a")
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET])

    assert context_of(sessions).route.issue(None)[0][1].startswith(f"{ROUTE_COOKIE}={token('a')};")


def test_server_without_a_secret_is_refused(monkeypatch, tmp_path):
    """Its own would make a token that no balancer knows."""
    monkeypatch.delenv("SESSILE_SECRETS", raising=False)
    with pytest.raises(ConfigError, match="set SESSILE_SECRETS to one that they share"):
        Sessions(f"sqlite:///{tmp_path}/sessions.db", server="a")
    assert list(tmp_path.glob("*.key")) == [], "the next start would warn of it"
