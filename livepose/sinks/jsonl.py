"""JSON: lines of a file, a header and then a frame each, and the same frames for live outputs.

``docs/output-format.md`` has the schema. The text of a frame is filled into a template, which is
many times quicker than a general encoder. Its numbers are those of ``Poses.to_dict``.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from livepose.frame import Frame, ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.sinks.files import LineFile, Rotation
from livepose.sinks.protocol import Closing
from livepose.skeletons import COCO17, Skeleton

FORMAT_VERSION = 1
Detail = Literal["full", "plain", "slim"]
"""With covariances and states, without covariances, or with as few digits as are worth it."""

SLIM_KEYPOINT = ("x", "y", "score")
_WORTH_A_DECIMAL_PX = 2.0
"""Where a keypoint is surer than this, a tenth of a pixel says something."""

_WORDS = [state.word for state in KeypointState]
_MISSING = "[nan, nan, 0.0000, nan]"
_SLIM_MISSING = "[nan,nan,nan]"
_UNKNOWN_SPREAD = "[nan, nan, nan]"


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


def frame_json(
    frame: Frame,
    poses: Poses,
    detail: Detail = "full",
    each: Sequence[str] | None = None,
    **more: object,
) -> str:
    """One object: ``more`` first, then number, time, people.

    ``each`` is what else is said of each person, as members of JSON.
    """
    head: dict[str, object] = {**more, "frame": frame.index, "time_s": round(frame.time_s, 6)}
    if (unix_s := frame.unix_s) is not None:
        head["unix_s"] = round(unix_s, 3)
    if frame.name is not None:
        head["name"] = frame.name
    own = poses.in_source_pixels(frame.scale_xy)
    texts = (_slim if detail == "slim" else _people)(own, detail == "full")
    if each is not None:
        texts = [f"{text[:-1]}, {other}}}" for text, other in zip(texts, each, strict=True)]
    people = (", " if detail != "slim" else ",").join(texts)
    return f'{json.dumps(head)[:-1]}, "people": [{_nulls(people)}]}}'


def age_ms(frame: Frame) -> float | None:
    """Milliseconds since capture; None for files."""
    if frame.captured_s is None:
        return None
    return round((time.perf_counter() - frame.captured_s) * 1e3, 1)


def _people(poses: Poses, full: bool) -> list[str]:
    xy, scores = poses.keypoints_xy, poses.keypoint_scores
    rows = np.concatenate([xy, scores[..., None], poses.sigma_px[..., None]], axis=2)
    rows[~np.isfinite(xy).all(axis=2)] = (np.nan, np.nan, 0.0, np.nan)
    template = _template(scores.shape[1])
    people = zip(
        poses.track_ids.tolist(),
        poses.boxes_xyxy.tolist(),
        poses.scores.tolist(),
        rows.reshape(len(rows), 4 * rows.shape[1]).tolist(),
        poses.keypoint_states.tolist(),
        _spreads(poses) if full else [""] * len(poses),
        strict=True,
    )
    texts = [
        template % (number, *box, score, *row, *[_WORDS[state] for state in states], spreads)
        for number, box, score, row, states, spreads in people
    ]
    return [text.replace(_MISSING, "null") for text in texts]


@lru_cache(maxsize=4)
def _template(keypoints: int) -> str:
    rows = ", ".join(["[%.2f, %.2f, %.4f, %.3f]"] * keypoints)
    states = ", ".join(['"%s"'] * keypoints)
    box = '"box_xyxy": [%.2f, %.2f, %.2f, %.2f], "score": %.4f'
    return f'{{"id": %d, {box}, "keypoints": [{rows}], "states": [{states}]%s}}'


def _spreads(poses: Poses) -> list[str]:
    """xx, xy and yy of each covariance: all that there is to its ellipse."""
    people, joints = poses.keypoint_scores.shape
    spreads = poses.covariance_px2.reshape(people, joints, 4)[:, :, [0, 1, 3]].copy()
    spreads[~np.isfinite(spreads).all(axis=2)] = np.nan
    template = ", ".join(["[%.3f, %.3f, %.3f]"] * joints)
    texts = [template % tuple(row) for row in spreads.reshape(people, joints * 3).tolist()]
    return [f', "covariance_px2": [{text.replace(_UNKNOWN_SPREAD, "null")}]' for text in texts]


def _slim(poses: Poses, full: bool) -> list[str]:
    rows = np.concatenate([poses.keypoints_xy, poses.keypoint_scores[..., None]], axis=2)
    rows[~np.isfinite(rows).all(axis=2)] = np.nan
    people = zip(
        poses.track_ids.tolist(),
        poses.boxes_xyxy.tolist(),
        poses.scores.tolist(),
        rows.tolist(),
        (poses.sigma_px < _WORTH_A_DECIMAL_PX).tolist(),
        strict=True,
    )
    head = '{"id":%d,"box_xyxy":[%.0f,%.0f,%.0f,%.0f],"score":%.2f,"keypoints":['
    texts = [
        head % (number, *box, score) + ",".join(map(_slim_keypoint, row, sure)) + "]}"
        for number, box, score, row, sure in people
    ]
    return [text.replace(_SLIM_MISSING, "null") for text in texts]


def _slim_keypoint(row: list[float], sure: bool) -> str:
    return ("[%.1f,%.1f,%.2f]" if sure else "[%.0f,%.0f,%.2f]") % tuple(row)


def _nulls(text: str) -> str:
    """The same text with null for what JSON does not know; no word in it has these letters."""
    if "nan" not in text and "inf" not in text:
        return text
    return text.replace("-inf", "null").replace("inf", "null").replace("nan", "null")
