"""Clients of ``sockets``, in a process of their own: ``python -m benchmarks.socket_clients``.

They say nothing, and know as much of RFC 6455 as it takes to hear a close. It prints a line once
all are open, and then, when all are closed, the times at which each was, and with which code.
"""

import asyncio
import json
import resource
import sys
import time

AT_ONCE = 200
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CLOSE = 0x88


class SilentClient(asyncio.Protocol):
    """One client."""

    def __init__(self):
        loop = asyncio.get_running_loop()
        self.opened, self.closed = loop.create_future(), loop.create_future()
        self.heard = b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data):
        self.heard += data
        if not self.opened.done() and b"\r\n\r\n" in self.heard:
            head, _, self.heard = self.heard.partition(b"\r\n\r\n")
            assert b" 101 " in head, head
            self.opened.set_result(None)
        if len(self.heard) >= 4 and not self.closed.done():
            assert self.heard[0] == CLOSE, self.heard
            self.closed.set_result((time.monotonic(), int.from_bytes(self.heard[2:4])))
            self.transport.close()

    def connection_lost(self, error):
        if not self.closed.done():
            self.closed.set_exception(error or ConnectionError("closed without a word"))


async def main(port, number):
    loop = asyncio.get_running_loop()
    clients = []
    while len(clients) < number:
        some = range(min(AT_ONCE, number - len(clients)))
        made = [loop.create_connection(SilentClient, "127.0.0.1", port) for _ in some]
        fresh = [client for _, client in await asyncio.gather(*made)]
        await asyncio.gather(*(client.opened for client in fresh))
        clients += fresh
    print("open", flush=True)
    print(json.dumps(await asyncio.gather(*(client.closed for client in clients))), flush=True)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
