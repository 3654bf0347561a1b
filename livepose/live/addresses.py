"""Addresses of live outputs: read, resolved and listened on. Light, to be checked at once."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from livepose.errors import UsageError, redacted

SEND_BUFFER_BYTES = 65_536
"""Little may lie between here and a slow reader."""
_FORMS = "osc://HOST:PORT, udp://HOST:PORT or ws://127.0.0.1:PORT"
_OPTIONS = {"osc": {"px"}, "udp": {"full"}, "ws": {"full"}}


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where ``--send`` goes: ``osc://HOST:PORT[?px]``, ``udp://...[?full]``, ``ws://...[?full]``."""

    url: str
    scheme: str
    host: str
    port: int
    options: frozenset[str]

    @classmethod
    def parse(cls, url: str) -> Self:
        """Reads it; UsageError where it has another form, or all the network could listen in."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or 0
        except ValueError:
            host, port = "", 0
        shown, known = redacted(url), _OPTIONS.get(parts.scheme) if host and port else None
        if known is None:
            raise UsageError(f"--send {shown}: expected {_FORMS}")
        options = frozenset(parse_qs(parts.query, keep_blank_values=True))
        if unknown := options - known:
            raise UsageError(f"--send {shown}: ?{min(unknown)} is unknown; known: {_FORMS}")
        if parts.scheme == "ws" and not is_loopback(host):
            raise UsageError(
                f"--send {shown}: whoever can reach it would see the poses; expected "
                "127.0.0.1, and a tunnel (ssh -L) for another machine, or --serve"
            )
        return cls(shown, parts.scheme, host, port, options)

    def resolved(self) -> tuple[socket.AddressFamily, Any]:
        """Family and address of the host; UsageError where it cannot be resolved."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise UsageError(
                f"--send {self.url}: the host {self.host!r} cannot be resolved"
            ) from error
        return found[0], found[4]


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach it."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    """Whether it is numbers and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def listen(host: str, port: int) -> socket.socket:
    """A socket of its own for a server; UsageError where the address cannot be had."""
    try:
        *kind, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(*kind)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            listening.bind((address[0], port, *address[2:]))  # which looks at the port
            listening.listen()
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen on {host}:{port} ({reason.lower()}); choose another port"
        ) from error
    return listening
