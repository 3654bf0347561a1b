"""JSON: lines of a file, a header and then a frame each, and the same frames for live outputs.

``docs/output-format.md`` has the schema. The text of a frame is filled into a template, which is
many times quicker than a general encoder; ``Poses.to_dict`` reads it back.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.frame import Frame
from livepose.poses import KeypointState, Poses
from livepose.sinks.files import LineSink, Rotation
from livepose.skeletons import COCO17, Skeleton

FORMAT_VERSION = 1
Detail = Literal["full", "plain", "slim"]
"""With covariances and states, without covariances, or with as few digits as are worth it."""

_WORTH_A_DECIMAL_PX = 2.0
"""Where a keypoint is surer than this, a tenth of a pixel says something."""
_WORDS = [state.word for state in KeypointState]


def make_header(
    *,
    source: str,
    size_wh: tuple[int, int],
    skeleton: Skeleton = COCO17,
    fps: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The header of a run: skeleton, size, source, units and versions; ``more`` is added as it is.

    ``more`` says what computed: weights, runtime, detector, decoding, ...
    """
    versions = {name: _version(name) for name in ("livepose", "numpy", "torch")}
    return {
        "format": FORMAT_VERSION,
        "version": versions["livepose"],
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
        "states": list(_WORDS),
        "covariance": ["xx", "xy", "yy"],
        "units": {
            **{"time_s": "seconds", "unix_s": "seconds since 1970"},
            **dict.fromkeys(("box_xyxy", "keypoints", "sigma_px"), "px"),
            "covariance_px2": "px²",
        },
        "versions": versions,
        **more,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class JsonLinesSink(LineSink):
    """Writes ``{"livepose": header}`` and one line a frame, each flushed at once.

    ``ending`` is asked at the end for what the last line says, under the key ``summary``; ``each``
    for members of JSON to add to each person. ``slim`` leaves out states, sigmas and covariances,
    and digits that say nothing. See also ``LineSink``.
    """

    def __init__(
        self,
        path: str | Path,
        header: Mapping[str, Any],
        ending: Callable[[], Mapping[str, Any]] | None = None,
        *,
        slim: bool = False,
        each: Callable[[Poses], Sequence[str] | None] = lambda poses: None,
        rotation: Rotation | None = None,
        overwrite: bool = False,
    ) -> None:
        self._ending, self._each = ending, each
        self._detail: Detail = "slim" if slim else "full"
        said = {**header, "keypoint": ["x", "y", "score"]} if slim else header
        super().__init__(path, json_line({"livepose": said}), rotation, overwrite=overwrite)

    def _text(self, frame: Frame, poses: Poses) -> str:
        return frame_json(frame, poses, self._detail, self._each(poses)) + "\n"

    def close(self) -> None:
        """Writes the last line, if any, and closes the file; a second call does nothing."""
        ending, self._ending = self._ending, None
        try:
            if ending is not None:
                self._put(json_line({"summary": ending()}))
        finally:
            super().close()


def json_line(value: Any) -> str:
    """One line of JSON, with null for every number that JSON does not know."""
    return json.dumps(_finite(value), allow_nan=False) + "\n"


def read_lines(path: Path, what: str, advice: str) -> Iterator[Any]:
    """The value of each line, but of a last one that was cut off; DataError for another file."""
    try:
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file if line.endswith("\n"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not {what}: {error}; {advice}") from error


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value


def frame_json(
    frame: Frame,
    poses: Poses,
    detail: Detail = "full",
    each: Sequence[str] | None = None,
    **more: object,
) -> str:
    """One object: ``more`` first, then number, time, people; see ``people_json``."""
    head: dict[str, object] = {**more, "frame": frame.index, "time_s": round(frame.time_s, 6)}
    if (unix_s := frame.unix_s) is not None:
        head["unix_s"] = round(unix_s, 3)
    if frame.name is not None:
        head["name"] = frame.name
    people = people_json(poses.in_source_pixels(frame.scale_xy), detail, each)
    return f'{json.dumps(head)[:-1]}, "people": {people}}}'


def age_ms(frame: Frame) -> float | None:
    """Milliseconds since capture; None for files."""
    if frame.captured_s is None:
        return None
    return round((time.perf_counter() - frame.captured_s) * 1e3, 1)


def people_json(poses: Poses, detail: Detail = "full", each: Sequence[str] | None = None) -> str:
    """The list of people; ``each`` is what else is said of each of them, as members of JSON."""
    texts = _people(poses, detail)
    if each is not None:
        texts = [f"{text[:-1]}, {other}}}" for text, other in zip(texts, each, strict=True)]
    people = ("," if detail == "slim" else ", ").join(texts)
    # No word in it has the letters of what JSON does not know.
    for odd in ("-inf", "inf", "nan"):
        people = people.replace(odd, "null")
    return f"[{people}]"


def _people(poses: Poses, detail: Detail) -> list[str]:
    """Each person as an object of JSON."""
    sigma_px = poses.sigma_px
    columns = poses.keypoints_xy, poses.keypoint_scores[..., None], sigma_px[..., None]
    rows = np.concatenate(columns, axis=2)
    rows[~np.isfinite(poses.keypoints_xy).all(axis=2)] = np.nan
    if detail == "slim":
        form = '{"id":%d,"box_xyxy":[%.0f,%.0f,%.0f,%.0f],"score":%.2f,"keypoints":[%s]}'
        is_sure = sigma_px < _WORTH_A_DECIMAL_PX
        forms = np.where(is_sure, "[%.1f,%.1f,%.2f]", "[%.0f,%.0f,%.2f]").tolist()
        told = _cells(rows[..., :3], [",".join(one) for one in forms], "[nan,nan,nan]")
    else:
        form = '{"id": %d, "box_xyxy": [%.2f, %.2f, %.2f, %.2f], "score": %.4f, "keypoints": [%s]}'
        told = cells(rows, "[%.2f, %.2f, %.4f, %.3f]")
        for person, states in enumerate(poses.keypoint_states.tolist()):
            words = '", "'.join([_WORDS[one] for one in states])
            told[person] += f'], "states": ["{words}"'
    if detail == "full":
        spreads = poses.covariance_px2.reshape(*rows.shape[:2], 4)[:, :, [0, 1, 3]]
        spreads[~np.isfinite(spreads).all(axis=2)] = np.nan
        spread_texts = cells(spreads, "[%.3f, %.3f, %.3f]")
        told = [
            f'{one}], "covariance_px2": [{spread}'
            for one, spread in zip(told, spread_texts, strict=True)
        ]
    people = zip(
        poses.track_ids.tolist(),
        poses.boxes_xyxy.tolist(),
        poses.scores.tolist(),
        told,
        strict=True,
    )
    return [form % (number, *box, score, text) for number, box, score, text in people]


def cells(values: NDArray[np.float64], form: str) -> list[str]:
    """For each person ``values`` (P, K, N) as lists of JSON, each in that form; null for NaN."""
    people, count, each = values.shape
    return _cells(values, [", ".join([form] * count)] * people, form % ((np.nan,) * each))


def _cells(values: NDArray[np.float64], templates: Sequence[str], nothing: str) -> list[str]:
    rows = values.reshape(len(values), values.shape[1] * values.shape[2]).tolist()
    return [
        (template % tuple(row)).replace(nothing, "null")
        for template, row in zip(templates, rows, strict=True)
    ]
