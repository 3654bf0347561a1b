"""TRC (markers) and MOT (angles) files, one a person, as OpenSim, Sports2D and Pose2Sim read them.

Forms: https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53088741/ and
https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53089414/
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.results.angles import MID_HIP, NAMES, NECK, AngleMeter
from livepose.sinks.claims import check_writable, refuse_existing
from livepose.sinks.files import write_whole
from livepose.sinks.protocol import Closing
from livepose.skeletons import COCO17, Skeleton

Floats = NDArray[np.float64]

LONGEST_GAP_S = 0.25
"""What is missing for longer is not filled in, and no line is drawn across it."""
_LONGEST_TRACK_S = 7 * 24 * 3600.0
_SHOULDER_TO_ANKLE = 0.818 - 0.039
"""Share of the standing height between ankles and shoulders, along the body: Winter, Biomechanics
and Motor Control of Human Movement, figure 4.1 (after Drillis and Contini, 1966)."""


@dataclass(slots=True)
class Track:
    """One person: times (T,), keypoints (T, K, 2) in px, and angles (T, A) in degrees."""

    times_s: list[float] = field(default_factory=list)
    keypoints_xy: list[Floats] = field(default_factory=list)
    degrees: list[Floats] = field(default_factory=list)


class MotionSink(Closing):
    """Collects people and writes one file each when it is closed.

    Parameters
    ----------
    path : str or Path
        ``walk.trc`` becomes ``walk_person1.trc``, ...; nobody, no file.
    rate_hz : float, optional
        Rate of the file; None takes that of the frames.
    """

    def __init__(
        self, path: str | Path, rate_hz: float | None = None, *, overwrite: bool = False
    ) -> None:
        if rate_hz is not None and not 0.0 < rate_hz <= 10_000.0:
            raise UsageError(f"rate: expected above 0 and at most 10000 Hz, got {rate_hz:g}")
        self._path, self._rate_hz = Path(path), rate_hz
        self._tracks: dict[int, Track] = {}
        self._meter = AngleMeter()
        self._times_s: list[float] = []
        self._skeleton, self._height_px = COCO17, 0
        self._prefix = f"{self._path.stem}_person"
        self._closed = False
        check_writable(self._of(1), overwrite=overwrite)
        if not overwrite:
            for path in self._path.parent.iterdir():
                if path.suffix == self._path.suffix and path.stem.startswith(self._prefix):
                    refuse_existing(path)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame."""
        if frame.name is not None:  # nobody is followed in still pictures
            return
        self._skeleton, self._height_px = poses.skeleton, frame.size_wh[1]
        self._times_s.append(frame.time_s)
        degrees = self._meter(poses).degrees
        for person, track_id in enumerate(poses.track_ids.tolist()):
            if track_id > 0:
                track = self._tracks.setdefault(track_id, Track())
                track.times_s.append(frame.time_s)
                track.keypoints_xy.append(poses.keypoints_xy[person].copy())
                track.degrees.append(degrees[person].copy())

    def close(self) -> None:
        """Writes the files; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        rate_hz = self._rate_hz or median_rate_hz(np.array(self._times_s))
        for track_id, track in sorted(self._tracks.items()):
            path = self._of(track_id)
            if text := self._text(path.name, track, rate_hz):
                write_whole(path, text)

    def _of(self, track_id: int) -> Path:
        return self._path.with_name(f"{self._prefix}{track_id}{self._path.suffix}")

    def _text(self, name: str, track: Track, rate_hz: float) -> str:
        """What the file of one person holds; nothing for too short a track."""
        raise NotImplementedError


class TrcSink(MotionSink):
    """Markers: every keypoint, and Hip and Neck as midpoints.

    In pixels of the picture, y downwards; with the person's height in metres, y upwards from the
    lower edge of the picture. What is missing is an empty cell.
    """

    def __init__(
        self,
        path: str | Path,
        rate_hz: float | None = None,
        height_m: float | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        if height_m is not None and not 0.2 <= height_m <= 3.0:
            raise UsageError(f"height: expected 0.2 to 3 metres, got {height_m:g}")
        super().__init__(path, rate_hz, overwrite=overwrite)
        self._height_m = height_m

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame; metres need square pixels, the others are the source's."""
        own = poses if self._height_m else poses.in_source_pixels(frame.scale_xy)
        super().write(frame, own, drawn_bgr)

    def _text(self, name: str, track: Track, rate_hz: float) -> str:
        names, markers = _markers(self._skeleton, np.array(track.keypoints_xy))
        if self._height_m is not None:
            markers = (markers * (1.0, -1.0) + (0.0, self._height_px - 0.5)) * self._m_per_px
        times_s, xy = resample(np.array(track.times_s), markers, rate_hz)
        if not len(times_s):
            return ""
        first = round(times_s[0] * rate_hz)
        rows = [
            f"{first + index}\t{time_s:.6f}\t" + "\t".join(_cells(row))
            for index, (time_s, row) in enumerate(zip(times_s, xy, strict=True))
        ]
        rate, units = f"{rate_hz:.10g}", "px" if self._height_m is None else "m"
        header = [
            f"PathFileType\t4\t(X/Y/Z)\t{name}",
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"
            "\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
            f"{rate}\t{rate}\t{len(rows)}\t{len(names)}\t{units}\t{rate}\t0\t{len(rows)}",
            "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
            "\t\t" + "\t".join(f"X{at}\tY{at}\tZ{at}" for at in range(1, len(names) + 1)),
        ]
        return "\n".join([*header, *rows]) + "\n"

    @cached_property
    def _m_per_px(self) -> float:
        """From whoever was seen for longest with the whole body: all are taken to be as far away.

        Raises
        ------
        UsageError
            When nobody's whole body was seen.
        """
        for track in sorted(self._tracks.values(), key=lambda track: -len(track.times_s)):
            tall_px = standing_height_px(self._skeleton, np.array(track.keypoints_xy))
            if tall_px is not None and self._height_m is not None:
                return self._height_m / tall_px
        raise UsageError(
            "--height-m needs somebody whose shoulders, hips, knees and ankles are all seen at some"
            " time; leave it out for pixels"
        )


class MotSink(MotionSink):
    """Angles in degrees, by the names of ``--angles``; what is missing is ``nan``."""

    def _text(self, name: str, track: Track, rate_hz: float) -> str:
        times_s, degrees = resample(np.array(track.times_s), np.array(track.degrees), rate_hz)
        if not len(times_s):
            return ""
        rows = [
            "\t".join([f"{time_s:.6f}", *(f"{value:.4f}" for value in row)])
            for time_s, row in zip(times_s, degrees, strict=True)
        ]
        header = [
            *("Coordinates", "version=1", f"nRows={len(rows)}", f"nColumns={1 + len(NAMES)}"),
            *("inDegrees=yes", "endheader", "\t".join(["time", *NAMES])),
        ]
        return "\n".join([*header, *rows]) + "\n"


def _cells(row: Floats) -> list[str]:
    """x, y, z of every marker (M, 2); z is 0 in a picture."""
    return [
        cell
        for x, y in row.tolist()
        for cell in (("", "", "") if x != x or y != y else (f"{x:.5f}", f"{y:.5f}", "0.00000"))
    ]


def _markers(skeleton: Skeleton, keypoints_xy: Floats) -> tuple[list[str], Floats]:
    """Names as OpenSim's users write them, and positions (T, M, 2)."""
    names = [_marker_name(name) for name in skeleton.keypoints]
    for name, parts in (("Hip", MID_HIP), ("Neck", NECK)):
        if set(parts) <= set(skeleton.keypoints):
            which = [skeleton.keypoints.index(part) for part in parts]
            middle = keypoints_xy[:, which].mean(axis=1, keepdims=True)
            keypoints_xy, names = np.concatenate([keypoints_xy, middle], axis=1), [*names, name]
    return names, keypoints_xy


def _marker_name(keypoint: str) -> str:
    """left_knee -> LKnee, nose -> Nose, head_top -> HeadTop."""
    side, _, rest = keypoint.partition("_")
    if side in ("left", "right"):
        return side[0].upper() + rest.capitalize()
    return "".join(part.capitalize() for part in keypoint.split("_"))


def standing_height_px(skeleton: Skeleton, keypoints_xy: Floats) -> float | None:
    """How tall somebody (T, K, 2) would stand, from the median lengths of shank, thigh and trunk.

    None where one of them was never seen.
    """
    names, markers_xy = _markers(skeleton, keypoints_xy)

    def lengths(start: str, end: str) -> Floats:
        both = markers_xy[:, names.index(end)] - markers_xy[:, names.index(start)]
        return np.asarray(np.linalg.norm(both, axis=1))

    parts = [
        np.concatenate([lengths(f"{side}Hip", f"{side}Knee") for side in "LR"]),
        np.concatenate([lengths(f"{side}Knee", f"{side}Ankle") for side in "LR"]),
        lengths("Hip", "Neck"),
    ]
    if not all(np.isfinite(part).any() for part in parts):
        return None
    return float(sum(np.nanmedian(part) for part in parts)) / _SHOULDER_TO_ANKLE


def resample(times_s: Floats, values: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Values (T, ...) at whole multiples of 1 / rate between the first and last time, by lines.

    A value lies between two known ones that are at most ``LONGEST_GAP_S`` apart (or two steps of
    the rate), or is NaN.

    >>> resample(np.array([0.0, 0.1]), np.array([[0.0], [1.0]]), 20.0)[1].ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    if times_s[-1] - times_s[0] > _LONGEST_TRACK_S:
        raise DataError(f"a track of {times_s[-1] - times_s[0]:.0f} s is too long to be resampled")
    tiny = 1e-9  # a time that is a multiple of the step up to rounding counts as one
    first, last = np.ceil(times_s[0] * rate_hz - tiny) + 0.0, np.floor(times_s[-1] * rate_hz + tiny)
    even_s = np.arange(first, last + 1) / rate_hz
    columns = values.reshape(len(values), -1)
    result = np.full((len(even_s), columns.shape[1]), np.nan)
    for column, known in enumerate(np.isfinite(columns).T):
        if known.any():
            result[:, column] = _between(
                even_s, times_s[known], columns[known, column], max(LONGEST_GAP_S, 2 / rate_hz)
            )
    return even_s, result.reshape(len(even_s), *values.shape[1:])


def _between(even_s: Floats, times_s: Floats, values: Floats, longest_s: float) -> Floats:
    tiny = 1e-6
    after = np.clip(np.searchsorted(times_s, even_s), 1, max(len(times_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    on_one = np.minimum(np.abs(even_s - times_s[before]), np.abs(even_s - times_s[after])) < tiny
    inside = (even_s >= times_s[before]) & (even_s <= times_s[after])
    filled = inside & (times_s[after] - times_s[before] <= longest_s)
    return np.where(on_one | filled, np.interp(even_s, times_s, values), np.nan)


def median_rate_hz(times_s: Floats) -> float:
    """Frames a second, from the median distance of two."""
    steps_s = np.diff(times_s)
    steps_s = steps_s[steps_s > 0]
    return float(1.0 / np.median(steps_s)) if len(steps_s) else 1.0
