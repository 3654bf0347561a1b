"""COCO-form annotation files, read with distrust."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError

Floats = NDArray[np.float64]


def read_annotations(path: Path) -> dict[str, Any]:
    """A COCO-form file: ``images``, ``annotations`` and ``categories`` are lists in it.

    Raises
    ------
    DataError
        When it cannot be read or has another form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: expected COCO-form JSON, got: {error}") from error
    for name in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise DataError(f"{path}: expected COCO form with a list {name!r}, found none")
    return dict(content)


@dataclass(frozen=True)
class Annotation:
    """One annotation over the output skeleton."""

    box_xyxy: Floats
    xy: Floats
    labelled: NDArray[np.bool_]
    teacher_xy: Floats
    teacher_score: Floats
    spread: Floats
    disagreement: Floats
    teacher_only: bool

    @classmethod
    def parse(
        cls, annotation: dict[str, Any], columns: NDArray[np.int64], keypoints: int
    ) -> "Annotation":
        """Read the fields; ValueError says which one is wrong."""
        box = numbers_of(annotation, "bbox", (4,))
        human = _mapped(numbers_of(annotation, "keypoints", (len(columns), 3)), columns, keypoints)
        teacher = np.zeros((keypoints, 3))
        if annotation.get("teacher") is not None:
            found = numbers_of(annotation, "teacher", (len(columns), 3))
            teacher = _mapped(found, columns, keypoints)
        spread = optional_numbers(annotation, "teacher_spread", columns, keypoints, 0.0)
        against = optional_numbers(annotation, "teacher_disagreement", columns, keypoints, np.nan)
        return cls(
            np.concatenate([box[:2], box[:2] + box[2:]]),
            human[:, :2],
            human[:, 2] > 0,
            teacher[:, :2],
            teacher[:, 2],
            spread,
            # A set that never asked a second network is not contradicted by its silence.
            against if annotation.get("teacher_disagreement") is not None else np.zeros(keypoints),
            annotation.get("label") == "teacher",
        )


def numbers_of(annotation: dict[str, Any], field: str, shape: tuple[int, ...]) -> Floats:
    """A field of this many finite numbers; ValueError where it is something else."""
    values = np.array(annotation[field], dtype=np.float64)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"{field}: expected {int(np.prod(shape))} numbers, got {values.size}")
    if not np.isfinite(values).all():
        raise ValueError(f"{field}: holds a number that is not finite")
    return values.reshape(shape)


def optional_numbers(
    annotation: dict[str, Any],
    field: str,
    columns: NDArray[np.int64],
    keypoints: int,
    missing: float,
) -> Floats:
    """A field of one number a keypoint over the output skeleton; ``missing`` where it is not."""
    found = annotation.get(field)
    if found is None:
        return np.full(keypoints, missing)
    values = np.array([missing if v is None else v for v in found], dtype=np.float64)
    if len(values) != len(columns):
        raise ValueError(f"{field}: expected {len(columns)} numbers, got {len(values)}")
    return _mapped(values, columns, keypoints, missing)


def _mapped(
    values: Floats, columns: NDArray[np.int64], keypoints: int, missing: float = 0.0
) -> Floats:
    """Rows of the set's skeleton moved to their places in the output skeleton."""
    out = np.full((keypoints, *values.shape[1:]), missing)
    known = columns >= 0
    out[columns[known]] = values[known]
    return out
