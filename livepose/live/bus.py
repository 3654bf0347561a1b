"""The keypoint bus: every frame's people, sent to another program while they are fresh.

By datagrams, of JSON or of Open Sound Control (https://opensoundcontrol.stanford.edu/spec-1_0.html),
or on a web socket, whose clients get the newest frame when they are ready for it.
"""

import asyncio
import http
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.frame import Frame, ImageBgr
from livepose.live.addresses import BusAddress
from livepose.live.endpoint import Endpoint, respond
from livepose.poses import Poses
from livepose.results.angles import each_of
from livepose.sinks.jsonl import Detail, age_ms, frame_json, json_line
from livepose.sinks.sink import Sink

MOST_BYTES = 60_000
_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)  # to be used at once
_FLOATS = struct.Struct(">ffff").pack
_HEADER_EVERY_S = 1.0
_PATIENCE_S = 20.0
"""A client that has taken nothing for so long is let go."""
Pack = Callable[[Frame, Poses], list[bytes]]


class Slots:
    """Channels of a receiver, the lowest free one for each id.

    Somebody out of sight keeps the slot for ``HELD_S``, so that who comes back finds it again.
    """

    HELD_S = 1.0

    def __init__(self) -> None:
        self._seen_s: dict[int, float] = {}
        self._slots: dict[int, int] = {}

    def assign(self, ids: Iterable[int], time_s: float) -> dict[int, int]:
        """Slot by id: of those who are there, and of those who left less than a second ago."""
        present = list(ids)
        self._seen_s |= dict.fromkeys(present, time_s)
        for number in [n for n, s in self._seen_s.items() if not 0 <= time_s - s < self.HELD_S]:
            del self._seen_s[number]
            self._slots.pop(number, None)
        for number in present:
            taken = set(self._slots.values())
            free = next(slot for slot in range(len(taken) + 1) if slot not in taken)
            self._slots.setdefault(number, free)
        return dict(self._slots)


class OscPacker:
    """Makes a frame with its people into one bundle.

    Parameters
    ----------
    pixels : bool
        Coordinates and sigmas in pixels; else x in widths, y in heights and sigma in widths of
        the image, whose upper left corner is (0, 0).
    """

    def __init__(self, *, pixels: bool = False) -> None:
        self._pixels = pixels
        self._slots = Slots()
        self._last: dict[int, NDArray[np.float64]] = {}  # by id: x, y, score, sigma of each joint

    def __call__(self, frame: Frame, poses: Poses) -> bytes:
        """The bundle, of at most ``MOST_BYTES``; the highest slots are left out of a longer one."""
        ids = poses.track_ids.tolist()
        slots = self._slots.assign(ids, frame.time_s)
        self._last = {number: self._last[number] for number in slots if number in self._last}
        for number, row in zip(ids, self._rows(frame, poses), strict=True):
            self._last[number] = _without_gaps(row, self._last.get(number))
        for gone in slots.keys() - set(ids):
            self._last[gone][:, 2] = 0.0
        values = (frame.index, frame.time_s, *frame.size_wh, len(poses))
        data = _BUNDLE + _sized(_text("/livepose/frame") + _text(",ifiii"), 20)
        data += struct.pack(">ifiii", *values)
        for number, slot in sorted(slots.items(), key=lambda item: item[1]):
            start, *joints = _addresses(slot, poses.skeleton.keypoints)
            rows = self._last[number].tolist()
            person = start + struct.pack(">i", number if number in ids else 0)
            person += b"".join([a + _FLOATS(*row) for a, row in zip(joints, rows, strict=True)])
            if len(data) + len(person) > MOST_BYTES:
                break
            data += person
        return data

    def _rows(self, frame: Frame, poses: Poses) -> NDArray[np.float64]:
        """x, y, score, sigma of each keypoint, (P, K, 4), in the units that were asked for."""
        if self._pixels:
            poses = poses.in_source_pixels(frame.scale_xy)
        columns = (poses.keypoints_xy, poses.keypoint_scores[..., None], poses.sigma_px[..., None])
        rows = np.concatenate(columns, axis=2)
        if not self._pixels:
            width, height = frame.size_wh
            # Integers are pixel centres, so the image begins half a pixel before (0, 0).
            rows[..., :2] = (rows[..., :2] + 0.5) / (width, height)
            rows[..., 3] /= width
        return rows


def _without_gaps(
    row: NDArray[np.float64], last: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """What is not there has its last place, or the middle of what is there, with score 0."""
    there = np.isfinite(row[:, 0]) & np.isfinite(row[:, 1])
    if last is None or last.shape != row.shape:
        last = np.zeros_like(row)
        if there.any():
            last[:, :2] = row[there, :2].mean(axis=0)
    filled = np.where(there[:, None], np.nan_to_num(row, posinf=0.0, neginf=0.0), last)
    filled[:, 2] *= there
    return filled


@lru_cache(maxsize=256)
def _addresses(slot: int, keypoints: tuple[str, ...]) -> list[bytes]:
    """How the messages of a slot begin: that of its id, and that of each joint."""
    joints = [_sized(_text(f"/livepose/{slot}/{one}") + _text(",ffff"), 16) for one in keypoints]
    return [_sized(_text(f"/livepose/{slot}/id") + _text(",i"), 4), *joints]


def _text(text: str) -> bytes:
    """A string of OSC: ended by zeros up to a multiple of four bytes."""
    data = text.encode(errors="backslashreplace") + b"\0"
    return data + bytes(-len(data) % 4)


def _sized(message: bytes, more: int) -> bytes:
    """A message of a bundle, of whose bytes some are still to come."""
    return struct.pack(">i", len(message) + more) + message


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
        data = datagram(frame, poses, detail, next(numbers), each(poses))
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
            more = {"seq": number - 1, "age_ms": age_ms(frame)}
            text = frame_json(frame, poses, self._detail, self._each(poses), **more)
            self._packed = (number, text)
        return self._packed[1]


def _answer(request: Request) -> Response | None:
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    text = b"poses are sent here by web socket (ws://)\n"
    return respond(http.HTTPStatus.UPGRADE_REQUIRED, "text/plain", text)
