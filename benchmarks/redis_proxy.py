"""A proxy before Redis that counts commands and network trips, whatever the client library."""

import contextlib
import socket
import threading

import hiredis


class RedisProxy:
    """A proxy on a free port: everything between a client and Redis passes through it.

    A trip is what a client sends before it waits for a reply: one command, or a pipeline.

    Attributes:
        url: where clients find it.
        commands: names of the commands since ``reset``.
        trips: how often the client sent and then waited.
    """

    _HANDSHAKE = ("HELLO", "CLIENT", "AUTH", "SELECT", "INFO")

    def __init__(self, port):
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._lock = threading.Lock()
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        """Set the counts to zero."""
        with self._lock:
            self.commands, self.trips = [], 0

    def close(self):
        """Stop listening."""
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                state = {"sending": False}
                for forward in (self._forward_commands, self._forward_replies):
                    threading.Thread(
                        target=forward, args=(client, server, state), daemon=True
                    ).start()

    def _forward_commands(self, client, server, state):
        reader = hiredis.Reader()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                reader.feed(data)
                self._count(reader, state)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _count(self, reader, state):
        while (command := reader.gets()) is not False:
            name = command[0].decode().upper()
            if name in self._HANDSHAKE:
                continue
            with self._lock:
                self.commands.append(name)
                self.trips += not state["sending"]
            state["sending"] = True

    def _forward_replies(self, client, server, state):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                state["sending"] = False
                client.sendall(data)
            client.close()
