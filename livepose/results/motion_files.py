"""TRC (markers) and MOT (angles) files, one a person, as OpenSim, Sports2D and Pose2Sim read them.

Forms: https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53088741/ and
https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53089414/
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.results.angles import NAMES, AngleMeter
from livepose.sinks.annotations import MIDPOINTS
from livepose.sinks.files import write_output
from livepose.sinks.sink import Sink, check_file, refuse_existing

Floats = NDArray[np.float64]

LONGEST_GAP_S = 0.25
"""What is missing for longer is not filled in, and no line is drawn across it."""
_LONGEST_TRACK_S = 7 * 24 * 3600.0
_LIMBS = (
    (("LHip", "LKnee"), ("RHip", "RKnee")),
    (("LKnee", "LAnkle"), ("RKnee", "RAnkle")),
    (("Hip", "Neck"),),
)
_SHOULDER_TO_ANKLE = 0.818 - 0.039
"""Share of the standing height that these have together: Winter, Biomechanics and Motor Control of
Human Movement, figure 4.1 (after Drillis and Contini, 1966)."""


class _MotionSink(Sink):
    """Collects the columns of each person, and writes one file each when it is closed.

    ``walk.trc`` becomes ``walk_person1.trc``, ...; nobody, and still images, no file. The rate
    of the file is ``rate_hz``, or that of the frames.
    """

    def __init__(
        self, path: str | Path, rate_hz: float | None = None, *, overwrite: bool = False
    ) -> None:
        self._path, self._rate_hz = Path(path), rate_hz
        self._meter = AngleMeter()
        self._tracks: dict[int, list[tuple[float, Floats]]] = {}
        self._times_s: list[float] = []
        check_file(self._of(1), overwrite=overwrite)
        for one in () if overwrite else self._path.parent.iterdir():
            if one.name.startswith(f"{self._path.stem}_person") and one.suffix == self._path.suffix:
                refuse_existing(one)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame."""
        if frame.name is None:
            self._times_s.append(frame.time_s)
            columns = self._columns(frame, poses)
            for track_id, own in zip(poses.track_ids.tolist(), columns, strict=True):
                if track_id > 0:
                    self._tracks.setdefault(track_id, []).append((frame.time_s, own.copy()))

    def close(self) -> None:
        """Writes the files; a second call does nothing."""
        tracks, self._tracks = self._tracks, {}
        rate_hz = self._rate_hz or median_rate_hz(np.array(self._times_s))
        for track_id, track in sorted(tracks.items()):
            times_s, columns = (np.array(values) for values in zip(*track, strict=True))
            even_s, even = resample(times_s, columns, rate_hz)
            path = self._of(track_id)
            if len(even_s):
                write_output(path, "\n".join(self._lines(path.name, even_s, even, rate_hz)) + "\n")

    def _of(self, track_id: int) -> Path:
        return self._path.with_name(f"{self._path.stem}_person{track_id}{self._path.suffix}")

    def _columns(self, frame: Frame, poses: Poses) -> Floats:
        """What is collected of each person of a frame, (P, ...)."""
        raise NotImplementedError

    def _lines(self, name: str, times_s: Floats, columns: Floats, rate_hz: float) -> list[str]:
        """The file of one person."""
        raise NotImplementedError


class TrcSink(_MotionSink):
    """Markers: every keypoint, and Hip and Neck as midpoints.

    In pixels of the image, y downwards; with a height in metres, y upwards from the lower edge
    of the image. That height is of whoever was seen for longest with the whole body; all are
    taken to be as far away. What is missing is an empty cell.
    """

    def __init__(
        self,
        path: str | Path,
        rate_hz: float | None = None,
        height_m: float | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        super().__init__(path, rate_hz, overwrite=overwrite)
        self._height_m = height_m
        self._names: list[str] = []
        self._image_px = 0

    def _columns(self, frame: Frame, poses: Poses) -> Floats:
        # Metres need square pixels, the others are the source's.
        own = poses if self._height_m else poses.in_source_pixels(frame.scale_xy)
        self._image_px = frame.size_wh[1]
        keypoints, markers_xy = poses.skeleton.keypoints, own.keypoints_xy
        self._names = [_marker_name(one) for one in keypoints]
        for name, middle in (("Hip", "mid_hip"), ("Neck", "neck")):
            if set(MIDPOINTS[middle]) <= set(keypoints):
                ends = [keypoints.index(part) for part in MIDPOINTS[middle]]
                between = own.keypoints_xy[:, ends].mean(axis=1, keepdims=True)
                markers_xy = np.concatenate([markers_xy, between], axis=1)
                self._names.append(name)
        return markers_xy

    def close(self) -> None:
        """Writes the files; UsageError for metres when nobody's whole body was seen."""
        if self._height_m is not None and self._tracks:
            tracks = sorted(self._tracks.values(), key=len, reverse=True)
            heights_px = [self._standing_height_px(track) for track in tracks]
            tall_px = next((one for one in heights_px if np.isfinite(one)), None)
            if tall_px is None:
                self._tracks = {}
                raise UsageError(
                    "--height-m needs somebody whose shoulders, hips, knees and ankles are all "
                    "seen at some time; leave it out for pixels"
                )
            self._m_per_px = self._height_m / tall_px
        super().close()

    def _standing_height_px(self, track: list[tuple[float, Floats]]) -> float:
        """From the median lengths of thigh, shank and trunk; NaN where one was never seen."""
        markers_xy = np.array([xy for _, xy in track])
        tall_px = 0.0
        for limbs in _LIMBS:
            first, last = np.array([[self._names.index(one) for one in limb] for limb in limbs]).T
            lengths_px = np.linalg.norm(markers_xy[:, last] - markers_xy[:, first], axis=2)
            known_px = lengths_px[np.isfinite(lengths_px)]
            tall_px += float(np.median(known_px)) if len(known_px) else np.nan
        return tall_px / _SHOULDER_TO_ANKLE

    def _lines(self, name: str, times_s: Floats, columns: Floats, rate_hz: float) -> list[str]:
        units, rate, count = "px", f"{rate_hz:.10g}", len(columns)
        if self._height_m is not None:
            units = "m"
            columns = (columns * (1.0, -1.0) + (0.0, self._image_px - 0.5)) * self._m_per_px
        first = round(times_s[0] * rate_hz)
        return [
            f"PathFileType\t4\t(X/Y/Z)\t{name}",
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"
            "\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
            f"{rate}\t{rate}\t{count}\t{len(self._names)}\t{units}\t{rate}\t0\t{count}",
            "Frame#\tTime\t" + "\t\t\t".join(self._names) + "\t\t",
            "\t\t" + "\t".join(f"X{at}\tY{at}\tZ{at}" for at in range(1, len(self._names) + 1)),
            *(
                f"{first + index}\t{time_s:.6f}\t" + "\t".join(map(_trc_cells, row.tolist()))
                for index, (time_s, row) in enumerate(zip(times_s, columns, strict=True))
            ),
        ]


def _marker_name(keypoint: str) -> str:
    """As OpenSim's users write them: left_knee -> LKnee, nose -> Nose, head_top -> HeadTop."""
    side, _, rest = keypoint.partition("_")
    if side in ("left", "right"):
        return side[0].upper() + rest.capitalize()
    return "".join(part.capitalize() for part in keypoint.split("_"))


def _trc_cells(xy: list[float]) -> str:
    """x, y, z of a marker; z is 0 in an image."""
    return f"{xy[0]:.5f}\t{xy[1]:.5f}\t0.00000" if np.isfinite(xy).all() else "\t\t"


class MotSink(_MotionSink):
    """Angles in degrees, by the names of ``--angles``; what is missing is ``nan``."""

    def _columns(self, frame: Frame, poses: Poses) -> Floats:
        return self._meter(poses).degrees

    def _lines(self, name: str, times_s: Floats, columns: Floats, rate_hz: float) -> list[str]:
        return [
            *("Coordinates", "version=1", f"nRows={len(columns)}", f"nColumns={1 + len(NAMES)}"),
            *("inDegrees=yes", "endheader", "\t".join(["time", *NAMES])),
            *(
                "\t".join([f"{time_s:.6f}", *(f"{value:.4f}" for value in row)])
                for time_s, row in zip(times_s, columns, strict=True)
            ),
        ]


def resample(times_s: Floats, values: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Values (T, ...) at whole multiples of 1 / rate between the first and last time, by lines.

    A value lies between two known ones that are at most ``LONGEST_GAP_S`` apart (or two steps of
    the rate), or is NaN.
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
            own_s = times_s[known]
            after = np.clip(np.searchsorted(own_s, even_s), 0, len(own_s) - 1)
            after_s, before_s = own_s[after], own_s[np.maximum(after - 1, 0)]
            close = np.minimum(np.abs(even_s - before_s), np.abs(even_s - after_s)) < 1e-6
            close |= (
                (even_s >= before_s)
                & (even_s <= after_s)
                & (after_s - before_s <= max(LONGEST_GAP_S, 2 / rate_hz))
            )
            lines = np.interp(even_s, own_s, columns[known, column])
            result[:, column] = np.where(close, lines, np.nan)
    return even_s, result.reshape(len(even_s), *values.shape[1:])


def median_rate_hz(times_s: Floats) -> float:
    """Frames a second, from the median distance of two."""
    steps_s = np.diff(times_s)
    steps_s = steps_s[steps_s > 0]
    return float(1.0 / np.median(steps_s)) if len(steps_s) else 1.0
