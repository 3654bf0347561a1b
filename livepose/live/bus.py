"""The keypoint bus: every frame's people, sent to another program while they are fresh.

By datagrams, or on a web socket, whose clients get the newest frame when they are ready for it.
"""

import asyncio
import http
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.frame import Frame, ImageBgr
from livepose.live.addresses import BusAddress
from livepose.live.endpoint import Endpoint, respond
from livepose.live.osc import MOST_BYTES, OscPacker
from livepose.poses import Poses
from livepose.results.angles import each_of
from livepose.sinks.jsonl import Detail, age_ms, frame_json, json_line
from livepose.sinks.protocol import Sink

_HEADER_EVERY_S = 1.0
_PATIENCE_S = 20.0
"""A client that has taken nothing for so long is let go."""
Pack = Callable[[Frame, Poses], list[bytes]]


def open_bus(url: str, header: Mapping[str, Any]) -> Sink:
    """Opens what ``--send URL`` names.

    Parameters
    ----------
    url : str
        ``osc://HOST:PORT[?px]``, ``udp://HOST:PORT[?full]`` or ``ws://127.0.0.1:PORT[?full]``.
    header : mapping
        What receivers of JSON are told first.

    Raises
    ------
    UsageError
        When the address has another form, its host cannot be resolved, or its port is taken.
    """
    to = BusAddress.parse(url)
    detail: Detail = "full" if "full" in to.options else "plain"
    if to.scheme == "ws":
        return SocketBus(to.host, to.port, header, detail)
    if to.scheme == "udp":
        return DatagramSink(to.resolved(), _json(header, detail))
    pack = OscPacker(pixels="px" in to.options)
    return DatagramSink(to.resolved(), lambda frame, poses: [pack(frame, poses)])


class DatagramSink(Sink):
    """Sends what ``pack`` makes of each frame; that nobody listens is no error."""

    live = True

    def __init__(self, to: tuple[socket.AddressFamily, Any], pack: Pack) -> None:
        family, self._address = to
        self._pack = pack
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST_BYTES)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Sends one frame."""
        for datagram in self._pack(frame, poses):
            # No route, nobody there, no room: the next frame is newer anyway.
            with suppress(OSError):
                self._socket.sendto(datagram, self._address)

    def close(self) -> None:
        """Closes the socket; a second call does nothing."""
        self._socket.close()


def _json(header: Mapping[str, Any], detail: Detail) -> Pack:
    opening = json_line({"livepose": header}).encode()
    numbers, each, due_s = count(), each_of(header), 0.0

    def pack(frame: Frame, poses: Poses) -> list[bytes]:
        nonlocal due_s
        more = None if each is None else each(poses)
        data = datagram(frame, poses, detail, next(numbers), more)
        if (now_s := time.perf_counter()) < due_s:
            return [data]
        due_s = now_s + _HEADER_EVERY_S
        return [opening, data]

    return pack


def datagram(
    frame: Frame, poses: Poses, detail: Detail, seq: int, each: Sequence[str] | None = None
) -> bytes:
    """The frame as one datagram; of more people than it can hold the last ones are left out."""
    more: dict[str, Any] = {"seq": seq, "age_ms": age_ms(frame)}
    people, kept = len(poses), len(poses)
    data = frame_json(frame, poses, detail, each, **more).encode()
    while len(data) > MOST_BYTES:
        kept = kept * MOST_BYTES // (len(data) + 1000)
        first = None if each is None else each[:kept]
        some = poses.select(np.arange(kept))
        data = frame_json(frame, some, detail, first, **more, left_out=people - kept).encode()
    return data


class SocketBus(Sink):
    """Sends the header to each client, and then frames.

    The next frame goes out once the client has answered a ping that follows the one before, so
    that what waits between here and a slow client is one frame, and not a buffer full of them.
    """

    live = True

    def __init__(
        self, host: str, port: int, header: Mapping[str, Any], detail: Detail = "plain"
    ) -> None:
        self._opening = json_line({"livepose": header})
        self._detail: Detail = detail
        self._each = each_of(header)
        self._packed = (0, "")
        self.endpoint = Endpoint(host, port, _answer, self._talk, own_pages_only=False)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one frame."""
        self.endpoint.put((frame, poses))

    def close(self) -> None:
        """Lets every client go; a second call does nothing."""
        self.endpoint.close()

    async def _talk(self, connection: ServerConnection) -> None:
        await connection.send(self._opening)
        number = self.endpoint.number
        while True:
            number, item = await self.endpoint.after(number)
            await connection.send(self._text(number, *item))
            async with asyncio.timeout(_PATIENCE_S):
                await (await connection.ping())

    def _text(self, number: int, frame: Frame, poses: Poses) -> str:
        """The frame, packed once for all clients."""
        if self._packed[0] != number:
            each = None if self._each is None else self._each(poses)
            more = {"seq": number - 1, "age_ms": age_ms(frame)}
            self._packed = (number, frame_json(frame, poses, self._detail, each, **more))
        return self._packed[1]


def _answer(request: Request) -> Response | None:
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    text = b"poses are sent here by web socket (ws://)\n"
    return respond(http.HTTPStatus.UPGRADE_REQUIRED, "text/plain", text)
