"""A proxy before a Redis server that cuts a connection around one command."""

import contextlib
import socket
import threading


class CuttingProxy:
    """A proxy on a port of its own, which cuts when it is told to.

    Args:
        port: the server's.

    Attributes:
        cuts: how often it has cut.
    """

    def __init__(self, port):
        self._server = ("127.0.0.1", port)
        self._plan = None
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self, word, *, performed, meanwhile=lambda: None):
        """Cut the connection of the next command in which that word stands.

        Args:
            word: bytes of the command.
            performed: whether the server gets it before.
            meanwhile: what happens then, before the client hears of it.
        """
        self._plan = (word, performed, meanwhile)

    def _accept(self):
        with contextlib.suppress(OSError):  # the test is over
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client):
        with client, socket.create_connection(self._server) as server:
            while data := client.recv(1 << 20):
                plan = self._plan
                if plan is not None and plan[0] in data:
                    self._plan = None
                    if plan[1]:
                        server.sendall(data)
                        server.recv(1 << 20)
                    plan[2]()
                    self.cuts += 1
                    return
                server.sendall(data)
                client.sendall(server.recv(1 << 20))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
