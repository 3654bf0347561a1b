"""Open Sound Control: one bundle a frame, filled into a template of bytes.

Specification: https://opensoundcontrol.stanford.edu/spec-1_0.html
"""

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livepose.frame import Frame
from livepose.live.slots import Slots
from livepose.poses import Poses
from livepose.skeletons import Skeleton

MOST_BYTES = 60_000
_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)  # to be used at once


class OscPacker:
    """Makes a frame with its people into one bundle.

    Parameters
    ----------
    pixels : bool
        Coordinates and sigmas in pixels; else x in widths, y in heights and sigma in widths of
        the picture, whose upper left corner is (0, 0).
    """

    def __init__(self, *, pixels: bool = False) -> None:
        self._pixels = pixels
        self._slots = Slots()
        self._last: dict[int, NDArray[np.float64]] = {}

    def __call__(self, frame: Frame, poses: Poses) -> bytes:
        """The bundle, of at most ``MOST_BYTES``; the highest slots are left out of a longer one."""
        people = {int(number): index for index, number in enumerate(poses.track_ids)}
        slots = self._slots.assign(people, frame.time_s)
        rows = self._rows(frame, poses)
        parts, size = [], 0
        for number, slot in sorted(slots.items(), key=lambda one: one[1]):
            index = people.get(number)
            last = self._now(number, None if index is None else rows[index])
            part = _person(poses.skeleton, slot, 0 if index is None else number, last)
            size += len(part)
            if size < MOST_BYTES - 100:
                parts.append(part)
        self._last = {number: self._last[number] for number in slots}
        width, height = frame.size_wh
        values = (frame.index, frame.time_s, width, height, len(poses))
        head = struct.pack(">ifiii", *values)
        return _BUNDLE + _sized(_text("/livepose/frame") + _text(",ifiii") + head) + b"".join(parts)

    def _rows(self, frame: Frame, poses: Poses) -> NDArray[np.float64]:
        """x, y, score, sigma of each keypoint, (P, K, 4), in the units that were asked for."""
        if self._pixels:
            poses = poses.in_source_pixels(frame.scale_xy)
        columns = (poses.keypoints_xy, poses.keypoint_scores[..., None], poses.sigma_px[..., None])
        rows = np.concatenate(columns, axis=2)
        if not self._pixels:
            width, height = frame.size_wh
            # Integers are pixel centres, so the picture begins half a pixel before (0, 0).
            rows[..., :2] = (rows[..., :2] + 0.5) / (width, height)
            rows[..., 3] /= width
        return rows

    def _now(self, number: int, row: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """The keypoints (K, 4) of somebody: what is not there has score 0 at its last place."""
        last = self._last.get(number)
        if row is None:
            assert last is not None, "who left was there before"  # noqa: S101
            last[:, 2] = 0.0
            return last
        seen = np.isfinite(row[:, :2]).all(axis=1)
        if last is None:
            last = np.zeros_like(row)
            last[:, :2] = row[seen, :2].mean(axis=0) if seen.any() else 0.0
            self._last[number] = last
        last[seen] = np.nan_to_num(row[seen])
        last[~seen, 2] = 0.0
        return last


def _person(skeleton: Skeleton, slot: int, number: int, rows: NDArray[np.float64]) -> bytes:
    template, id_at, values_at = _template(skeleton, slot)
    data = template.copy()
    data[id_at : id_at + 4] = np.frombuffer(struct.pack(">i", number), np.uint8)
    data[values_at] = rows.astype(">f4").view(np.uint8)
    return data.tobytes()


@lru_cache(maxsize=256)
def _template(skeleton: Skeleton, slot: int) -> tuple[NDArray[np.uint8], int, NDArray[np.int64]]:
    """The messages of one slot, and where in them the id and the numbers (K, 16 bytes) go."""
    messages = [_sized(_text(f"/livepose/{slot}/id") + _text(",i") + bytes(4))]
    ends = [len(messages[0])]
    for joint in skeleton.keypoints:
        message = _text(f"/livepose/{slot}/{joint}") + _text(",ffff") + bytes(16)
        messages.append(_sized(message))
        ends.append(ends[-1] + len(messages[-1]))
    values_at = np.array(ends[1:])[:, None] - 16 + np.arange(16)
    return np.frombuffer(b"".join(messages), np.uint8), ends[0] - 4, values_at


def _text(text: str) -> bytes:
    """A string of OSC: ended by zeros up to a multiple of four bytes."""
    data = text.encode() + b"\0"
    return data + bytes(-len(data) % 4)


def _sized(message: bytes) -> bytes:
    return struct.pack(">i", len(message)) + message
