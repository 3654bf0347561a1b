"""Clips without annotations: who is found, how steadily, and how still the points stay.

Reads what ``--json`` wrote. Nothing is known to be right here, so these are counts that go with
looking at the drawn clip, not in its place.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.cli import guarded
from livepose.errors import DataError
from livepose.evaluation.report import markdown_table, write_text

SEEN_SCORE = 0.2
PARTS = {
    "face": ("nose", "left_eye", "right_eye"),
    "shoulders": ("left_shoulder", "right_shoulder"),
    "elbows": ("left_elbow", "right_elbow"),
    "wrists": ("left_wrist", "right_wrist"),
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Presence:
    """What one clip shows of its largest person, frame by frame.

    ``parts`` is the share of frames in which every point of a part has a score of 0.2 or more;
    ``tremble`` the median second difference of the shoulders and face from frame to frame, in
    percent of the person's box height; NaN where there are too few frames.
    """

    name: str
    frames: int
    people: float
    ids: int
    first_frame: bool
    parts: dict[str, float]
    tremble: float


def read_presence(file: Path) -> Presence:
    """The counts of one JSON Lines file.

    Raises
    ------
    DataError
        When the file cannot be read, or is not what ``--json`` writes.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        header, *frames = (json.loads(line) for line in lines)
        names = header["livepose"]["skeleton"]["keypoints"]
        return _presence(file.stem, names, frames)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{file}: expected the lines that --json writes, got: {error}") from error


def _presence(name: str, names: Sequence[str], frames: Sequence[dict[str, Any]]) -> Presence:
    if not frames:
        raise ValueError("no frame")
    people = [frame["people"] for frame in frames]
    largest = [max(found, key=_box_area) if found else None for found in people]
    points = np.array([_points(person, len(names)) for person in largest])
    return Presence(
        name,
        len(frames),
        float(np.mean([len(found) for found in people])),
        len({person["id"] for found in people for person in found}),
        bool(people[0]),
        {part: _share(points, _columns(names, joints)) for part, joints in PARTS.items()},
        _tremble(points, _columns(names, (*PARTS["face"], *PARTS["shoulders"])), largest),
    )


def _box_area(person: dict[str, Any]) -> float:
    left, top, right, bottom = person["box_xyxy"]
    return float((right - left) * (bottom - top))


def _points(person: dict[str, Any] | None, count: int) -> Floats:
    """x, y, score of each point, (K, 3); NaN where there is none."""
    points = np.full((count, 3), np.nan)
    for row, point in zip(points, person["keypoints"] if person else (), strict=False):
        if point is not None:
            row[:] = point[:3]
    return points


def _columns(names: Sequence[str], joints: Iterable[str]) -> list[int]:
    return [names.index(joint) for joint in joints]


def _share(points: Floats, columns: Sequence[int]) -> float:
    return float((points[:, columns, 2] >= SEEN_SCORE).all(axis=1).mean())


def _tremble(
    points: Floats, columns: Sequence[int], people: Sequence[dict[str, Any] | None]
) -> float:
    """Only where three frames in a row show the same person."""
    ids = np.array([person["id"] if person else -1 for person in people])
    same = (ids[2:] == ids[1:-1]) & (ids[1:-1] == ids[:-2]) & (ids[2:] >= 0)
    heights = np.array([p["box_xyxy"][3] - p["box_xyxy"][1] if p else np.nan for p in people])
    second = np.linalg.norm(np.diff(points[:, columns, :2], n=2, axis=0), axis=2)
    shares = (second / heights[1:-1, None])[same]
    return float(100 * np.nanmedian(shares)) if np.isfinite(shares).any() else float("nan")


def presence_markdown(rows: Sequence[Presence]) -> str:
    """The counts as a table for a document."""
    headings = [
        "clip",
        "frames",
        "people a frame",
        "ids",
        "in the first frame",
        *PARTS,
        "tremble %",
    ]
    return markdown_table(headings, [_cells(row) for row in rows]) + "\n"


def _cells(row: Presence) -> list[str]:
    shares = [f"{share:.2f}" for share in row.parts.values()]
    first = "yes" if row.first_frame else "no"
    tremble = "" if np.isnan(row.tremble) else f"{row.tremble:.2f}"
    return [row.name, str(row.frames), f"{row.people:.2f}", str(row.ids), first, *shares, tremble]


def main(words: Sequence[str] | None = None) -> int:
    """``python -m studies.presence FILE ...``."""
    parser = ArgumentParser(prog="python -m studies.presence")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="written by --json")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the table, - is stdout")
    arguments = parser.parse_args(words)

    def run() -> int:
        rows = [read_presence(file) for file in arguments.files]
        write_text(arguments.markdown, presence_markdown(rows))
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
