"""A server of one file that breaks off, ignores ranges, drips, refuses or hangs."""

import contextlib
import hashlib
import http.server
import re
import socket
import threading
import time
from typing import Any

CONTENT = bytes(i * 7 % 251 for i in range(1_000_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """How it behaves, and what it was asked."""

    def __init__(self, port):
        self.host = f"http://127.0.0.1:{port}"
        self.url = f"{self.host}/file.pth"
        self.content = CONTENT
        self.break_after: int | None = None
        self.ranges, self.says_length = True, True
        self.status, self.hang_s, self.pause_s = 200, 0.0, 0.0
        self.paths: list[str] = []
        self.starts: list[int] = []
        self.tokens: list[str | None] = []

    @property
    def sha256(self):
        return hashlib.sha256(self.content).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    say: Server

    def log_message(self, format, *arguments):
        """Silence."""

    def do_GET(self):
        say = self.say
        say.paths.append(self.path)
        say.tokens.append(self.headers.get("Authorization"))
        time.sleep(say.hang_s)
        if say.status != 200:
            self.send_error(say.status)
            return
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if say.ranges else None
        start, size = int(match[1]) if match else 0, len(say.content)
        say.starts.append(start)
        if start >= size:
            self.send_error(416)
            return
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if say.says_length:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        self._send(say.content[start:])

    def _send(self, body):
        with contextlib.suppress(OSError):  # a client that gave up is part of the test
            if self.say.pause_s:
                for one in body[:100]:
                    self.wfile.write(bytes([one]))
                    time.sleep(self.say.pause_s)
            self.wfile.write(body[: self.say.break_after])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def serving():
    """A server for as long as the generator lives."""
    handler: Any = type("Handler", (_Handler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        handler.say = Server(running.server_port)
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield handler.say
        running.shutdown()
        thread.join()
