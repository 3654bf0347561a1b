"""The keypoint bus: every frame's people, sent to another program while they are fresh."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from livepose.frame import Frame, ImageBgr
from livepose.live.addresses import BusAddress
from livepose.live.osc import MOST_BYTES, OscPacker
from livepose.live.socket_bus import SocketBus
from livepose.poses import Poses
from livepose.results.angles import each_of
from livepose.sinks.jsonl import Detail, age_ms, frame_json, json_line
from livepose.sinks.protocol import Closing, Sink

HEADER_EVERY_S = 1.0


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
        When the address has another form, or its host cannot be resolved.
    """
    to = BusAddress.parse(url)
    detail: Detail = "full" if "full" in to.options else "plain"
    if to.scheme == "ws":
        return SocketBus(to.host, to.port, header, detail)
    pack = _osc("px" in to.options) if to.scheme == "osc" else _json(header, detail)
    return DatagramSink(to.resolved(), pack)


Pack = Callable[[Frame, Poses], list[bytes]]


class DatagramSink(Closing):
    """Sends what ``pack`` makes of each frame; that nobody listens is no error."""

    needs_drawing = False
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
            try:
                self._socket.sendto(datagram, self._address)
            except OSError:
                # No route, nobody there, no room: the next frame is newer anyway.
                continue

    def close(self) -> None:
        """Closes the socket; a second call does nothing."""
        self._socket.close()


def _osc(pixels: bool) -> Pack:
    packer = OscPacker(pixels=pixels)
    return lambda frame, poses: [packer(frame, poses)]


def _json(header: Mapping[str, Any], detail: Detail) -> Pack:
    opening = json_line({"livepose": dict(header)}).encode()
    state = {"seq": 0, "due_s": 0.0}
    each = each_of(header)

    def pack(frame: Frame, poses: Poses) -> list[bytes]:
        now_s = time.perf_counter()
        more = None if each is None else each(poses)
        datagrams = [datagram(frame, poses, detail, int(state["seq"]), more)]
        state["seq"] += 1
        if now_s >= state["due_s"]:
            state["due_s"] = now_s + HEADER_EVERY_S
            datagrams.insert(0, opening)
        return datagrams

    return pack


def datagram(
    frame: Frame, poses: Poses, detail: Detail, seq: int, each: Sequence[str] | None = None
) -> bytes:
    """The frame as one datagram; of more people than it can hold the last ones are left out."""
    more = {"seq": seq, "age_ms": age_ms(frame)}
    data = frame_json(frame, poses, detail, each, **more).encode()
    while len(data) > MOST_BYTES:
        kept = len(poses) * MOST_BYTES // (len(data) + 1000)
        more["left_out"] = int(more.get("left_out") or 0) + len(poses) - kept
        poses, each = poses.select(np.arange(kept)), None if each is None else each[:kept]
        data = frame_json(frame, poses, detail, each, **more).encode()
    return data
