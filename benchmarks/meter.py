"""A wire-tap before Redis that counts commands and network trips, whatever the client library."""

import contextlib
import socket
import threading

import hiredis


class Meter:
    """A proxy on a free port: everything between a client and Redis passes through it.

    A trip is a turn of the talk: what a client sends before it waits for an answer.

    Attributes:
        commands: names of the commands since ``reset``.
        trips: how often the client sent and then waited.
    """

    _GREETING = ("HELLO", "CLIENT", "AUTH", "SELECT", "INFO")

    def __init__(self, port):
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:{}/0".format(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        """Begin to count anew."""
        with self._lock:
            self.commands, self.trips = [], 0

    def close(self):
        """Stop to listen."""
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                turn = {"asking": False}
                for pump in (self._ask, self._answer):
                    threading.Thread(target=pump, args=(client, server, turn), daemon=True).start()

    def _ask(self, client, server, turn):
        reader = hiredis.Reader()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                reader.feed(data)
                self._count(reader, turn)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _count(self, reader, turn):
        while (command := reader.gets()) is not False:
            name = command[0].decode().upper()
            if name in self._GREETING:
                continue
            with self._lock:
                self.commands.append(name)
                self.trips += not turn["asking"]
            turn["asking"] = True

    def _answer(self, client, server, turn):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                turn["asking"] = False
                client.sendall(data)
            client.close()
