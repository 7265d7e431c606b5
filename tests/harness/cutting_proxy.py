"""A proxy before a server that cuts a connection around one message."""

import contextlib
import socket
import threading


class CuttingProxy:
    """A proxy on a port of its own, which hands on both ways, and cuts when it is told to.

    Args:
        port: the server's.

    Attributes:
        cuts: how often it has cut.
    """

    def __init__(self, port):
        self._server = ("127.0.0.1", port)
        self._plan = None
        self._skip = 0
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = []
        self._sockets = []
        self._run(self._accept)

    def cut(self, word, *, performed, meanwhile=lambda: None, skip=0):
        """Cut the connection of the next message in which that word stands.

        Args:
            word: bytes of the message.
            performed: whether the server gets it before, and answers.
            meanwhile: what happens then, before the client hears of it.
            skip: how many such messages pass before.
        """
        self._skip = skip
        self._plan = (word, performed, meanwhile)

    def _accept(self):
        with contextlib.suppress(OSError):  # the test is over
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                pair = (client, server, threading.Event())
                self._sockets += pair[:2]
                self._run(self._ask, *pair)
                self._run(self._answer, *pair)

    def _ask(self, client, server, cuts):
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                plan = self._plan
                if plan is None or plan[0] not in data:
                    server.sendall(data)
                    continue
                if self._skip:
                    self._skip -= 1
                    server.sendall(data)
                    continue
                self._plan = None
                _, performed, meanwhile = plan
                cuts.meanwhile = meanwhile
                cuts.set()
                if performed:
                    server.sendall(data)  # whose answer is what cuts
                else:
                    self._hang_up(client, server, cuts)
                return
        self._close(client, server)

    def _answer(self, client, server, cuts):
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if cuts.is_set():
                    self._hang_up(client, server, cuts)
                    return
                client.sendall(data)
        self._close(client, server)

    def _hang_up(self, client, server, cuts):
        cuts.meanwhile()
        self.cuts += 1
        self._close(client, server)

    def _close(self, *sockets):
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _run(self, function, *args):
        self._threads.append(threading.Thread(target=function, args=args))
        self._threads[-1].start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._close(self._listener, *self._sockets)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()
