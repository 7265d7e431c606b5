"""HTTP servers on 127.0.0.1, each in a thread: uvicorn for ASGI, werkzeug for WSGI."""

import socket
import threading
from contextlib import contextmanager

import uvicorn
from werkzeug.serving import WSGIRequestHandler, make_server


@contextmanager
def serve_asgi(app):
    """Serve an application over HTTP and WebSockets; give its address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    plain = {"log_level": "critical", "lifespan": "off", "ws": "websockets-sansio"}
    config = uvicorn.Config(app, **plain, proxy_headers=False)  # they are for ``Proxies`` to read
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
