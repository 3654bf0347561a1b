"""COCO's annotations in MPII's form, for trying ``python -m studies.pck mpii`` without MPII.

    python docs/mpii_form.py person_keypoints.json mpii.json

Everybody with three labelled points in the face is written. COCO knows no head box: one stands in
that is as wide as the farthest two of those points are apart and half as high again, so figures
cannot be compared with MPII's. Head top, neck, thorax and pelvis are not labelled.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.skeletons import COCO17, MPII16

FACE = slice(0, 5)
FACE_POINTS = 3
HEAD_ASPECT = 1.5


def main(source: Path, target: Path) -> None:
    """Writes ``target``."""
    document = json.loads(source.read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in document["images"]}
    people = [entry(names, one) for one in document["annotations"] if face(one) is not None]
    target.write_text(json.dumps(people), encoding="utf-8")


def entry(names: dict[int, str], person: dict[str, Any]) -> dict[str, Any]:
    """One person; MPII counts pixels from 1, and its crops lie 15 px per scale below the centre."""
    x, y, width, height = person["bbox"]
    scale = max(width, height) / 200
    place = {name: index for index, name in enumerate(COCO17.keypoints)}
    rows = [keypoints(person)[place[name]] if name in place else None for name in MPII16.keypoints]
    seen = [row is not None and row[2] > 0 for row in rows]
    return {
        "image": names[person["image_id"]],
        "center": [x + width / 2 + 1, y + height / 2 + 1 - 15 * scale],
        "scale": scale,
        "joints": [
            [row[0] + 1, row[1] + 1] if row is not None and flag else [0, 0]
            for row, flag in zip(rows, seen, strict=True)
        ],
        "joints_vis": [int(flag) for flag in seen],
        "head_box": head_box(person),
    }


def keypoints(person: dict[str, Any]) -> NDArray[np.float64]:
    """Rows of x, y, flag."""
    return np.array(person.get("keypoints", [0] * 51), dtype=np.float64).reshape(-1, 3)


def face(person: dict[str, Any]) -> NDArray[np.float64] | None:
    """The labelled points of the face (N, 2), or None where they are too few."""
    rows = keypoints(person)[FACE]
    points = rows[rows[:, 2] > 0, :2]
    return points if len(points) >= FACE_POINTS else None


def head_box(person: dict[str, Any]) -> list[float]:
    """The stand-in, [x1, y1, x2, y2], from 1 as the joints."""
    points = face(person)
    assert points is not None  # noqa: S101
    wide = max(float(np.linalg.norm(points - one, axis=1).max()) for one in points)
    half = np.array([wide, HEAD_ASPECT * wide]) / 2
    middle = points.mean(axis=0) + 1
    return [float(one) for one in (*(middle - half), *(middle + half))]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
