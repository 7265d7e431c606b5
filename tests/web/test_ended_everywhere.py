"""Real servers and clients: what is open ends with its session, wherever that was ended.

Two processes serve one store, and this one is a third. A store with a feed would be asked by itself
once an hour only, so whoever is told is told by the feed.
"""

import pytest
from websockets.exceptions import ConnectionClosed

from harness.backends import POSTGRES_FEED, SHARED, as_params, fresh_url
from harness.redis_server import RedisServer
from harness.servers import serve_asgi
from sessile.stores.contract import Capability
from web.open_site import PATIENCE, OpenSite, make_sessions, make_site, open_site

STORES = [*SHARED, POSTGRES_FEED]


@pytest.fixture(scope="module", params=as_params(STORES))
def site(request, tmp_path_factory):
    """Two servers on one store, which is asked once an hour where it has a feed, and often else."""
    folder, backend = tmp_path_factory.mktemp("site"), request.param
    every = 3600 if Capability.FEED in backend.store.capabilities else 0.2
    with (
        fresh_url(backend, folder, timeout=20) as url,
        open_site(folder, f"{url}{'&' if '?' in url else '?'}watch={every}") as site,
    ):
        yield site


def code_of(socket):
    """Wait until a socket is closed; return its code and reason."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(PATIENCE)
    return closed.value.rcvd.code, closed.value.rcvd.reason


ENDS = {
    "logout on the other server": lambda site, cookie: site.act(1, cookie, "logout"),
    "login on the other server": lambda site, cookie: site.act(1, cookie, "login", "bob"),
    "end": lambda site, cookie: site.sessions.sync.end(cookie[4:24]),
    "end all": lambda site, _: site.end_all("alice"),
    "end everybody": lambda site, _: site.sessions.sync.end_everybody(),
}


@pytest.mark.parametrize("way", ENDS)
def test_what_is_open_ends_wherever_the_session_was_ended(site, way):
    """The sockets and the streams of both servers, of one session."""
    cookie = site.act(0, "", "login", "alice")
    with (
        site.socket(0, cookie) as here,
        site.socket(1, cookie) as there,
        site.stream(0, cookie) as events,
        site.stream(1, cookie) as events_there,
    ):
        ENDS[way](site, cookie)

        assert code_of(here) == code_of(there) == (4401, "session ended")
        assert list(events) == list(events_there) == []


def test_what_is_nobodys_or_anothers_stays_open(site):
    """The end of one session is that of its own sockets."""
    alice, bob = (site.act(0, "", "login", name) for name in ("alice", "bob"))
    with site.socket(0, alice) as hers, site.socket(0, bob) as his, site.socket(1, "") as nobodys:
        site.sessions.sync.end(alice[4:24])
        assert code_of(hers)[0] == 4401
        for socket, user in ((his, "bob"), (nobodys, "None")):
            socket.send("still here")
            assert socket.recv(PATIENCE) == f"{user}: still here"


def test_step_up_on_the_other_server_keeps_the_socket_open(site):
    """It ends with the session that goes on."""
    cookie = site.act(0, "", "login", "alice")
    with site.socket(0, cookie) as socket:
        newer = site.act(1, cookie, "step_up", factors=["totp"])
        socket.send("still here")
        assert socket.recv(PATIENCE) == "alice: still here"
        site.act(1, newer, "logout")

        assert code_of(socket)[0] == 4401


def test_session_that_ends_by_the_clock_ends_what_is_open(tmp_path):
    """No act of anybody tells it."""
    url = f"sqlite:///{tmp_path}/store.db?watch=3600"
    with open_site(tmp_path, url, servers=1, idle=2.0, grace=1.0, rotate=None) as site:
        is_open = False
        while not is_open:  # a machine may be so slow that the login is over by then
            cookie = site.act(0, "", "login", "alice")
            with site.socket(0, cookie) as socket:
                socket.send("still here")
                is_open = socket.recv(PATIENCE) == "alice: still here"
                if is_open:
                    assert code_of(socket)[0] == 4401


def test_one_process_is_told_by_its_own_memory():
    """Its feed is a call, from whatever thread."""
    sessions = make_sessions("memory://?watch=3600")
    with serve_asgi(make_site(sessions)) as address:
        site = OpenSite([address], sessions)
        cookie = site.act(0, "", "login", "alice")
        with site.socket(0, cookie) as socket, site.stream(0, cookie) as events:
            sessions.sync.end_all("alice")

            assert code_of(socket) == (4401, "session ended")
            assert list(events) == []
    sessions.sync.close()


def test_code_is_the_applications(tmp_path):
    """As one that the pages of a site know already."""
    url = f"sqlite:///{tmp_path}/store.db?watch=0.2"
    with open_site(tmp_path, url, servers=1, middleware={"ended_code": 1008}) as site:
        cookie = site.act(0, "", "login", "alice")
        with site.socket(0, cookie) as socket:
            site.sessions.sync.end_all("alice")

            assert code_of(socket) == (1008, "session ended")


def test_outage_of_the_store_keeps_the_socket_open(tmp_path):
    """When the store is back, an end is told again."""
    (tmp_path / "store").mkdir()
    server = RedisServer(tmp_path / "store", options=("--appendonly", "yes"))
    try:
        with open_site(tmp_path, f"{server.url}?watch=0.2&timeout=1", servers=1) as site:
            cookie = site.act(0, "", "login", "alice")
            with site.socket(0, cookie) as socket:
                server.stop()
                said = tmp_path / "server0" / "said"
                while "stay open" not in said.read_text():
                    socket.send("still here")
                    assert socket.recv(PATIENCE) == "alice: still here"
                server.start()
                site.sessions.sync.end_all("alice")

                assert code_of(socket)[0] == 4401
    finally:
        server.leave()
