"""JSON Lines: a header, then one line a frame. ``docs/output-format.md`` has the schema."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from livepose.frame import Frame, ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.sinks._lines import LineFile, Rotation
from livepose.sinks.frame_json import SLIM_KEYPOINT, Detail, frame_json
from livepose.sinks.protocol import Closing
from livepose.skeletons import COCO17, Skeleton

FORMAT_VERSION = 1


def make_header(
    *,
    source: str,
    size_wh: tuple[int, int],
    skeleton: Skeleton = COCO17,
    fps: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The header of a run: skeleton, size, source, units and versions.

    ``more`` is added as it is (weights, runtime, detector, decoding, ...).
    """
    return {
        "format": FORMAT_VERSION,
        "version": _version("livepose"),
        "started_utc": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "source": source,
        "size_wh": list(size_wh),
        "fps": fps,
        "skeleton": {
            "name": skeleton.name,
            "keypoints": list(skeleton.keypoints),
            "limbs": [list(limb) for limb in skeleton.limbs],
        },
        "keypoint": ["x", "y", "score", "sigma_px"],
        "states": [state.word for state in KeypointState],
        "covariance": ["xx", "xy", "yy"],
        "units": {
            "time_s": "seconds",
            "unix_s": "seconds since 1970",
            "box_xyxy": "px",
            "keypoints": "px",
            "sigma_px": "px",
            "covariance_px2": "px²",
        },
        "versions": {name: _version(name) for name in ("livepose", "numpy", "torch")},
        **more,
    }


class JsonLinesSink(Closing):
    """Writes ``{"livepose": header}`` and one line a frame, each flushed at once.

    Parameters
    ----------
    path : str or Path
        A file, or "-" for stdout.
    header : mapping
        What the first line says; ``make_header`` makes one.
    ending : callable, optional
        Asked at the end for what the last line says, under the key ``summary``.
    slim : bool
        Leaves out states, sigmas and covariances, and digits that say nothing.
    each : callable, optional
        Asked for what else each person of a frame has, as the text of JSON's members.
    rotation, overwrite
        See ``LineFile``.
    """

    def __init__(
        self,
        path: str | Path,
        header: Mapping[str, Any],
        ending: Callable[[], Mapping[str, Any]] | None = None,
        *,
        slim: bool = False,
        each: Callable[[Poses], Sequence[str]] | None = None,
        rotation: Rotation | None = None,
        overwrite: bool = False,
    ) -> None:
        self._ending, self._each = ending, each
        self._detail: Detail = "slim" if slim else "full"
        said = {**header, "keypoint": list(SLIM_KEYPOINT)} if slim else dict(header)
        opening = json_line({"livepose": said})
        self._lines = LineFile(path, opening, rotation=rotation, overwrite=overwrite)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the line of one frame."""
        each = None if self._each is None else self._each(poses)
        self._lines.write(frame_json(frame, poses, self._detail, each) + "\n")

    def close(self) -> None:
        """Writes the last line, if any, and closes the file; a second call does nothing."""
        ending, self._ending = self._ending, None
        try:
            if ending is not None:
                self._lines.write(json_line({"summary": dict(ending())}))
        finally:
            self._lines.close()


def json_line(value: Any) -> str:
    """One line of JSON, with null for every number that JSON does not know."""
    return json.dumps(_finite(value), allow_nan=False, separators=(", ", ": ")) + "\n"


def _finite(value: Any) -> Any:
    """The same value with null for every number that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
