"""Bounded load: who is sent to another server, how many, and that it comes to an end."""

import asyncio
from itertools import cycle

import pytest

from sessile import Cookie, Sessions
from sessile.core.flow import run
from sessile.core.life import open_life
from sessile.core.request import PlainRequest
from sessile.core.route import ROUTE_COOKIE
from sessile.core.session import Session
from sessile.errors import ConfigError
from sessile.service.bounded_load import BOUND, COMPARES, FEWEST, BoundedLoad, excess
from sessile.service.commit import accept, commit
from sessile.service.open import open_transaction
from sessile.service.server_row import ServerStatus, load_of_servers
from sessile.service.sessions import context_of
from sessile.service.traffic import MOST_SEEN, PERIOD, Traffic
from sessile.service.watch import watch
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import T0, FakeClock
from sessile.testing.promises.stories import logs_in, reads
from sessile.testing.world import SECRET


def status(name, sessions, *, workers=1, counted=None, drained=0, is_drained=False):
    """Return a server whose workers have the same number each."""
    counted = workers if counted is None else counted
    return ServerStatus(
        name,
        is_drained,
        workers,
        requests=0,
        sockets=0,
        sessions=sessions,
        undrained=workers - drained,
        counted=counted,
        sessions_counted=sessions,
    )


@pytest.mark.parametrize(
    ("servers", "many"),
    [
        ([status("a", 500), status("b", 100)], 125),  # the mean is 300
        ([status("a", 125), status("b", 75)], 0),  # just what it may have
        ([status("a", 500)], 0),
        ([status("a", FEWEST - 1), status("b", 0)], 0),
        ([status("a", FEWEST), status("b", 0)], 7),
        ([status("b", 500), status("c", 100)], 0),  # it told nothing
        ([status("a", 500), status("b", 0, workers=0)], 0),  # the other one is down
        ([status("a", 500), status("b", 0, is_drained=True)], 0),
        ([status("a", 500), status("b", 0, drained=1)], 0),
        ([status("a", 500, is_drained=True), status("b", 100)], 0),
        ([status("a", 500), status("b", 100), status("c", 0, counted=0)], 125),
        ([status("a", 500, counted=0), status("b", 100)], 0),
        ([status("a", 500, workers=2), status("b", 100)], 0),  # who counted some twice
        ([status("a", 500), status("b", 100, workers=2)], 0),
    ],
)
def test_excess_is_what_is_beyond_the_bound(servers, many):
    """Of those that are up, take clients, and have counted for a minute; where there are two."""
    assert excess("a", servers, BOUND) == many


def test_few_move_at_a_time():
    """One of twenty sessions between two looks, so that no other server is swamped."""
    load = BoundedLoad(BOUND, Traffic())
    for key in ("one", "two", "three", "four"):
        assert not load.may_move(key)
    load.look("a", [status("a", 120), status("b", 0)], T0)
    moved = []
    while load.may_move(key := f"{len(moved)}"):
        load.move(key)
        moved.append(key)

    assert len(moved) == 120 / 20


def test_session_that_is_moved_counts_no_more():
    """At once, and not when its minute is over: else more would be moved than is too many."""
    traffic = Traffic()
    load = BoundedLoad(BOUND, traffic)
    traffic.count_sessions(T0)
    for key in ("one", "two", "three"):
        traffic.see(key)
    assert traffic.count_sessions(T0 + PERIOD) == 3
    load.move("one")
    assert traffic.count_sessions(T0 + PERIOD) == 2
    for key in ("two", "three"):
        traffic.see(key)
    load.move("two")

    assert traffic.count_sessions(T0 + PERIOD) == 1


def test_server_counts_once_it_has_counted_for_a_period():
    """One that has just been started knows but few of its sessions yet."""
    site = Site("a")
    context = context_of(site.servers["a"])
    site.look()
    (new,) = run(load_of_servers(context, site.clock()))
    site.clock.advance(PERIOD)
    site.look()
    (old,) = run(load_of_servers(context, site.clock()))

    assert (new.counted, old.counted) == (0, 1)


def test_the_others_are_looked_at_every_few_seconds():
    """Not each second: it is a command for every server. At once where a clock went back."""
    load = BoundedLoad(BOUND, Traffic())
    assert load.is_due(T0)
    load.look("a", [], T0)

    assert not load.is_due(T0 + COMPARES - 1)
    assert load.is_due(T0 + COMPARES)
    assert load.is_due(T0 - 60)


def test_servers_of_long_ago_cost_no_reads(monkeypatch):
    """In Kubernetes each pod has a name of its own, which is kept for a week."""
    site = Site("a", "b", *(f"pod-{n}" for n in range(9)))
    site.look()
    for name in list(site.servers)[2:]:
        del site.servers[name]
    site.log_in("a", 60)
    site.log_in("b", 60)
    site.pass_minutes(40)
    context, asked = context_of(site.servers["a"]), []
    read = context.store.read

    async def count(key):
        asked.append(key)
        return await read(key)

    monkeypatch.setattr(context.store, "read", count)
    site.clock.advance(COMPARES)
    run(context.worker.look(context))

    assert len(asked) <= 6, "its own row twice, the names, and two servers"
    assert len(run(load_of_servers(context, site.clock()))) == 11


def test_whoever_just_came_stays_for_a_period():
    """Else it could go round, or come back to this very server and leave again."""
    load, servers = BoundedLoad(BOUND, Traffic()), [status("a", 500), status("b", 0)]
    load.look("a", servers, T0)
    load.welcome("new")
    assert not load.may_move("new")
    assert load.may_move("old")
    load.look("a", servers, T0 + PERIOD)
    assert not load.may_move("new")
    load.look("a", servers, T0 + 2 * PERIOD)

    assert load.may_move("new")


def test_newcomers_that_are_remembered_have_a_bound():
    """Beyond it one more may be moved too early, and memory does not grow."""
    load = BoundedLoad(BOUND, Traffic())
    load.look("a", [status("a", 500), status("b", 0)], T0)
    for number in range(MOST_SEEN + 1):
        load.welcome(f"{number}")

    assert not load.may_move("0")
    assert load.may_move(f"{MOST_SEEN}")


class Client:
    """A browser, and the server that its last answer came from."""

    def __init__(self):
        self.jar, self.server = {}, None

    def ask(self, site, name, handler=reads, way=commit):
        """Make a request at a server; return the route that it sets, "" for its end."""
        cookie = "; ".join(f"{key}={value}" for key, value in self.jar.items())
        request = PlainRequest({"cookie": cookie, "user-agent": "Firefox"})
        context = context_of(site.servers[name])
        transaction = run(open_transaction(context, request))
        handler(Session(transaction.state))
        given = run(way(transaction))
        told = dict(
            value.partition(";")[0].split("=", 1) for key, value in given if key == "set-cookie"
        )
        self.jar = {key: value for key, value in (self.jar | told).items() if value}
        self.server, self.transaction = name, transaction
        return told.get(ROUTE_COOKIE)


class Site:
    """Servers with a store in common, and a balancer that sends new clients to each in turn."""

    def __init__(self, *names, **more):
        self.clock, self.store, self.more, self.servers = FakeClock(), MemoryStore(), more, {}
        self.clients = []
        self.join(*names)

    def join(self, *names):
        for name in names:
            server = Sessions(
                store=self.store, secrets=[SECRET], server=name, clock=self.clock,
                cookie=Cookie(secure=False), **self.more,
            )  # fmt: skip
            context_of(server).worker.rounds.start = lambda: None  # it looks when it is told to
            self.servers[name] = server
        self._turns = cycle(self.servers)

    def log_in(self, name, number):
        """Have so many log in at a server."""
        for _ in range(number):
            self.clients.append(client := Client())
            client.ask(self, name, logs_in())

    def look(self):
        for server in self.servers.values():
            run(context_of(server).worker.look(context_of(server)))

    def pass_minutes(self, number=1):
        """Let everybody ask twice a minute, and the servers look; return who was moved, each time.

        All ask again once they have counted, in the very second of the look.
        """
        moved = []
        for _ in range(number * 2):
            self.clock.advance(PERIOD / 2)
            self.look()
            for client in self.clients:
                stays = ROUTE_COOKIE in client.jar
                if client.ask(self, client.server if stays else next(self._turns)) == "":
                    moved.append(client)
        return moved

    def count(self):
        """Return how many clients are at each server."""
        homes = [client.server for client in self.clients]
        return {name: homes.count(name) for name in self.servers}


def test_server_that_joins_gets_its_share_of_those_who_are_there():
    """Without new clients, in minutes; each moves a few times at most, and then nobody any more."""
    site = Site("a", "b")
    site.log_in("a", 90)
    site.log_in("b", 90)
    assert site.pass_minutes(4) == []
    site.join("c")
    moved = site.pass_minutes(40)
    counts = site.count()

    assert sum(counts.values()) == 180
    assert max(counts.values()) <= BOUND * 60
    assert max(moved.count(client) for client in moved) <= 3
    assert site.pass_minutes(6) == []


def test_client_that_was_moved_is_logged_in_elsewhere():
    """It notices nothing: its session is where it was, and the next server hands out its route."""
    site = Site("a", "b")
    site.log_in("a", 60)
    site.pass_minutes(3)
    moved = next(client for client in site.clients if ROUTE_COOKIE not in client.jar)
    seen = []
    told = moved.ask(site, "b", lambda session: seen.append(session.user))

    assert (told, seen) == (moved.jar[ROUTE_COOKIE], ["alice"])


def test_client_that_is_moved_takes_one_share():
    """Its other requests were sent with the same cookies, before it had the answer."""
    site = excessive_site()
    client, other = site.clients[:2]
    jar, told = dict(client.jar), []
    for _ in range(3):
        client.jar = dict(jar)
        told.append(client.ask(site, "a"))

    assert told == ["", None, None]
    assert other.ask(site, "a") == ""


def test_nobody_moves_where_a_server_has_several_workers():
    """A client with requests at each of them would be counted by each."""
    site = Site("a", "b")
    site.log_in("a", 60)
    second = Sessions(store=site.store, secrets=[SECRET], server="b", clock=site.clock)
    context_of(second).worker.rounds.start = lambda: None
    site.servers["b, again"] = second

    assert site.pass_minutes(6) == []


@pytest.mark.parametrize("bound", [None, 2.5])
def test_bound_may_be_another_one_or_none(bound):
    """Three servers of which one has all: it is three times the mean."""
    site = Site("a", "b", "c", load_bound=bound)
    site.log_in("a", 60)
    moved = site.pass_minutes(20)

    assert site.count()["a"] == 60 if bound is None else 40 < site.count()["a"] <= 50
    assert bool(moved) is (bound is not None)


@pytest.mark.parametrize("names", ["a", "ab"])
def test_nobody_moves_where_there_is_nobody_to_go_to(names):
    """The one server there is keeps all, and so does one whose only other one drains."""
    site = Site(*names)
    site.log_in("a", 60)
    if "b" in site.servers:
        site.servers["b"].drain()

    assert site.pass_minutes(6) == []


def excessive_site(number=60):
    """Return a site whose first server may move somebody at the next request."""
    site = Site("a", "b")
    site.log_in("a", number)
    for _ in range(3):
        site.clock.advance(PERIOD)
        site.look()
        for client in site.clients:
            client.ask(site, "a", way=accept)  # as WebSockets do, whom nobody moves
    site.look()
    return site


def test_handshake_of_a_websocket_moves_nobody():
    """It is about to stay here; the page that is asked for next moves."""
    site = excessive_site()
    client = site.clients[0]

    assert client.ask(site, "a", way=accept) is None
    assert client.ask(site, "a") == ""


def test_client_with_a_websocket_that_is_watched_stays():
    """Its pages would be on one server, and its WebSocket on another."""
    site = excessive_site()
    watched, other = site.clients[:2]
    context = context_of(site.servers["a"])
    life = open_life(context.policy, watched.transaction.state)

    async def scene():
        watch(context, life, lambda: None)

    asyncio.run(scene())
    assert watched.ask(site, "a") is None
    assert other.ask(site, "a") == ""


@pytest.mark.parametrize("bound", [1, 0.5, "1.25", float("nan")])
def test_bound_that_would_move_a_fair_share_is_refused(bound):
    """The message says what to write."""
    with pytest.raises(ConfigError, match="write more than 1, as "):
        Sessions(store=MemoryStore(), secrets=[SECRET], server="a", load_bound=bound)
