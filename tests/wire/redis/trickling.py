"""A server that takes every connection, and says a byte of its answer now and then."""

import contextlib
import socket
import threading


class TricklingServer:
    """A server on a port of its own.

    Args:
        answer: what it says to whatever comes, byte by byte.
        pause: seconds between two bytes.
    """

    def __init__(self, answer, pause):
        self._answer, self._pause = answer, pause
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):  # the test is over
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            if not connection.recv(65_536):
                return
            for byte in self._answer:
                if self._over.wait(self._pause):
                    return
                connection.sendall(bytes([byte]))
            self._over.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
