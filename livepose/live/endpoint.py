"""One small server for pages and web sockets, in a thread of its own.

What every page of the local machine could otherwise do is refused here, once: requests for
another host's name (DNS rebinding) and sockets of other pages' scripts (Origin).
"""

import asyncio
import http
import logging
import socket
import ssl
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from livepose.errors import UsageError
from livepose.live.addresses import SEND_BUFFER_BYTES, is_address, is_loopback, listen
from livepose.threads import Closable, give_way

_MOST_MESSAGE_BYTES = 4_000_000
_MOST_CLIENTS = 32
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_LOG = logging.getLogger("livepose.live")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False

Answer = Callable[[Request], Response | None]
"""What a request gets; None lets it become a web socket."""
Talk = Callable[[ServerConnection], Awaitable[None]]
"""Talks to one web socket until it is closed."""


class Endpoint(Closable):
    """Listens on ``host``:``port`` until it is closed; UsageError when it cannot.

    It keeps the newest item that was put there, for whoever talks to a client and is ready for it.
    ``clients`` counts the open web sockets, ``refused`` the refused requests by reason.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answer: Answer,
        talk: Talk,
        *,
        tls: ssl.SSLContext | None = None,
        own_pages_only: bool = True,
    ) -> None:
        self._answer, self._talk, self._tls = answer, talk, tls
        self._own_pages_only = own_pages_only
        self._names = _names(host)
        self._scheme = "https" if tls else "http"
        self.refused: Counter[str] = Counter()
        self.clients = self.number = 0
        self._item: Any = None
        self._changed, self._over = asyncio.Event(), asyncio.Event()
        listening = listen(host, port)
        self.port = int(listening.getsockname()[1])
        shown = _reachable(host)
        self.origin = f"{self._scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}"
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=[listening], name="server", daemon=True
        )
        self._thread.start()
        self._ready.result(timeout=10.0)

    def put(self, item: Any) -> None:
        """Hands over the newest item; who is slow misses those before."""
        with suppress(RuntimeError):  # it is closed already
            self._loop.call_soon_threadsafe(self._put, item)

    def _put(self, item: Any) -> None:
        self._item, self.number = item, self.number + 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def after(self, number: int) -> tuple[int, Any]:
        """The newest item and its number, once that is another one than ``number``."""
        while self.number == number:
            await self._changed.wait()
        return self.number, self._item

    def close(self) -> None:
        """Closes every connection, and ends the thread; a second call does nothing."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(timeout=10.0)

    def _run(self, listening: socket.socket) -> None:
        give_way()
        asyncio.run(self._serve(listening))

    async def _serve(self, listening: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        async with serve(
            self._take,
            sock=listening,
            ssl=self._tls,
            process_request=self._check,
            max_size=_MOST_MESSAGE_BYTES,
            max_queue=4,
            write_limit=SEND_BUFFER_BYTES,
            compression=None,
            logger=_LOG,
            server_header=None,
            open_timeout=2.0,  # closing waits for a browser's spare connection
            close_timeout=1.0,
        ):
            self._ready.set_result(None)
            await self._over.wait()

    async def _take(self, connection: ServerConnection) -> None:
        """Talks until either side has enough: who waits for a frame notices a closed tab too."""
        self.clients += 1
        talking = asyncio.ensure_future(self._talk(connection))
        gone = asyncio.ensure_future(connection.wait_closed())
        gone.add_done_callback(lambda _: talking.cancel())
        try:
            with suppress(ConnectionClosed, TimeoutError, asyncio.CancelledError):
                await talking
        finally:
            self.clients -= 1
            gone.cancel()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuses what must not be answered; else asks for the answer."""
        host, origin = one_header(request, "Host"), one_header(request, "Origin")
        if host is None or not self._is_own(host):
            return self.refuse("host", "this server does not have that name")
        if self._own_pages_only:
            welcome = origin in (None, f"{self._scheme}://{host}")
        else:
            welcome = origin is None or urlsplit(origin).hostname in _LOOPBACK
        if not welcome:
            return self.refuse("origin", "pages of other servers may not connect")
        if self.clients >= _MOST_CLIENTS:
            return self.refuse("crowd", "too many connections", http.HTTPStatus.SERVICE_UNAVAILABLE)
        return self._answer(request)

    def _is_own(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            port = parts.port or (443 if self._tls else 80)
        except ValueError:
            return False
        name = parts.hostname or ""
        known = name in self._names or ("*" in self._names and is_address(name))
        return known and port == self.port and "@" not in host

    def refuse(
        self, reason: str, text: str, status: http.HTTPStatus = http.HTTPStatus.FORBIDDEN
    ) -> Response:
        """Counts, and makes the answer that says no."""
        self.refused[reason] += 1
        return respond(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def respond(
    status: http.HTTPStatus, kind: str, body: bytes, extra: dict[str, str] | None = None
) -> Response:
    """An answer that nothing may keep, frame, or take for another kind."""
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(status.value, status.phrase, Headers(headers | (extra or {})), body)


def one_header(request: Request, name: str) -> str | None:
    """A header that may be there once; twice is as good as wrong."""
    values = request.headers.get_all(name)
    return values[0] if len(values) == 1 else None if not values else ""


def _names(host: str) -> frozenset[str]:
    """The names under which a request may ask for this server; * stands for any address."""
    if is_loopback(host):
        return frozenset((*_LOOPBACK, host))
    own = socket.gethostname().lower()
    return frozenset((host.lower(), own, f"{own}.local", "localhost", "*"))


def _reachable(host: str) -> str:
    """The address to print: that of this machine in its network, where all were asked for."""
    if host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # chooses a network; sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def tls_from(path: Path) -> ssl.SSLContext:
    """A context with the certificate and key of one PEM file; UsageError where one is missing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it has no certificate with its key"
        raise UsageError(
            f"--serve-cert {path}: {reason}; expected a PEM file with certificate and key"
        ) from error
    return context


def self_signed_tls(host: str) -> ssl.SSLContext:
    """A context with a fresh certificate of ``openssl``, which browsers ask about once."""
    names = (
        f"subjectAltName={'IP' if is_address(host) else 'DNS'}:{host},DNS:localhost,IP:127.0.0.1"
    )
    with tempfile.TemporaryDirectory(prefix="livepose-") as folder:
        both = Path(folder) / "both.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        command += f" -days 365 -subj /CN=livepose -addext {names} -keyout"
        try:
            made = subprocess.run(
                [*command.split(), both], capture_output=True, check=True, timeout=30.0
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UsageError(
                "--serve-self-signed needs the program openssl; install it, or give a "
                "certificate of your own with --serve-cert FILE"
            ) from error
        with both.open("ab") as file:
            file.write(made.stdout)
        return tls_from(both)
