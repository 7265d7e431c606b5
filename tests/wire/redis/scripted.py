"""A server that says what a test wrote down for it, to see what a client makes of that."""

import contextlib
import socket
import threading

SILENCE = b""
"""Say nothing until the client hangs up."""

HANG_UP = None
"""Say nothing, and close."""


class ScriptedServer:
    """A server on a port of its own.

    Args:
        scripts: for each connection the replies to what is read from it; then it is closed. A
            first reply of type str is said unasked.

    Attributes:
        heard: what was read, connection by connection.
    """

    def __init__(self, *scripts):
        self.heard = [[] for _ in scripts]
        self._scripts = scripts
        self._connection = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        for heard, script in zip(self.heard, self._scripts, strict=True):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the test is over
                return
            # the client may hang up at any time, and then nothing more is heard
            with connection, contextlib.suppress(ConnectionError):
                self._connection = connection
                self._play(connection, heard, list(script))

    def _play(self, connection, heard, script):
        if script and isinstance(script[0], str):
            connection.sendall(script.pop(0).encode())
        while script:
            data = connection.recv(65_536)
            if not data:
                return
            heard.append(data)
            reply = script.pop(0)
            if reply is HANG_UP:
                return
            if reply is SILENCE:
                script.append(SILENCE)
            connection.sendall(reply)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._listener.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, AttributeError):  # a test that failed closed no client
            self._connection.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
