"""Open Sound Control: one bundle a frame. https://opensoundcontrol.stanford.edu/spec-1_0.html."""

import struct
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livepose.frame import Frame
from livepose.poses import Poses

MOST_BYTES = 60_000
_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)  # to be used at once
_FLOATS = struct.Struct(">ffff").pack


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
        the picture, whose upper left corner is (0, 0).
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
            # Integers are pixel centres, so the picture begins half a pixel before (0, 0).
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
