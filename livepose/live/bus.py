"""The keypoint bus: every frame's people, sent to another program while they are fresh.

By datagrams, of JSON or of Open Sound Control (https://opensoundcontrol.stanford.edu/spec-1_0.html),
or on a web socket, whose clients get the newest frame when they are ready for it.
"""

import asyncio
import http
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, lru_cache, partial
from itertools import count
from typing import Any, NamedTuple

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
_HELD_S = 1.0
_HEADER_EVERY_S = 1.0
_PATIENCE_S = 20.0
"""A client that has taken nothing for so long is let go."""


def open_bus(url: str, header: Mapping[str, Any]) -> Sink:
    """Opens what ``--send URL`` names; ``header`` is what receivers of JSON are told first.

    UsageError when the address has another form, its host cannot be resolved, or its port is taken.
    """
    to = BusAddress.parse(url)
    if to.scheme == "osc":
        return DatagramSink(to, OscPacker(pixels="px" in to.options))
    packer = JsonPacker(header, "full" if "full" in to.options else "plain")
    if to.scheme == "udp":
        return DatagramSink(to, packer.datagram, packer.opening.encode())
    return SocketBus(to, packer)


class DatagramSink(Sink):
    """Sends what ``pack`` makes of each frame; that nobody listens is no error.

    The ``opening`` is sent once a second, for those who come late.
    """

    live = True

    def __init__(
        self, to: BusAddress, pack: Callable[[Frame, Poses], bytes], opening: bytes = b""
    ) -> None:
        family, self._address = to.resolved()
        self._pack, self._opening, self._due_s = pack, opening, 0.0
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST_BYTES)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Sends one frame."""
        datagrams, now_s = [self._pack(frame, poses)], time.perf_counter()
        if self._opening and now_s >= self._due_s:
            self._due_s = now_s + _HEADER_EVERY_S
            datagrams.insert(0, self._opening)
        for datagram in datagrams:
            # No route, nobody there, no room: the next frame is newer anyway.
            with suppress(OSError):
                self._socket.sendto(datagram, self._address)

    def close(self) -> None:
        """Closes the socket; a second call does nothing."""
        self._socket.close()


class SocketBus(Sink):
    """Sends the header to each client, and then frames.

    The next frame goes out once the client has answered a ping that follows the one before, so
    that what waits between here and a slow client is one frame, and not a buffer full of them.
    """

    live = True

    def __init__(self, at: BusAddress, packer: "JsonPacker") -> None:
        self._packer = packer
        self.endpoint = Endpoint(at.host, at.port, _answer, self._talk, own_pages_only=False)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one frame, which is packed once, for the first client that wants it."""
        self.endpoint.put(cache(partial(self._packer.text, frame, poses)))

    def close(self) -> None:
        """Lets every client go; a second call does nothing."""
        self.endpoint.close()

    async def _talk(self, connection: ServerConnection) -> None:
        await connection.send(self._packer.opening)
        number = self.endpoint.number
        while True:
            number, packed = await self.endpoint.after(number)
            await connection.send(packed())
            async with asyncio.timeout(_PATIENCE_S):
                await (await connection.ping())


def _answer(request: Request) -> Response | None:
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    text = b"poses are sent here by web socket (ws://)\n"
    return respond(http.HTTPStatus.UPGRADE_REQUIRED, "text/plain", text)


class JsonPacker:
    """Makes frames into the objects of JSON Lines, with a number of their own and their age."""

    def __init__(self, header: Mapping[str, Any], detail: Detail) -> None:
        self.opening = json_line({"livepose": header})
        self._detail, self._each, self._numbers = detail, each_of(header), count()

    def text(self, frame: Frame, poses: Poses, most_bytes: float = np.inf) -> str:
        """The object; of more people than fit the last ones are left out."""
        more: dict[str, Any] = {"seq": next(self._numbers), "age_ms": age_ms(frame)}
        people, each = len(poses), self._each(poses)
        while len(text := frame_json(frame, poses, self._detail, each, **more)) > most_bytes:
            kept = int(len(poses) * most_bytes / (len(text) + 1000))
            poses, each = poses[:kept], each and each[:kept]
            more["left_out"] = people - kept
        return text

    def datagram(self, frame: Frame, poses: Poses) -> bytes:
        """The same as one datagram."""
        return self.text(frame, poses, MOST_BYTES).encode()


class _Channel(NamedTuple):
    """A person's place in a receiver."""

    slot: int
    seen_s: float
    rows: NDArray[np.float64]
    """x, y, score, sigma of each joint, (K, 4), none of them NaN."""


class OscPacker:
    """Makes a frame with its people into one bundle.

    A new id gets the lowest free slot. Somebody out of sight keeps it for a second, at the last
    place and with score 0, so that who comes back finds it again. Coordinates and sigmas are in
    ``pixels``, or x in widths, y in heights and sigma in widths of the image, whose upper left
    corner is (0, 0).
    """

    def __init__(self, *, pixels: bool = False) -> None:
        self._pixels = pixels
        self._channels: dict[int, _Channel] = {}  # by id

    def __call__(self, frame: Frame, poses: Poses) -> bytes:
        """The bundle, of at most ``MOST_BYTES``; the highest slots are left out of a longer one."""
        self._follow(frame, poses)
        data = _BUNDLE + _sized(_text("/livepose/frame") + _text(",ifiii"), 20)
        data += struct.pack(">ifiii", frame.index, frame.time_s, *frame.size_wh, len(poses))
        for number, one in sorted(self._channels.items(), key=lambda item: item[1].slot):
            start, *joints = _addresses(one.slot, poses.skeleton.keypoints)
            person = start + struct.pack(">i", number if number in poses.track_ids else 0)
            rows = one.rows.tolist()
            person += b"".join([a + _FLOATS(*row) for a, row in zip(joints, rows, strict=True)])
            if len(data) + len(person) > MOST_BYTES:
                break
            data += person
        return data

    def _follow(self, frame: Frame, poses: Poses) -> None:
        """Gives everybody a channel, and takes it from those who left."""
        ids, now_s = poses.track_ids.tolist(), frame.time_s
        held = {
            number: one
            for number, one in self._channels.items()
            if number in ids or 0 <= now_s - one.seen_s < _HELD_S
        }
        for number in held.keys() - set(ids):
            held[number].rows[:, 2] = 0.0
        for number, rows in zip(ids, self._rows(frame, poses), strict=True):
            last = held.get(number)
            taken = {one.slot for one in held.values()}
            slot = next(k for k in count() if k not in taken) if last is None else last.slot
            filled = _without_gaps(rows, None if last is None else last.rows)
            held[number] = _Channel(slot, now_s, filled)
        self._channels = held

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
