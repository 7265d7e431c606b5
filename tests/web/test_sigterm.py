"""A server that is told to end drains first, and then ends as ever: ``drain_at_sigterm``."""

import signal
import time

import httpx
import pytest

from harness.programs import free_port
from harness.servers import serve_program
from sessile import Sessions
from sessile.errors import ConfigError
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore

SECONDS = 3.0
ASGI = f"""
from sessile import Sessions
from sessile.web.asgi import SessionMiddleware

sessions = Sessions("sqlite:///shop.db")
sessions.drain_at_sigterm({SECONDS})


async def shop(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        print("shut down", flush=True)
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"shop"}})


app = SessionMiddleware(shop, sessions, readiness="/ready")
"""
WSGI = f"""
from sessile import Sessions
from sessile.web.wsgi import SessionMiddleware

sessions = Sessions("sqlite:///shop.db")
sessions.drain_at_sigterm({SECONDS})


def shop(environ, start_response):
    start_response("200 OK", [])
    return [b"shop"]


app = SessionMiddleware(shop, sessions, readiness="/ready")
"""
PROGRAM = """
import sys
import uvicorn
from shop import app

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
"""
GUNICORN = f"""
def post_worker_init(worker):
    from shop import sessions

    sessions.drain_at_sigterm({SECONDS})
"""
SERVERS = {
    "uvicorn": (ASGI, lambda port: ["-m", "uvicorn", "shop:app", "--port", port]),
    "uvicorn with workers": (
        ASGI,
        lambda port: ["-m", "uvicorn", "shop:app", "--port", port, "--workers", "2"],
    ),
    "uvicorn in a program": (ASGI, lambda port: ["serve.py", port]),
    "gunicorn": (WSGI, lambda port: ["-m", "gunicorn", "shop:app", "--bind", f"127.0.0.1:{port}"]),
    "gunicorn that forks": (
        WSGI.replace("sessions.drain", "# sessions.drain"),
        lambda port: [
            *("-m", "gunicorn", "shop:app", "--bind", f"127.0.0.1:{port}", "--preload"),
            *("-c", "hooks.py"),
        ],
    ),
    "gunicorn with threads": (
        WSGI,
        lambda port: [
            *("-m", "gunicorn", "shop:app", "--bind", f"127.0.0.1:{port}"),
            *("--workers", "2", "--threads", "2"),
        ],
    ),
}


@pytest.fixture(params=SERVERS)
def server(request, tmp_path):
    """A server that runs, and its address."""
    source, words = SERVERS[request.param]
    (tmp_path / "shop.py").write_text(source)
    (tmp_path / "serve.py").write_text(PROGRAM)
    (tmp_path / "hooks.py").write_text(GUNICORN)
    port = free_port()
    with serve_program(tmp_path, *words(f"{port}"), port=port) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for_status(url, 200)
        yield process, url


def wait_for_status(url, status):
    """Wait until the readiness page has it."""
    while True:
        try:
            if httpx.get(f"{url}/ready", timeout=10).status_code == status:
                return
        except httpx.HTTPError:
            assert status == 200, "the server has ended before it drained"
        time.sleep(0.05)  # until it is so: no test depends on how long it takes


def test_sigterm_drains_before_the_server_ends(server, tmp_path):
    """It serves, its page says 404, and then it ends by itself."""
    process, url = server
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    wait_for_status(url, 404)
    assert httpx.get(url).text == "shop"
    process.wait(60)

    assert time.monotonic() - began >= SECONDS
    said = (tmp_path / "said").read_text()
    assert "shut down" in said or "Shutting down: Master" in said


def test_process_that_leaves_stays_drained():
    """Whatever is said to its server meanwhile; the others go on."""
    sessions = Sessions(store=MemoryStore())
    context_of(sessions).leave()
    sessions.undrain()

    assert sessions.is_drained


@pytest.mark.parametrize("seconds", [0, -1, True, "5", float("nan"), float("inf")])
def test_what_is_no_time_is_refused(seconds):
    """And no signal is held back."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConfigError, match="write seconds"):
        Sessions(store=MemoryStore()).drain_at_sigterm(seconds)

    assert signal.getsignal(signal.SIGTERM) is before
