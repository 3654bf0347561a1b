"""Open Sound Control: one bundle a frame, filled into a template of bytes.

Specification: https://opensoundcontrol.stanford.edu/spec-1_0.html
"""

import struct
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livepose.frame import Frame
from livepose.poses import Poses
from livepose.skeletons import Skeleton

MOST_BYTES = 60_000
_BUNDLE = b"#bundle\0" + struct.pack(">Q", 1)  # to be used at once


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
        for number in present:
            self._seen_s[number] = time_s
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
        self._holders: dict[int, int] = {}
        self._last = np.zeros((0, 0, 4))  # by slot

    def __call__(self, frame: Frame, poses: Poses) -> bytes:
        """The bundle, of at most ``MOST_BYTES``; the highest slots are left out of a longer one."""
        ids = poses.track_ids.tolist()
        slots = self._slots.assign(ids, frame.time_s)
        self._remember([slots[number] for number in ids], ids, self._rows(frame, poses))
        used = sorted(slots.values())
        self._last[[slot for slot in used if self._holders[slot] not in ids], :, 2] = 0.0
        width, height = frame.size_wh
        values = (frame.index, frame.time_s, width, height, len(poses))
        head = struct.pack(">ifiii", *values)
        start = _BUNDLE + _sized(_text("/livepose/frame") + _text(",ifiii") + head)
        return start + self._people(poses.skeleton, tuple(used), frozenset(ids))

    def _people(self, skeleton: Skeleton, used: tuple[int, ...], ids: frozenset[int]) -> bytes:
        template, ids_at, values_at = _template(skeleton, used)
        kept = list(used[: len(ids_at)])
        holders = [self._holders[slot] if self._holders[slot] in ids else 0 for slot in kept]
        data = template.copy()
        data[ids_at] = np.array(holders, ">i4").view(np.uint8).reshape(-1, 4)
        data[values_at] = self._last[kept].astype(">f4").view(np.uint8)
        return data.tobytes()

    def _remember(self, slots: list[int], ids: list[int], rows: NDArray[np.float64]) -> None:
        """Notes the newest keypoints; what is not there keeps its last place, with score 0."""
        joints, count = rows.shape[1], max([*slots, -1]) + 1
        if count > len(self._last) or joints != self._last.shape[1]:
            grown = np.zeros((max(count, len(self._last)), joints, 4))
            grown[: len(self._last)] = self._last if joints == self._last.shape[1] else 0.0
            self._last = grown
        finite = np.isfinite(rows)
        seen = finite[..., 0] & finite[..., 1]
        for slot, number, row, there in zip(slots, ids, rows, seen, strict=True):
            if self._holders.get(slot) != number:
                self._holders[slot] = number
                self._last[slot] = 0.0
                if there.any():
                    self._last[slot, :, :2] = row[there, :2].mean(axis=0)
        current = np.where(seen[..., None], np.where(finite, rows, 0.0), self._last[slots])
        current[..., 2] *= seen
        self._last[slots] = current

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


@lru_cache(maxsize=256)
def _template(
    skeleton: Skeleton, slots: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The messages of these slots, and where in them the ids (S, 4) and numbers (S, K, 16) go.

    Slots that would not fit into a datagram are left out.
    """
    data, ids_at, values_at = b"", [], []
    for slot in slots:
        part, starts = _sized(_text(f"/livepose/{slot}/id") + _text(",i") + bytes(4)), []
        id_at = len(part) - 4
        for joint in skeleton.keypoints:
            part += _sized(_text(f"/livepose/{slot}/{joint}") + _text(",ffff") + bytes(16))
            starts.append(len(part) - 16)
        if len(data) + len(part) > MOST_BYTES - 100:
            break
        ids_at.append(len(data) + id_at + np.arange(4))
        values_at.append(len(data) + np.array(starts)[:, None] + np.arange(16))
        data += part
    shape = (len(ids_at), len(skeleton.keypoints), 16)
    return (
        np.frombuffer(data, np.uint8),
        np.array(ids_at, np.int64).reshape(-1, 4),
        np.array(values_at, np.int64).reshape(shape),
    )


def _text(text: str) -> bytes:
    """A string of OSC: ended by zeros up to a multiple of four bytes."""
    data = text.encode(errors="backslashreplace") + b"\0"
    return data + bytes(-len(data) % 4)


def _sized(message: bytes) -> bytes:
    return struct.pack(">i", len(message)) + message
