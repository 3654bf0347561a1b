"""A frame with its people as one JSON object: what files, datagrams and web sockets carry.

The text is filled into a template, which is many times quicker than a general encoder. Its
numbers are those of ``Poses.to_dict``.
"""

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from livepose.frame import Frame
from livepose.poses import KeypointState, Poses

Detail = Literal["full", "plain", "slim"]
"""With covariances and states, without covariances, or with as few digits as are worth it."""

SLIM_KEYPOINT = ("x", "y", "score")
_WORTH_A_DECIMAL_PX = 2.0
"""Where a keypoint is surer than this, a tenth of a pixel says something."""

_WORDS = [state.word for state in KeypointState]
_MISSING = "[nan, nan, 0.0000, nan]"
_SLIM_MISSING = "[nan,nan,nan]"
_UNKNOWN_SPREAD = "[nan, nan, nan]"


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
