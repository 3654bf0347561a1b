"""CSV, one row for each keypoint of each person of each frame."""

import csv
import io
from pathlib import Path

import numpy as np

from livepose.frame import Frame, ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.sinks._lines import LineFile, Rotation
from livepose.sinks.protocol import Closing

COLUMNS = (
    *("frame", "time_s", "name", "id", "score", "box_x1", "box_y1", "box_x2", "box_y2"),
    *("keypoint", "x", "y", "keypoint_score", "sigma_px"),
    *("state", "cov_xx", "cov_xy", "cov_yy"),
)


class CsvSink(Closing):
    """Writes ``COLUMNS`` and then the rows of each frame at once; what is missing stays empty.

    Parameters
    ----------
    path : str or Path
        A file, or "-" for stdout.
    rotation, overwrite
        See ``LineFile``.

    Raises
    ------
    UsageError
        When the file is there already and not to be overwritten.
    SinkError
        When the file cannot be written.
    OutputClosed
        When the reader of the pipe has gone.
    """

    needs_drawing = False

    def __init__(
        self, path: str | Path, *, rotation: Rotation | None = None, overwrite: bool = False
    ) -> None:
        columns = _csv([list(COLUMNS)])
        self._lines = LineFile(path, columns, rotation=rotation, overwrite=overwrite)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the rows of one frame; none where nobody is."""
        start = [str(frame.index), f"{frame.time_s:.6f}", frame.name or ""]
        rows = [
            start + row
            for person in poses.in_source_pixels(frame.scale_xy)
            for row in _person(person)
        ]
        if rows:
            self._lines.write(_csv(rows))

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._lines.close()


def _person(person: Poses) -> list[list[str]]:
    """Rows of one person (P = 1), from the id on."""
    head = [str(int(person.track_ids[0])), _number(person.scores[0], 4)]
    head += [_number(edge, 2) for edge in person.boxes_xyxy[0]]
    states = [KeypointState(state) for state in person.keypoint_states[0]]
    rows = []
    for k, name in enumerate(person.skeleton.keypoints):
        x, y = person.keypoints_xy[0, k]
        point = [_number(x, 2), _number(y, 2), _number(person.keypoint_scores[0, k], 4)]
        point.append(_number(person.sigma_px[0, k], 3))
        (xx, xy), (_, yy) = person.covariance_px2[0, k]
        spread = [_number(value, 3) for value in (xx, xy, yy)]
        rows.append([*head, name, *point, states[k].word, *spread])
    return rows


def _number(value: float, places: int) -> str:
    return f"{value:.{places}f}" if np.isfinite(value) else ""


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
