"""Poses: what livepose knows of the people in one frame. The one validated container."""

import base64
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.errors import UsageError
from livepose.frame import ImageBgr
from livepose.skeletons import COCO17, Skeleton

Floats = NDArray[np.float64]

WEAK_SCORE = 0.2
"""A keypoint that scores less is hardly believed, and is not drawn unless asked for."""
LARGEST_SIDE_IN_HTML_PX = 640
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
_OF_KEYPOINTS = tuple(name for name, axes, _ in _SHAPES if axes == 2)


class KeypointState(IntEnum):
    """How a keypoint came to be where it is."""

    MISSING = 0
    """It is not there: its position is NaN."""
    SEEN = 1
    """Measured in this image."""
    WEAK = 2
    """Measured, with a score under ``WEAK_SCORE``."""
    OUTSIDE = 3
    """It lies outside the frame: nothing of it can be seen."""
    PREDICTED = 4
    """Not measured, or measured where it cannot be: it lies where it should be by its motion."""
    PROPAGATED = 5
    """Not looked at in this image: there the prediction is as good as a measurement."""

    @property
    def word(self) -> str:
        """The state as files write it: ``seen``, ``weak``, ..."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Poses:
    """People of one frame: P of them with K keypoints each, in source-image pixels.

    Where they are shown or handed to others, a keypoint that scores less than ``score_threshold``,
    0.2 if nothing is said, does not count as visible: it is not drawn, and others are told that it
    is not there.

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
    image_bgr : uint8 (H, W, 3), optional
        The image that they were found in, if ``process`` was given no time; else None.

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
    skeleton: Skeleton = COCO17
    keypoint_states: NDArray[np.uint8] = field(
        default_factory=lambda: np.empty((0, 0), dtype=np.uint8)
    )
    image_bgr: ImageBgr | None = None

    def __post_init__(self) -> None:
        points = len(self.scores), len(self.skeleton.keypoints)
        derived = self.keypoint_states.size == 0
        for name, axes, last in _SHAPES:
            wanted, got = points[:axes] + last, getattr(self, name).shape
            if got != wanted and not (derived and name == "keypoint_states"):
                raise UsageError(f"{name}: expected shape {wanted}, got {got}")
        if derived:
            # Comparisons are numbers: SEEN is 1, WEAK one more, and MISSING 0.
            there = np.isfinite(self.keypoints_xy).all(axis=2)
            states = there * (1 + (self.keypoint_scores < WEAK_SCORE))
            object.__setattr__(self, "keypoint_states", states.astype(np.uint8))

    @classmethod
    def empty(cls, skeleton: Skeleton = COCO17) -> "Poses":
        """Nobody."""
        joints = len(skeleton.keypoints)
        places = np.empty((0, joints, 2)), np.empty((0, joints)), np.empty((0, 4)), np.empty(0)
        ids, covariance_px2 = np.empty(0, dtype=np.int64), np.empty((0, joints, 2, 2))
        return cls(*places, ids, covariance_px2, skeleton)

    # -- the people ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: int | slice | NDArray[Any]) -> "Poses":
        """One person (as ``Poses`` of one), or those of a slice, of indices or of a mask."""
        if isinstance(which, int | np.integer):
            if not -len(self) <= which < len(self):
                raise IndexError(f"poses[{which}]: there are {len(self)} people")
            which = np.array([which])
        return self.select(which)

    def __iter__(self) -> Iterator["Poses"]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Poses):
            return NotImplemented
        pairs = ((getattr(self, name), getattr(other, name)) for name in _ARRAYS)
        return self.skeleton == other.skeleton and all(
            np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f") for mine, theirs in pairs
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """In few words: the arrays are for themselves."""
        pairs = zip(self.track_ids, self.scores, strict=True)
        people = ", ".join(f"{track_id}: {score:.2f}" for track_id, score in pairs)
        return f"Poses({len(self)} of {self.skeleton.name}, by id and score {{{people}}})"

    def select(self, which: slice | NDArray[Any]) -> "Poses":
        """The people at these indices (or where this mask is true), in that order."""
        return self.with_arrays(**{name: getattr(self, name)[which] for name in _ARRAYS})

    def with_arrays(self, **arrays: Any) -> "Poses":
        """The same people with other arrays, of the same shapes; nothing is checked."""
        changed = object.__new__(Poses)
        for name in (*_ARRAYS, "skeleton", "image_bgr"):
            value = arrays[name] if name in arrays else getattr(self, name)
            object.__setattr__(changed, name, value)
        return changed

    def joined(self, others: "Poses") -> "Poses":
        """These people and then those, of the same skeleton."""
        pairs = {name: (getattr(self, name), getattr(others, name)) for name in _ARRAYS}
        return self.with_arrays(**{name: np.concatenate(pair) for name, pair in pairs.items()})

    # -- the keypoints -----------------------------------------------------------------------------

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
        return self.with_arrays(
            **{name: getattr(self, name)[each, order] for name in _OF_KEYPOINTS}
        )

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

    def in_frame(self, size_wh: tuple[int, int]) -> "Poses":
        """The same people with the keypoints outside a frame of ``size_wh`` marked as such."""
        # Integers are pixel centres, so the frame reaches half a pixel around them.
        right, bottom = size_wh[0] - 0.5, size_wh[1] - 0.5
        x, y = self.keypoints_xy[..., 0], self.keypoints_xy[..., 1]
        beyond = (x < -0.5) | (y < -0.5) | (x > right) | (y > bottom)
        if not beyond.any():
            return self
        states = np.where(beyond, np.uint8(KeypointState.OUTSIDE), self.keypoint_states)
        return self.with_arrays(keypoint_states=states)

    @property
    def sigma_px(self) -> Floats:
        """Uncertainty of each keypoint in px, (P, K): root of the mean variance of x and y."""
        trace = self.covariance_px2[..., 0, 0] + self.covariance_px2[..., 1, 1]
        return np.sqrt(np.where(trace >= 0, trace / 2, np.nan))

    def visible(self, score_threshold: float = WEAK_SCORE) -> NDArray[np.bool_]:
        """Which keypoints count, (P, K): there, and scored no lower than the threshold."""
        there = np.isfinite(self.keypoints_xy).all(axis=-1) & (self.keypoint_scores > 0)
        visible: NDArray[np.bool_] = there & (self.keypoint_scores >= score_threshold)
        return visible

    # -- for people and other programs -------------------------------------------------------------

    def plot(
        self,
        image_bgr: ImageBgr | None = None,
        *,
        score_threshold: float = WEAK_SCORE,
        boxes: bool = False,
        uncertainty: bool = False,
    ) -> ImageBgr:
        """The people drawn into a copy of the image, blue first.

        Parameters
        ----------
        image_bgr : uint8 (H, W, 3), optional
            The image; left out, the one that they were found in.
        score_threshold : float
            Keypoints below it are left out.
        boxes, uncertainty : bool
            Draws boxes too, and ellipses that hold 39 and 86 % of the errors.

        Raises
        ------
        UsageError
            When no image is known.
        """
        from livepose.drawing import draw_poses

        image_bgr = self.image_bgr if image_bgr is None else image_bgr
        if image_bgr is None:
            raise UsageError("plot: these poses do not know their image; use plot(image_bgr)")
        return draw_poses(
            image_bgr.copy(),
            self,
            score_threshold=score_threshold,
            show_boxes=boxes,
            show_uncertainty=uncertainty,
        )

    def save(self, path: str | Path, **how: Any) -> Path:
        """Writes a drawn image, ``.json`` (``to_dict``) or ``.csv`` (``to_table``), by its name.

        What is there already is replaced; ``how`` is as for ``plot``.

        Raises
        ------
        UsageError
            When the name ends in something else, or no image is known.
        SinkError
            When the file cannot be written.
        """
        from livepose.results.tables import csv_rows
        from livepose.sinks.files import write_output
        from livepose.sinks.images import save_image
        from livepose.sinks.sink import IMAGE_SUFFIXES

        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".json":
            write_output(path, json.dumps(self.to_dict()))
        elif suffix == ".csv":
            table = self.to_table()
            write_output(path, ",".join(table) + "\n" + csv_rows(table))
        elif suffix in IMAGE_SUFFIXES:
            save_image(path, self.plot(**how))
        else:
            known = ", ".join((*sorted(IMAGE_SUFFIXES), ".json", ".csv"))
            wanted = f"expected a file name that ends in {known}"
            raise UsageError(f"save: {wanted}, got {path.name!r}")
        return path

    def to_table(self) -> dict[str, NDArray[Any]]:
        """The columns of a table with one row for each keypoint of each person.

        They are those of ``--csv``: ``pandas.DataFrame(poses.to_table())`` and
        ``polars.DataFrame(poses.to_table())`` take them.
        """
        from livepose.results.tables import keypoint_table

        table = keypoint_table((0, 0.0, ""), self)
        return {name: table[name] for name in table if name not in ("frame", "time_s", "name")}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers in the form of one JSON line: ``{"people": [...]}``, null for missing."""
        from livepose.sinks.jsonl import people_json

        return {"people": json.loads(people_json(self))}

    def to_supervision(self, *, score_threshold: float = WEAK_SCORE) -> Any:
        """The same people as ``supervision.KeyPoints`` (needs supervision 0.29 or newer).

        ``data["covariance"]`` is float32 (N, K, 2, 2) in px², NaN where unknown, as supervision's
        ellipse annotators take it; ``data["track_id"]`` is who it is. Keypoints below the threshold
        are not ``visible``, and those that are not there lie at 0, 0, supervision's own sign.
        """
        try:
            import supervision
        except ImportError as error:
            raise ImportError(
                "to_supervision needs the package supervision: pip install 'supervision>=0.29'"
            ) from error
        return supervision.KeyPoints(
            xy=np.nan_to_num(self.keypoints_xy).astype(np.float32),
            class_id=np.zeros(len(self), dtype=int),
            keypoint_confidence=self.keypoint_scores.astype(np.float32),
            detection_confidence=self.scores.astype(np.float32),
            visible=self.visible(score_threshold),
            data={
                "track_id": self.track_ids.copy(),
                "covariance": self.covariance_px2.astype(np.float32),
            },
        )

    def _repr_html_(self) -> str:
        """The image with the people in it, where it is known, above a table of them."""
        image = ""
        if self.image_bgr is not None:
            drawn = self.plot()
            times = min(1.0, LARGEST_SIDE_IN_HTML_PX / max(drawn.shape[:2]))
            small = cv2.resize(drawn, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
            text = base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode()
            image = f'<img src="data:image/jpeg;base64,{text}">'
        name = html.escape(self.skeleton.name)
        rows = f"<tr><th>id<th>score<th>box x1, y1, x2, y2<th>keypoints of {name}"
        columns = self.track_ids, self.scores, self.boxes_xyxy, self.visible().sum(axis=1)
        for track_id, score, edges, seen in zip(*columns, strict=True):
            box = ", ".join(f"{edge:.0f}" for edge in edges)
            rows += f"<tr><td>{track_id}<td>{score:.2f}<td>{box}<td>{seen}"
        return f"{image}<table>{rows}</table>"
