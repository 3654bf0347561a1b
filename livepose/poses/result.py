"""What people do with a result: look at it, take it apart, save it, hand it on."""

import base64
import csv
import html
import io
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.errors import SinkError, UsageError
from livepose.frame import ImageBgr
from livepose.skeletons import Skeleton

if TYPE_CHECKING:
    from livepose.poses import Poses

WEAK_SCORE = 0.2
"""A keypoint that scores less is hardly believed, and is not drawn unless asked for."""
IMAGES = (".bmp", ".jpg", ".jpeg", ".png", ".webp")
LARGEST_SIDE_IN_HTML_PX = 640


class Result:
    """The part of ``Poses`` that is for people rather than for the pipeline.

    All of it follows one rule: a keypoint that scores less than ``score_threshold``, 0.2 if nothing
    is said, does not count as visible. It is not drawn, and others are told that it is not there.
    """

    __slots__ = ("_image_bgr",)

    keypoints_xy: NDArray[np.float64]
    keypoint_scores: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]
    track_ids: NDArray[np.int64]
    covariance_px2: NDArray[np.float64]
    skeleton: Skeleton

    @property
    def _poses(self) -> "Poses":
        return cast("Poses", self)

    def found_in(self, image_bgr: ImageBgr) -> "Poses":
        """The same people, who remember the image that they were found in, for ``plot``."""
        object.__setattr__(self, "_image_bgr", image_bgr)
        return self._poses

    @property
    def image_bgr(self) -> ImageBgr | None:
        """The image that they were found in, if ``process`` was given no time; else None."""
        return getattr(self, "_image_bgr", None)

    def __getitem__(self, which: int | slice | NDArray[Any]) -> "Poses":
        """One person (as ``Poses`` of one), or those of a slice, of indices or of a mask."""
        if isinstance(which, int | np.integer):
            if not -len(self.scores) <= which < len(self.scores):
                raise IndexError(f"poses[{which}]: there are {len(self.scores)} people")
            which = np.array([which])
        chosen = self._poses.select(cast("NDArray[Any]", which))
        return chosen if self.image_bgr is None else chosen.found_in(self.image_bgr)

    def __iter__(self) -> Iterator["Poses"]:
        return (self[index] for index in range(len(self.scores)))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            _same(getattr(self, one.name), getattr(other, one.name)) for one in fields(self._poses)
        )

    def __repr__(self) -> str:
        """In few words: the arrays are for themselves."""
        pairs = zip(self.track_ids, self.scores, strict=True)
        people = ", ".join(f"{track_id}: {score:.2f}" for track_id, score in pairs)
        return f"Poses({len(self.scores)} of {self.skeleton.name}, by id and score {{{people}}})"

    __hash__ = None  # type: ignore[assignment]

    def visible(self, score_threshold: float = WEAK_SCORE) -> NDArray[np.bool_]:
        """Which keypoints count, (P, K): there, and scored no lower than the threshold."""
        there = np.isfinite(self.keypoints_xy).all(axis=-1) & (self.keypoint_scores > 0)
        visible: NDArray[np.bool_] = there & (self.keypoint_scores >= score_threshold)
        return visible

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
            self._poses,
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
        path = Path(path)
        match path.suffix.lower():
            case ".json":
                content = json.dumps(self._poses.to_dict()).encode()
            case ".csv":
                content = self._csv().encode()
            case suffix if suffix in IMAGES:
                content = _encoded(self.plot(**how), suffix)
            case _:
                known = ", ".join((*IMAGES, ".json", ".csv"))
                wanted = f"expected a file name that ends in {known}"
                raise UsageError(f"save: {wanted}, got {path.name!r}")
        try:
            path.write_bytes(content)
        except OSError as error:
            raise SinkError(f"cannot write {path}: {error.strerror or error}") from None
        return path

    def _csv(self) -> str:
        table, text = self.to_table(), io.StringIO()
        rows = zip(*(column.tolist() for column in table.values()), strict=True)
        csv.writer(text, lineterminator="\n").writerows([list(table), *rows])
        return text.getvalue()

    def to_table(self) -> dict[str, NDArray[Any]]:
        """The columns of a table with one row for each keypoint of each person.

        They are those of ``--csv``: ``pandas.DataFrame(poses.to_table())`` and
        ``polars.DataFrame(poses.to_table())`` take them.
        """
        from livepose.results.tables import keypoint_table

        table = keypoint_table((0, 0.0, ""), self._poses)
        return {name: table[name] for name in table if name not in ("frame", "time_s", "name")}

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
            class_id=np.zeros(len(self.scores), dtype=int),
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
        heads = ["id", "score", "box x1, y1, x2, y2", f"keypoints of {self.skeleton.name}"]
        rows = [_html_row(heads, "th")]
        seen = self.visible().sum(axis=1)
        for person, track_id in enumerate(self.track_ids):
            box = ", ".join(f"{edge:.0f}" for edge in self.boxes_xyxy[person])
            rows.append(_html_row([track_id, f"{self.scores[person]:.2f}", box, seen[person]]))
        return self._html_image() + f"<table>{''.join(rows)}</table>"

    def _html_image(self) -> str:
        if self.image_bgr is None:
            return ""
        drawn = self.plot()
        times = min(1.0, LARGEST_SIDE_IN_HTML_PX / max(drawn.shape[:2]))
        small = cv2.resize(drawn, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
        text = base64.b64encode(_encoded(np.asarray(small, np.uint8), ".jpg")).decode()
        return f'<img src="data:image/jpeg;base64,{text}">'


def _same(mine: Any, other: Any) -> bool:
    if isinstance(mine, np.ndarray):
        return bool(np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f"))
    return bool(mine == other)


def _encoded(image_bgr: ImageBgr, suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, image_bgr)
    if not done:
        raise SinkError(f"the image cannot be written as {suffix}")
    return data.tobytes()


def _html_row(cells: list[Any], kind: str = "td") -> str:
    return "<tr>" + "".join(f"<{kind}>{html.escape(str(one))}</{kind}>" for one in cells) + "</tr>"
