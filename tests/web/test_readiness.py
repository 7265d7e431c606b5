"""The page that tells a balancer whether a server takes clients: of each middleware the same."""

import pytest

from harness.clients import AsgiClient, FlaskClient, WsgiClient
from harness.recording_store import fresh_sessions, take_commands
from sessile.errors import ConfigError
from sessile.service.sessions import context_of
from sessile.testing.world import SECRET
from sessile.web import wsgi
from web.asgi_chat import accept, talk


@pytest.fixture(params=[AsgiClient, WsgiClient, FlaskClient])
def kind(request):
    return request.param


def act(session):
    return b"the application"


def test_page_says_whether_clients_are_taken(kind):
    """200, and 404 while the server drains."""
    sessions = fresh_sessions()
    client = kind(act, sessions, readiness="/ready")
    assert (client.ask("/ready").status, client.ask("/ready").body) == (200, b"ready\n")
    sessions.drain()
    reply = client.ask("/ready")
    assert reply.status == 404
    assert reply.all("cache-control") == ["no-store"]
    assert client.ask("/ready", method="HEAD").body == b""
    sessions.undrain()

    assert client.ask("/ready").status == 200


def test_page_asks_no_store(kind):
    """A store that is away takes no server out."""
    sessions = fresh_sessions()
    client = kind(act, sessions, readiness="/ready")
    context_of(sessions).store.down = True
    take_commands(sessions)

    assert client.ask("/ready", cookie="sid=" + "A" * 60).status == 200
    assert take_commands(sessions) == []


def test_any_other_path_is_the_applications(kind):
    """Those below it too; and there is no page that nobody has asked for."""
    client = kind(act, fresh_sessions(), readiness="/ready")
    assert [client.ask(path).body for path in ("/", "/ready/", "/ready/a", "/a/ready")] == [
        b"the application"
    ] * 4
    client = kind(act, fresh_sessions())

    assert client.ask("/ready").body == b"the application"


def test_worker_that_has_not_looked_takes_nobody(kind):
    """Its server may be drained still, as after a restart. It looks at once."""
    sessions = fresh_sessions(secrets=[SECRET], server="a")
    worker = context_of(sessions).worker
    begun = []
    worker.rounds.start = lambda: begun.append(1)
    client = kind(act, sessions, readiness="/ready")
    assert client.ask("/ready").status == 404
    assert set(begun) == {1}
    worker._go()
    assert client.ask("/ready").status == 200
    context_of(sessions).store.down = True
    worker._restart()
    worker._go()

    assert client.ask("/ready").status == 200, "an outage takes no server out"


def test_page_counts_as_no_request(kind):
    """A drain would not come to its end while a balancer asks."""
    sessions = fresh_sessions(secrets=[SECRET], server="a")
    worker = context_of(sessions).worker
    worker.rounds.start = lambda: None
    seen = []
    page = kind(act, sessions, readiness="/ready")
    worker.under_way = lambda **_: seen.append(1) or set()
    page.ask("/ready")
    assert seen == []
    page.ask("/")

    assert seen == [1]


@pytest.mark.parametrize("path", ["ready", "", 5, "/"])
def test_what_is_no_path_is_refused(kind, path):
    """It would be asked for by nobody."""
    with pytest.raises(ConfigError, match="readiness"):
        kind(act, fresh_sessions(), readiness=path)


def test_first_check_waits_for_the_first_look(kind):
    """Of a server that has had no request: else it is taken out though it is well."""
    sessions = fresh_sessions(secrets=[SECRET], server="a")
    page = kind(act, sessions, readiness="/ready")
    worker = context_of(sessions).worker
    worker.rounds.start = worker._go
    found = page.ask("/ready").status

    assert found == (200 if worker.has_looked else 404)
    assert worker.has_looked


def test_path_may_have_any_letter():
    """WSGI tells a path as bytes, which are told as Latin-1."""
    path, told = "/bereit-für-alle", []
    page = wsgi.SessionMiddleware(lambda *_: [b""], fresh_sessions(), readiness=path)
    environ = {"PATH_INFO": path.encode().decode("latin-1"), "REQUEST_METHOD": "GET"}

    assert page(environ, lambda status, _: told.append(status)) == [b"ready\n"]
    assert told == ["200 OK"]


def test_websocket_at_its_path_is_the_applications():
    """It is no page, and an answer to a request would be an error of the server's."""
    opened = []

    async def act(_, send):
        opened.append(1)
        await accept(send)

    talk(act, fresh_sessions(), path="/ready", readiness="/ready")

    assert opened == [1]
