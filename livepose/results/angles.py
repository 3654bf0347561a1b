"""Angles of joints and segments, with their uncertainty, by the conventions of Sports2D.

A segment angle is measured anticlockwise from the horizontal, as seen in the image. A joint
angle is 0 where its two segments are aligned; the shoulder's is 180 where the arm is aligned with
the trunk. Signs are those of somebody who faces right. There is no ankle: it needs toes.

Conventions: https://github.com/davidpagnon/Sports2D ("Angle conventions").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.drawing.canvas import put_text
from livepose.frame import ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.sinks.annotations import MIDPOINTS
from livepose.sinks.jsonl import cells
from livepose.skeletons import Skeleton

Floats = NDArray[np.float64]

_SIDES = ("left", "right")
_SEGMENTS: dict[str, tuple[str, str]] = {
    f"{side}_{name}": (f"{side}_{start}", f"{side}_{end}")
    for name, start, end in (
        ("shank", "knee", "ankle"),
        ("thigh", "hip", "knee"),
        ("arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
    )
    for side in _SIDES
}
"""From where to where each segment points."""
_SEGMENTS |= {
    "pelvis": ("right_hip", "left_hip"),
    "shoulders": ("right_shoulder", "left_shoulder"),
    "trunk": ("mid_hip", "neck"),
}
_JOINTS = {
    f"{side}_{joint}": (f"{side}_{first}", second.format(side), offset_deg)
    for joint, first, second, offset_deg in (
        ("knee", "thigh", "{}_shank", 0.0),
        ("hip", "thigh", "trunk", 180.0),
        ("shoulder", "arm", "trunk", 180.0),
        ("elbow", "forearm", "{}_arm", 0.0),
    )
    for side in _SIDES
}
"""A joint's angle is that of its first segment minus that of its second, plus an offset."""

NAMES = (*_JOINTS, *_SEGMENTS)
STILLS = "images"
"""The kind of source in which nobody is followed."""
PERIODS_DEG = np.array([180.0 if name in ("pelvis", "shoulders") else 360.0 for name in NAMES])
"""Pelvis and shoulders are lines without a direction."""
LARGEST_SIGMA_DEG = 180.0 / np.sqrt(3.0)
"""Of an angle about which nothing is known."""
_MOST_KNOWN = 1000
"""Whoever comes back after so many others starts anew: a run may last for weeks."""
_LABEL_SHARE, _LABEL_RANGE_PX = 0.035, (7.0, 16.0)
"""How tall numbers are: a share of the person's box, and its limits."""
_OUTLINED = ((-1, 0, 0.0), (1, 0, 0.0), (0, -1, 0.0), (0, 1, 0.0), (0, 0, 255.0))
"""White with a black edge is read on any ground."""


@dataclass(frozen=True, slots=True)
class Angles:
    """Degrees and their standard deviations, (P, A) each in the order of ``NAMES``; NaN unknown."""

    degrees: Floats
    sigma_deg: Floats

    def to_json(self) -> list[str]:
        """For each person ``"angles": [[deg, sigma_deg] or null, ...]``."""
        texts = cells(np.stack([self.degrees, self.sigma_deg], axis=-1), "[%.2f, %.2f]")
        return [f'"angles": [{text.replace("nan", "null")}]' for text in texts]


class AngleMeter:
    """Measures the angles of people, without jumps of a turn as long as they are followed."""

    def __init__(self) -> None:
        self._last: dict[int, Floats] = {}

    def __call__(self, poses: Poses, *, tracked: bool = True) -> Angles:
        """The angles of one frame; frames come in their order.

        In still images nobody is ``tracked``: their ids only count people.
        """
        angles = measure(poses)
        for degrees, track_id in zip(angles.degrees, poses.track_ids.tolist(), strict=True):
            if tracked and track_id > 0:
                last = self._last.pop(track_id, np.full(len(NAMES), np.nan))
                degrees += np.nan_to_num(np.round((last - degrees) / PERIODS_DEG)) * PERIODS_DEG
                self._last[track_id] = np.where(np.isfinite(degrees), degrees, last)
        for gone in list(self._last)[:-_MOST_KNOWN]:
            del self._last[gone]
        return angles


def each_of(header: Mapping[str, Any]) -> Callable[[Poses], list[str] | None]:
    """What a writer of JSON adds to each person: angles, where its header names them."""
    meter, tracked, asked = AngleMeter(), header.get("kind") != STILLS, header.get("angles")
    return lambda poses: meter(poses, tracked=tracked).to_json() if asked else None


def measure(poses: Poses) -> Angles:
    """Angles within half a turn, each frame for itself.

    The covariance of every keypoint is carried through the derivative of the angle; keypoints err
    independently of each other. Where a keypoint is missing or predicted there is no angle.
    """
    weights, slopes, used = _plan(poses.skeleton)
    known = np.isfinite(poses.keypoints_xy).all(axis=2) & ~np.isin(
        poses.keypoint_states, (KeypointState.MISSING, KeypointState.PREDICTED)
    )
    xy = np.where(known[..., None], poses.keypoints_xy, 0.0)
    vectors = np.einsum("sk,pkx->psx", weights, xy)
    squares = (vectors**2).sum(axis=2)
    squares[squares == 0] = np.nan
    segments = np.degrees(np.arctan2(-vectors[..., 1], vectors[..., 0]))
    degrees = np.where(np.isnan(squares), 0.0, segments) @ _MATRIX.T + _OFFSETS_DEG
    degrees = (degrees + PERIODS_DEG / 2) % PERIODS_DEG - PERIODS_DEG / 2
    absent = (~known[:, None, :] & used).any(axis=2)
    absent |= (np.isnan(squares)[:, None, :] & (_MATRIX != 0)).any(axis=2)
    # d(angle) = (y, -x) . d(vector) / length², with y downwards and the angle anticlockwise.
    inverse = vectors / squares[..., None]
    normals = np.nan_to_num(np.stack([inverse[..., 1], -inverse[..., 0]], axis=2))
    by_keypoint = np.einsum("ask,psx->pakx", slopes, normals)
    unknown = known & ~np.isfinite(poses.covariance_px2).all(axis=(2, 3))
    spread = np.where((known & ~unknown)[..., None, None], poses.covariance_px2, 0.0)
    variance = np.einsum("pakx,pkxy,paky->pa", by_keypoint, spread, by_keypoint)
    sigma = np.minimum(np.degrees(np.sqrt(np.maximum(variance, 0.0))), LARGEST_SIGMA_DEG)
    sigma[(unknown[:, None] & used).any(axis=2)] = np.nan
    return Angles(np.where(absent, np.nan, degrees), np.where(absent, np.nan, sigma))


def _combinations() -> tuple[Floats, Floats]:
    """Angles as sums of segment angles, (A, S), and what is added, (A,)."""
    order = list(_SEGMENTS)
    matrix, offsets = np.zeros((len(NAMES), len(order))), np.zeros(len(NAMES))
    for row, name in enumerate(NAMES):
        first, second, offsets[row] = _JOINTS.get(name, (name, name, 0.0))
        matrix[row, order.index(second)] = -1.0
        matrix[row, order.index(first)] = 1.0
    return matrix, offsets


_MATRIX, _OFFSETS_DEG = _combinations()


@lru_cache(maxsize=8)
def _plan(skeleton: Skeleton) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """What of a skeleton each segment and angle needs.

    Segments as sums of keypoints (S, K), NaN where the skeleton lacks one; the same for each
    segment of each angle (A, S, K), then with zeros; keypoints that an angle needs (A, K).
    """
    order = {name: index for index, name in enumerate(skeleton.keypoints)}
    weights = np.full((len(_SEGMENTS), len(order)), np.nan)
    for row, ends in enumerate(_SEGMENTS.values()):
        parts = [MIDPOINTS.get(end, (end,)) for end in ends]
        if all(name in order for part in parts for name in part):
            weights[row] = 0.0
            for part, sign in zip(parts, (-1.0, 1.0), strict=True):
                weights[row, [order[name] for name in part]] += sign / len(part)
    slopes = _MATRIX[:, :, None] * np.nan_to_num(weights)
    return weights, slopes, (slopes != 0).any(axis=1)


def draw_angles(
    image_bgr: ImageBgr, poses: Poses, angles: Angles, score_threshold: float = 0.2
) -> ImageBgr:
    """Writes the whole degrees of knees, hips, elbows and shoulders beside them, in place.

    They are told within half a turn. ``angles`` are those of ``poses``; joints that score below the
    threshold have no number.
    """
    joints = [name for name in _JOINTS if name in poses.skeleton.keypoints]
    for person, box in enumerate(poses.boxes_xyxy):
        share_px = np.nan_to_num((box[3] - box[1]) * _LABEL_SHARE)
        tall_px = float(np.clip(share_px, *_LABEL_RANGE_PX))
        for name in joints:
            joint = poses.skeleton.keypoints.index(name)
            degrees = angles.degrees[person, NAMES.index(name)]
            if np.isfinite(degrees) and poses.keypoint_scores[person, joint] >= score_threshold:
                x, y = poses.keypoints_xy[person, joint].tolist()
                text = str(round((degrees + 180.0) % 360.0 - 180.0))
                for dx, dy, grey in _OUTLINED:
                    at = x + tall_px * 0.6 + dx, y + tall_px / 2 + dy
                    put_text(image_bgr, text, at, tall_px, (grey, grey, grey))
    return image_bgr
