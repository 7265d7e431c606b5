"""Servers as operators start them: several workers, gevent, trio, and Cookie fields in pieces."""

import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
import trio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from harness.programs import free_port
from harness.servers import serve_program, serve_waitress, serve_wsgi
from sessile import Sessions
from sessile.errors import ConfigError
from sessile.web.starlette import SessionMiddleware, get_session

WSGI_SHOP = """
from sessile import Cookie, Sessions
from sessile.web import wsgi


def shop(environ, start_response):
    session = environ[wsgi.KEY]
    if environ["PATH_INFO"] == "/login":
        session.login("alice")
    start_response("200 OK", [])
    return [str(session.user).encode()]


def make(**options):
    options = {"url": "sqlite:///shop.db", "cookie": Cookie(secure=False)} | options
    return wsgi.SessionMiddleware(shop, Sessions(**options))
"""
ASGI_SHOP = """
from sessile import Sessions
from sessile.web import asgi


async def shop(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"shop"})


app = asgi.SessionMiddleware(shop, Sessions("memory://"))
"""
UVICORN = """
import sys
import uvicorn

if __name__ == "__main__":
    uvicorn.run("shop:app", host="127.0.0.1", port=int(sys.argv[1]), workers=int(sys.argv[2]))
"""
REFUSED = "memory:// keeps sessions in one process, but 2 workers were asked for"


@pytest.fixture
def gunicorn(tmp_path):
    """Start gunicorn in a folder of its own, with that application and a configuration file."""

    def start(app, *words, **settings):
        port = free_port()
        (tmp_path / "shop.py").write_text(f"{WSGI_SHOP}\n\n{app}\n")
        settings = {"bind": f"127.0.0.1:{port}"} | settings
        lines = [f"{name} = {value!r}" for name, value in settings.items()]
        (tmp_path / "gunicorn.conf.py").write_text("\n".join(lines))
        return serve_program(tmp_path, "-m", "gunicorn", *words, "shop:app", port=port), port

    return start


def wait_for(tmp_path, *words):
    """Return what the program has said once one of these words is there."""
    while True:
        said = (tmp_path / "said").read_text()
        if any(word in said for word in words):
            return said
        time.sleep(0.02)  # until it is said: no test depends on how long it takes


@pytest.mark.parametrize("words", [(), ("--preload",)])
def test_workers_of_a_configuration_file_are_seen(gunicorn, tmp_path, words):
    """``workers = 2`` in gunicorn.conf.py: memory:// would know a client on every other request."""
    server, _ = gunicorn('app = make(url="memory://")', *words, workers=2)
    with server:
        wait_for(tmp_path, REFUSED)


def test_one_worker_of_a_configuration_file_is_served(gunicorn):
    """One worker is one process, whoever counted it."""
    server, port = gunicorn('app = make(url="memory://")', workers=1)
    with server, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        client.post("/login")
        assert client.get("/").text == "alice"


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_in_a_program_are_seen(tmp_path, workers):
    """``uvicorn.run("shop:app", workers=2)`` is refused in each worker, and one is not."""
    (tmp_path / "shop.py").write_text(ASGI_SHOP)
    (tmp_path / "serve.py").write_text(UVICORN)
    port = free_port()
    with serve_program(tmp_path, "serve.py", str(port), str(workers)):
        said = wait_for(tmp_path, REFUSED, "Application startup complete")

    assert (REFUSED in said) is (workers == 2)


HOOKS = """
from pathlib import Path


class Blocking:
    def __call__(self, event):
        with Path("told").open("a") as file:
            file.write(type(event).__name__ + "\\n")


class Async:
    async def __call__(self, event):
        Blocking()(event)


def hands_on(event):
    return Async()(event)
"""


def test_blocking_hook_is_called_under_gevent(gunicorn, tmp_path):
    """Every login is told, however many there are at once."""
    server, port = gunicorn(f"{HOOKS}\n\napp = make(hooks=[Blocking()])", worker_class="gevent")
    with server:
        for _ in range(20):
            assert httpx.post(f"http://127.0.0.1:{port}/login").text == "alice"

    assert (tmp_path / "told").read_text().count("LoggedIn") == 20


@pytest.mark.parametrize("hook", ["Async()", "Async().__call__"])
def test_async_hook_is_refused_under_gevent(gunicorn, tmp_path, hook):
    """It would never be called, or seldom: gunicorn does not start, and says what to write."""
    server, _ = gunicorn(f"{HOOKS}\n\napp = make(hooks=[{hook}])", worker_class="gevent")
    with server:
        said = wait_for(tmp_path, "an async hook needs a thread", "Booting worker")
        said = wait_for(tmp_path, "an async hook needs a thread")

    assert "hand its work to gevent.spawn" in said


@pytest.mark.parametrize(("hook", "words"), [("hands_on", ()), ("Async()", ("--preload",))])
def test_async_hook_that_shows_late_is_told(gunicorn, tmp_path, hook, words):
    """What only a call can show is told by a line of the log, and the request goes on."""
    server, port = gunicorn(f"{HOOKS}\n\napp = make(hooks=[{hook}])", *words, worker_class="gevent")
    with server:
        for _ in range(3):
            assert httpx.post(f"http://127.0.0.1:{port}/login").text == "alice"
        said = wait_for(tmp_path, "async hooks do not run under gevent")

    assert said.count("async hooks do not run under gevent") == 1
    assert not (tmp_path / "told").exists()


def asgi_app(sessions):
    async def home(request):
        get_session(request)["seen"] = True
        return PlainTextResponse("home")

    app = Starlette(routes=[Route("/", home)])
    app.add_middleware(SessionMiddleware, sessions=sessions)
    return app


def test_other_event_loops_are_refused_with_the_first_request():
    """Under trio nothing of asyncio works, and a store that has to wait would tell too late."""
    client = TestClient(asgi_app(Sessions("memory://")), backend="trio")
    with pytest.raises(ConfigError, match=r"this is another event loop, as trio.*asyncio"):
        client.get("/")
    client = TestClient(asgi_app(Sessions("memory://")), backend="asyncio")
    assert client.get("/").text == "home"


def test_verbs_are_refused_under_another_event_loop():
    """So are those of a background task, before any store is asked."""
    sessions = Sessions("memory://")
    with pytest.raises(ConfigError, match=r"trio.*sessions\.sync in a thread"):
        trio.run(sessions.count)


def raw(address, path, *cookies, method="GET"):
    """Ask with that many Cookie fields; return the answer."""
    place = urlsplit(address)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {place.netloc}", "Connection: close"]
    lines += [f"Cookie: {cookie}" for cookie in cookies]
    lines += ["Content-Length: 0"] if method == "POST" else []
    with socket.create_connection((place.hostname, place.port)) as peer:
        peer.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while piece := peer.recv(1 << 16):
            answer += piece
    return answer.decode("latin-1")


def cookie_in(answer):
    (line,) = (line for line in answer.splitlines() if line.lower().startswith("set-cookie:"))
    return line.partition(":")[2].strip().partition(";")[0]


@pytest.fixture(params=["gunicorn", "waitress", "werkzeug"])
def server(request, tmp_path):
    """The address of a shop behind each WSGI server."""
    if request.param == "gunicorn":
        started, port = request.getfixturevalue("gunicorn")("app = make()")
        with started:
            yield f"http://127.0.0.1:{port}"
        return
    names = {}
    exec(WSGI_SHOP, names)
    app = names["make"](url=f"sqlite:///{tmp_path}/shop.db")
    with (serve_waitress if request.param == "waitress" else serve_wsgi)(app) as address:
        yield address


def test_cookie_fields_that_a_server_joins(server):
    """WSGI servers join Cookie fields with a comma; the user stays logged in, nobody is fooled.

    What stands behind a comma may be the value of a cookie that a sibling host planted.
    """
    mine = cookie_in(raw(server, "/login", method="POST"))
    evil = cookie_in(raw(server, "/login", method="POST"))
    assert "alice" in raw(server, "/", mine)
    for fields in [(mine, "a=b"), (mine, "a=b", "c=d"), (f"a=b; {mine}", "c=d")]:
        assert "alice" in raw(server, "/", *fields), fields
    for planted in [(f"x=1,{evil}",), ("a=b", evil)]:
        answer = raw(server, "/", *planted)
        assert "None" in answer, planted
        assert "set-cookie" not in answer.lower()
    assert "alice" in raw(server, "/", f"x=1,{evil}; {mine}")
