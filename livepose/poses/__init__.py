"""Poses: what livepose knows of the people in one frame. The one validated container."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import UsageError
from livepose.poses.result import WEAK_SCORE as WEAK_SCORE
from livepose.poses.result import Result
from livepose.poses.states import KeypointState as KeypointState
from livepose.poses.states import fill_states, mark_outside
from livepose.skeletons import COCO17, Skeleton

Floats = NDArray[np.float64]

_SHAPES: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("keypoints_xy", 2, (2,)),
    ("keypoint_scores", 2, ()),
    ("boxes_xyxy", 1, (4,)),
    ("scores", 1, ()),
    ("track_ids", 1, ()),
    ("covariance_px2", 2, (2, 2)),
    ("keypoint_states", 2, ()),
)
"""Of each array the leading axes, of people or of people and keypoints, and those that follow."""
_ARRAYS = tuple(name for name, *_ in _SHAPES)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Poses(Result):
    """People of one frame: P of them with K keypoints each, in source-image pixels.

    Attributes
    ----------
    keypoints_xy : float64 (P, K, 2)
        x, y of each keypoint; NaN where it is not there.
    keypoint_scores : float64 (P, K)
        0 where the keypoint is not there.
    boxes_xyxy : float64 (P, 4)
        Left, top, right, bottom.
    scores : float64 (P,)
        How sure it is that there is a person.
    track_ids : int64 (P,)
        Who it is, from 1 on; in still images only a count. 0 where nobody is followed.
    covariance_px2 : float64 (P, K, 2, 2)
        Covariance of each keypoint in px², NaN where unknown.
    skeleton : Skeleton
        Names and limbs of the keypoints.
    keypoint_states : uint8 (P, K), optional
        ``KeypointState`` of each keypoint; left out, it follows from positions and scores.

    Raises
    ------
    UsageError
        When shapes do not fit together.
    """

    keypoints_xy: Floats
    keypoint_scores: Floats
    boxes_xyxy: Floats
    scores: Floats
    track_ids: NDArray[np.int64]
    covariance_px2: Floats
    skeleton: Skeleton = field(default=COCO17)
    keypoint_states: NDArray[np.uint8] = field(
        default_factory=lambda: np.empty((0, 0), dtype=np.uint8)
    )

    def __post_init__(self) -> None:
        points = len(self.scores), len(self.skeleton.keypoints)
        derived = self.keypoint_states.size == 0
        for name, axes, last in _SHAPES:
            wanted, got = points[:axes] + last, getattr(self, name).shape
            if got != wanted and not (derived and name == "keypoint_states"):
                raise UsageError(f"{name}: expected shape {wanted}, got {got}")
        if derived:
            states = np.empty(self.keypoint_scores.shape, dtype=np.uint8)
            scores = _plain(self.keypoint_scores)
            fill_states(_plain(self.keypoints_xy), scores, WEAK_SCORE, states)
            object.__setattr__(self, "keypoint_states", states)

    @classmethod
    def empty(cls, skeleton: Skeleton = COCO17) -> "Poses":
        """Nobody."""
        joints = len(skeleton.keypoints)
        places = np.empty((0, joints, 2)), np.empty((0, joints)), np.empty((0, 4)), np.empty(0)
        ids, covariance_px2 = np.empty(0, dtype=np.int64), np.empty((0, joints, 2, 2))
        return cls(*places, ids, covariance_px2, skeleton)

    def __len__(self) -> int:
        return len(self.scores)

    def in_source_pixels(self, scale_xy: tuple[float, float]) -> "Poses":
        """The same people where an image of ``scale_xy`` times the size has pixels of its own."""
        if scale_xy == (1.0, 1.0):
            return self
        scale = np.array(scale_xy)
        return self.with_arrays(
            keypoints_xy=(self.keypoints_xy + 0.5) / scale - 0.5,
            boxes_xyxy=self.boxes_xyxy / np.tile(scale, 2),
            covariance_px2=self.covariance_px2 / np.outer(scale, scale),
        )

    def select(self, which: NDArray[Any]) -> "Poses":
        """The people at these indices (or where this mask is true), in that order."""
        return self.with_arrays(**{name: getattr(self, name)[which] for name in _ARRAYS})

    def with_arrays(self, **arrays: NDArray[Any]) -> "Poses":
        """The same people with other arrays, of the same shapes; nothing is checked."""
        changed = object.__new__(Poses)
        for name in (*_ARRAYS, "skeleton"):
            value = arrays[name] if name in arrays else getattr(self, name)
            object.__setattr__(changed, name, value)
        return changed

    def without_keypoints(self, which: NDArray[np.bool_]) -> "Poses":
        """The same people; these keypoints, (P, K) or (P, 1), are missing."""
        return self.with_arrays(
            keypoints_xy=np.where(which[..., None], np.nan, self.keypoints_xy),
            keypoint_scores=np.where(which, 0.0, self.keypoint_scores),
            covariance_px2=np.where(which[..., None, None], np.nan, self.covariance_px2),
            keypoint_states=np.where(which, np.uint8(KeypointState.MISSING), self.keypoint_states),
        )

    def swapped(self, which: NDArray[np.bool_], pairs: NDArray[np.int64]) -> "Poses":
        """The same people; of the ``pairs`` (F, 2) those marked, (P, F), are exchanged."""
        people, marked = np.nonzero(which)
        order = np.tile(np.arange(self.keypoint_scores.shape[1]), (len(self), 1))
        order[people, pairs[marked, 0]], order[people, pairs[marked, 1]] = pairs[marked].T[::-1]
        each = np.arange(len(self))[:, None]
        places = "keypoints_xy", "keypoint_scores", "covariance_px2", "keypoint_states"
        return self.with_arrays(**{name: getattr(self, name)[each, order] for name in places})

    def joined(self, others: "Poses") -> "Poses":
        """These people and then those, of the same skeleton."""
        pairs = {name: (getattr(self, name), getattr(others, name)) for name in _ARRAYS}
        return self.with_arrays(**{name: np.concatenate(pair) for name, pair in pairs.items()})

    def in_frame(self, size_wh: tuple[int, int]) -> "Poses":
        """The same people with the keypoints outside a frame of ``size_wh`` marked as such."""
        # Integers are pixel centres, so the frame reaches half a pixel around them.
        right, bottom = size_wh[0] - 0.5, size_wh[1] - 0.5
        states = self.keypoint_states.copy()
        if not mark_outside(_plain(self.keypoints_xy), right, bottom, states):
            return self
        return self.with_arrays(keypoint_states=states)

    @property
    def sigma_px(self) -> Floats:
        """Uncertainty of each keypoint in px, (P, K): root of the mean variance of x and y."""
        trace = self.covariance_px2[..., 0, 0] + self.covariance_px2[..., 1, 1]
        return np.sqrt(np.where(trace >= 0, trace / 2, np.nan))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers in the form of one JSON line: ``{"people": [...]}``, null for missing."""
        return {"people": [self._person(index) for index in range(len(self))]}

    def _person(self, index: int) -> dict[str, Any]:
        arrays = self.keypoints_xy, self.keypoint_scores, self.sigma_px
        keypoints = zip(*(array[index].tolist() for array in arrays), strict=True)
        return {
            "id": int(self.track_ids[index]),
            "box_xyxy": [round(edge, 2) for edge in self.boxes_xyxy[index].tolist()],
            "score": round(float(self.scores[index]), 4),
            "keypoints": [_keypoint(x, y, score, sigma) for (x, y), score, sigma in keypoints],
            "states": [KeypointState(state).word for state in self.keypoint_states[index]],
            "covariance_px2": [_spread(one) for one in self.covariance_px2[index]],
        }


def _plain(values: NDArray[np.floating]) -> Floats:
    """As the kernels are compiled for: float64 in one piece of memory."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _keypoint(x: float, y: float, score: float, sigma_px: float) -> list[Any] | None:
    if not np.isfinite([x, y]).all():
        return None
    sigma = round(sigma_px, 3) if np.isfinite(sigma_px) else None
    return [round(x, 2), round(y, 2), round(score, 4), sigma]


def _spread(covariance_px2: Floats) -> list[float] | None:
    """xx, xy and yy of a covariance: all that there is to its ellipse."""
    if not np.isfinite(covariance_px2).all():
        return None
    (xx, xy), (_, yy) = covariance_px2.tolist()
    return [round(xx, 3), round(xy, 3), round(yy, 3)]
