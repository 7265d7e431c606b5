"""A program: an HTTP server on 127.0.0.1 that says its name, and what it was asked.

``python naming_server.py NAME PORT``. GET /health is 200, and 404 after POST /drain; a WebSocket is
told the name; anything else is told the name and the headers of the request, as JSON. It needs the
standard library alone, so it is there at once.
"""

import json
import sys
from base64 import b64encode
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, PORT = sys.argv[1], int(sys.argv[2])
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
drains: list[str] = []  # by whose word


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one piece

    def do_GET(self):
        if "Upgrade" in self.headers and "upgrade" in self.headers.get("Connection", "").lower():
            self.tell_websocket()
        elif self.path == "/health":
            self.answer(404 if drains else 200, b"")
        else:
            told = {"name": NAME, "path": self.path, "headers": self.headers.items()}
            self.answer(200, json.dumps(told).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/drain":
            drains.append(self.path)
        self.answer(200, json.dumps({"name": NAME}).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def tell_websocket(self):
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", b64encode(sha1(key + WEBSOCKET).digest()).decode())
        self.end_headers()
        self.wfile.write(b"\x81" + bytes([len(NAME)]) + NAME.encode())
        self.wfile.flush()
        self.rfile.read()  # until the client closes
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Let whoever has asked leave."""


Server(("127.0.0.1", PORT), Handler).serve_forever()
