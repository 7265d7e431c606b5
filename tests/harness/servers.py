"""HTTP servers on 127.0.0.1: in a thread uvicorn, werkzeug or waitress; any as a program."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
import waitress.server
from werkzeug.serving import WSGIRequestHandler, make_server


@contextmanager
def serve_asgi(app, *, proxy_headers=False):
    """Serve an application over HTTP and WebSockets; give its address.

    Args:
        app: the application.
        proxy_headers: whether uvicorn reads a proxy's headers; otherwise ``Proxies`` alone does.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    plain = {"log_level": "critical", "lifespan": "off", "ws": "websockets-sansio"}
    config = uvicorn.Config(app, **plain, proxy_headers=proxy_headers)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


@contextmanager
def serve_wsgi(app):
    """Serve an application over HTTP, a thread for each request; give its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = False  # so that closing waits for every request
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serve_waitress(app):
    """Serve an application over HTTP, by waitress; give its address."""
    server = waitress.server.create_server(app, host="127.0.0.1", port=0, threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(10)
        waitress.wasyncore.close_all(server._map)


@contextmanager
def serve_program(folder, *words, port=None):
    """Serve by a program in that folder, ``python`` with those words; give its process.

    It answers on that port, if one is given, or is over by itself. What it says is in ``said``.
    """
    environ = os.environ | {"HOME": str(folder), "PYTHONPATH": str(SOURCE)}
    with (folder / "said").open("wb") as said:
        command = [sys.executable, *words]
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=said)
        try:
            while port is not None and process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)  # until it listens: no test depends on how long it takes
            yield process
        finally:
            process.terminate()
            process.wait()


SOURCE = Path(__file__).parents[2] / "src"
