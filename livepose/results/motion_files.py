"""TRC (markers) and MOT (angles) files, one a person, as OpenSim, Sports2D and Pose2Sim read them.

Forms: https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53088741/ and
https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53089414/
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from livepose.errors import UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.results.angles import MID_HIP, NAMES, NECK
from livepose.results.tracks import Floats, Track, Tracks, median_rate_hz
from livepose.sinks.claims import check_writable, refuse_existing
from livepose.sinks.files import write_whole
from livepose.sinks.protocol import Closing
from livepose.skeletons import COCO17, Skeleton

SHOULDER_TO_ANKLE = 0.818 - 0.039
"""Share of the standing height between ankles and shoulders, along the body: Winter, Biomechanics
and Motor Control of Human Movement, figure 4.1 (after Drillis and Contini, 1966)."""


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
        self._tracks = Tracks()
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
        self._tracks.add(frame.time_s, poses)

    def close(self) -> None:
        """Writes the files; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        rate_hz = self._rate_hz or median_rate_hz(np.array(self._times_s))
        for track_id, track in sorted(self._tracks.by_id.items()):
            path = self._of(track_id)
            text = self._text(path.name, track, rate_hz)
            if text:
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
        times_s, xy = Track(track.times_s, list(markers)).resampled("keypoints_xy", rate_hz)
        if not len(times_s):
            return ""
        first = round(times_s[0] * rate_hz)
        rows = [
            f"{first + index}\t{time_s:.6f}\t" + "\t".join(_cells(row))
            for index, (time_s, row) in enumerate(zip(times_s, xy, strict=True))
        ]
        units = "px" if self._height_m is None else "m"
        return "\n".join([*_trc_header(name, names, rate_hz, len(rows), units), *rows]) + "\n"

    @cached_property
    def _m_per_px(self) -> float:
        """From whoever was seen for longest with the whole body: all are taken to be as far away.

        Raises
        ------
        UsageError
            When nobody's whole body was seen.
        """
        longest = sorted(self._tracks.by_id.values(), key=lambda track: -len(track.times_s))
        for track in longest:
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
        times_s, degrees = track.resampled("degrees", rate_hz)
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


def _trc_header(
    name: str, markers: list[str], rate_hz: float, frames: int, units: str
) -> Iterable[str]:
    rate = f"{rate_hz:.10g}"
    yield f"PathFileType\t4\t(X/Y/Z)\t{name}"
    yield (
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"
        "\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    )
    yield f"{rate}\t{rate}\t{frames}\t{len(markers)}\t{units}\t{rate}\t0\t{frames}"
    yield "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t"
    axes = (f"X{index}\tY{index}\tZ{index}" for index in range(1, len(markers) + 1))
    yield "\t\t" + "\t".join(axes)


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
    order = {name: index for index, name in enumerate(names)}

    def lengths(start: str, end: str) -> Floats:
        both = markers_xy[:, order[end]] - markers_xy[:, order[start]]
        return np.asarray(np.linalg.norm(both, axis=1))

    parts = [
        np.concatenate([lengths(f"{side}Hip", f"{side}Knee") for side in "LR"]),
        np.concatenate([lengths(f"{side}Knee", f"{side}Ankle") for side in "LR"]),
        lengths("Hip", "Neck"),
    ]
    if not all(np.isfinite(part).any() for part in parts):
        return None
    return float(sum(np.nanmedian(part) for part in parts)) / SHOULDER_TO_ANKLE
