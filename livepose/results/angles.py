"""Angles of joints and segments, with their uncertainty, by the conventions of Sports2D.

A segment angle is measured anticlockwise from the horizontal, as seen in the picture. A joint
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

from livepose.poses import KeypointState, Poses
from livepose.skeletons import Skeleton

Floats = NDArray[np.float64]

NECK = ("left_shoulder", "right_shoulder")
MID_HIP = ("left_hip", "right_hip")
Ends = tuple[tuple[str, ...], tuple[str, ...]]


def _sided(name: str, start: str, end: str) -> dict[str, Ends]:
    return {
        f"{side}_{name}": ((f"{side}_{start}",), (f"{side}_{end}",)) for side in ("left", "right")
    }


SEGMENTS: dict[str, Ends] = {
    **_sided("shank", "knee", "ankle"),
    **_sided("thigh", "hip", "knee"),
    **_sided("arm", "shoulder", "elbow"),
    **_sided("forearm", "elbow", "wrist"),
    "pelvis": (("right_hip",), ("left_hip",)),
    "shoulders": (("right_shoulder",), ("left_shoulder",)),
    "trunk": (MID_HIP, NECK),
}
"""From where to where each segment points; several keypoints stand for their mean."""

_JOINTS = {
    "knee": ("{side}_thigh", "{side}_shank", 0.0),
    "hip": ("{side}_thigh", "trunk", 180.0),
    "shoulder": ("{side}_arm", "trunk", 180.0),
    "elbow": ("{side}_forearm", "{side}_arm", 0.0),
}
JOINTS: dict[str, tuple[str, str, float]] = {
    f"{side}_{joint}": (first.format(side=side), second.format(side=side), offset_deg)
    for joint, (first, second, offset_deg) in _JOINTS.items()
    for side in ("left", "right")
}
"""A joint's angle is that of its first segment minus that of its second, plus an offset."""

NAMES = (*JOINTS, *SEGMENTS)
STILLS = "images"
"""The kind of source in which nobody is followed."""
_AXES = ("pelvis", "shoulders")
PERIODS_DEG = np.array([180.0 if name in _AXES else 360.0 for name in NAMES])
"""Pelvis and shoulders are lines without a direction."""
LARGEST_SIGMA_DEG = 180.0 / np.sqrt(3.0)
"""Of an angle about which nothing is known."""


@dataclass(frozen=True, slots=True)
class Angles:
    """Degrees and their standard deviations, (P, A) each in the order of ``NAMES``; NaN unknown."""

    degrees: Floats
    sigma_deg: Floats

    def to_json(self) -> list[str]:
        """For each person the member ``"angles": [[deg, sigma_deg] or null, ...]``."""
        pairs = np.stack([self.degrees, self.sigma_deg], axis=-1)
        template = ", ".join(["[%.2f, %.2f]"] * len(NAMES))
        rows = pairs.reshape(len(pairs), 2 * len(NAMES)).tolist()
        texts = ((template % tuple(row)).replace("[nan, nan]", "null") for row in rows)
        return [f'"angles": [{text.replace("nan", "null")}]' for text in texts]


class AngleMeter:
    """Measures the angles of people, without jumps of a turn as long as they are followed.

    Examples
    --------
    >>> meter = AngleMeter()
    >>> meter(Poses.empty()).degrees.shape
    (0, 19)
    """

    def __init__(self) -> None:
        self._last: dict[int, Floats] = {}

    def to_json(self, poses: Poses) -> list[str]:
        """The angles of one frame as text; see ``Angles.to_json``."""
        return self(poses).to_json()

    def __call__(self, poses: Poses, *, followed: bool = True) -> Angles:
        """The angles of one frame; frames come in their order.

        In still pictures nobody is ``followed``: their ids only count people.
        """
        angles = measure(poses)
        for person, track_id in enumerate(poses.track_ids.tolist()):
            if followed and track_id > 0:
                self._unwrap(track_id, angles.degrees[person])
        return angles

    def _unwrap(self, track_id: int, degrees: Floats) -> None:
        """Moves the angles (A,), in place, by whole turns to near the last known ones."""
        last = self._last.setdefault(track_id, np.full(len(NAMES), np.nan))
        turns = np.round((last - degrees) / PERIODS_DEG)
        degrees += np.nan_to_num(turns) * PERIODS_DEG
        np.copyto(last, degrees, where=np.isfinite(degrees))


def each_of(header: Mapping[str, Any]) -> Callable[[Poses], list[str]] | None:
    """What a writer of JSON adds to each person, where its header names angles."""
    if not header.get("angles"):
        return None
    if header.get("kind") == STILLS:
        return lambda poses: measure(poses).to_json()
    return AngleMeter().to_json


def measure(poses: Poses) -> Angles:
    """Angles within half a turn, each frame for itself.

    The covariance of every keypoint is carried through the derivative of the angle; keypoints err
    independently of each other. Where a keypoint is missing or predicted there is no angle.
    """
    plan = _plan(poses.skeleton)
    known = np.isfinite(poses.keypoints_xy).all(axis=2) & ~np.isin(
        poses.keypoint_states, (KeypointState.MISSING, KeypointState.PREDICTED)
    )
    xy = np.where(known[..., None], poses.keypoints_xy, 0.0)
    vectors = np.einsum("sk,pkx->psx", plan.weights, xy)
    squares = np.where((vectors != 0).any(axis=2), (vectors**2).sum(axis=2), np.nan)
    segments = np.degrees(np.arctan2(-vectors[..., 1], vectors[..., 0]))
    degrees = np.where(np.isnan(squares), 0.0, segments) @ _MATRIX.T + _OFFSETS_DEG
    degrees = (degrees + PERIODS_DEG / 2) % PERIODS_DEG - PERIODS_DEG / 2
    absent = (~known[:, None, :] & plan.used).any(axis=2) | ~plan.possible
    absent |= (np.isnan(squares)[:, None, :] & (_MATRIX != 0)).any(axis=2)
    sigma = _sigma_deg(plan, vectors / squares[..., None], poses.covariance_px2, known)
    return Angles(np.where(absent, np.nan, degrees), np.where(absent, np.nan, sigma))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What of a skeleton each segment and angle needs."""

    weights: Floats
    """Segments as sums of keypoints, (S, K); zeros where the skeleton lacks one."""
    slopes: Floats
    """The same for each segment of each angle, (A, S, K)."""
    used: NDArray[np.bool_]
    """Keypoints that an angle needs, (A, K)."""
    possible: NDArray[np.bool_]
    """Angles that this skeleton has, (A,)."""


def _sigma_deg(
    plan: _Plan, inverse: Floats, covariance_px2: Floats, known: NDArray[np.bool_]
) -> Floats:
    """First-order standard deviation of each angle, (P, A); ``inverse`` is vector / length²."""
    # d(angle) = (y, -x) . d(vector) / length², with y downwards and the angle anticlockwise.
    normals = np.nan_to_num(np.stack([inverse[..., 1], -inverse[..., 0]], axis=2))
    slopes = np.einsum("ask,psx->pakx", plan.slopes, normals)
    unknown = known & ~np.isfinite(covariance_px2).all(axis=(2, 3))
    usable = (known & ~unknown)[..., None, None]
    spread = np.where(usable, covariance_px2, 0.0)
    variance = np.einsum("pakx,pkxy,paky->pa", slopes, spread, slopes)
    sigma = np.minimum(np.degrees(np.sqrt(np.maximum(variance, 0.0))), LARGEST_SIGMA_DEG)
    return np.where((unknown[:, None] & plan.used).any(axis=2), np.nan, sigma)


def _combinations() -> tuple[Floats, Floats]:
    """Angles as sums of segment angles, (A, S), and what is added, (A,)."""
    order = {name: index for index, name in enumerate(SEGMENTS)}
    matrix, offsets = np.zeros((len(NAMES), len(SEGMENTS))), np.zeros(len(NAMES))
    for row, name in enumerate(NAMES):
        if name in JOINTS:
            first, second, offsets[row] = JOINTS[name]
            matrix[row, order[first]], matrix[row, order[second]] = 1.0, -1.0
        else:
            matrix[row, order[name]] = 1.0
    return matrix, offsets


_MATRIX, _OFFSETS_DEG = _combinations()


@lru_cache(maxsize=8)
def _plan(skeleton: Skeleton) -> _Plan:
    order = {name: index for index, name in enumerate(skeleton.keypoints)}
    weights = np.zeros((len(SEGMENTS), len(order)))
    for row, ends in enumerate(SEGMENTS.values()):
        if all(name in order for end in ends for name in end):
            for end, sign in zip(ends, (-1.0, 1.0), strict=True):
                weights[row, [order[name] for name in end]] += sign / len(end)
    slopes = _MATRIX[:, :, None] * weights
    lacking = ~weights.any(axis=1)
    possible = ~((_MATRIX != 0) & lacking).any(axis=1)
    return _Plan(weights, slopes, (slopes != 0).any(axis=1), possible)
