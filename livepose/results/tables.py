"""Tables in the long form: keypoints or angles, as columns of arrays, as CSV and as Parquet.

What is unknown is NaN, an empty cell, or null.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livepose.errors import UsageError
from livepose.files import WholeFile
from livepose.frame import Frame, ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.results.angles import NAMES, AngleMeter, Angles
from livepose.sinks.files import LineSink, Rotation, as_utf8
from livepose.sinks.sink import Sink, check_file, written

Array = NDArray[Any]
Table = dict[str, Array]
"""Columns by name, all of one length."""
Place = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Number, time and name of the frame of each person, or of all."""

_ROWS_TOGETHER = 50_000
"""Rows of one group of a Parquet file."""
_DECIMALS = {
    "time_s": 6,
    **dict.fromkeys(("score", "keypoint_score"), 4),
    **dict.fromkeys(("sigma_px", "cov_xx", "cov_xy", "cov_yy"), 3),
    **dict.fromkeys(("box_x1", "box_y1", "box_x2", "box_y2", "x", "y", "deg", "sigma_deg"), 2),
}
"""Of each column of CSV that is not a whole number or a word."""


def keypoint_table(place: Place, poses: Poses) -> Table:
    """The long form of ``poses`` (P people, each in its place): P times K rows."""
    covariance = poses.covariance_px2.reshape(-1, 4)
    words = np.array([state.word for state in KeypointState])
    return {
        **_people(place, poses, len(poses.skeleton.keypoints)),
        "keypoint": np.tile(np.array(poses.skeleton.keypoints, dtype=str), len(poses)),
        "x": poses.keypoints_xy[..., 0].ravel(),
        "y": poses.keypoints_xy[..., 1].ravel(),
        "keypoint_score": poses.keypoint_scores.ravel(),
        "sigma_px": poses.sigma_px.ravel(),
        "state": words[poses.keypoint_states.ravel()],
        **{f"cov_{axes}": covariance[:, at] for axes, at in (("xx", 0), ("xy", 1), ("yy", 3))},
    }


def angle_table(place: Place, poses: Poses, angles: Angles) -> Table:
    """The long form of the angles (P, A) of ``poses`` and their sigmas: P times A rows."""
    people = _people(place, poses, len(NAMES))
    return {
        **{column: people[column] for column in ("frame", "time_s", "name", "id")},
        "angle": np.tile(np.array(NAMES), len(poses)),
        "deg": angles.degrees.ravel(),
        "sigma_deg": angles.sigma_deg.ravel(),
    }


def _people(place: Place, poses: Poses, each: int) -> Table:
    frame, time_s, name = place
    columns = {
        "frame": np.asarray(frame, np.int64),
        "time_s": np.asarray(time_s, np.float64),
        "name": np.asarray(name, dtype=object),
        "id": poses.track_ids,
        "score": poses.scores,
        **dict(zip(("box_x1", "box_y1", "box_x2", "box_y2"), poses.boxes_xyxy.T, strict=True)),
    }
    rows = ((name, np.broadcast_to(values, len(poses))) for name, values in columns.items())
    return {name: np.repeat(values, each) for name, values in rows}


def _rows(angles: bool) -> Callable[[Frame, Poses], Table]:
    """What makes the rows of each frame: one a keypoint of a person, or one an angle."""
    meter = AngleMeter()

    def rows(frame: Frame, poses: Poses) -> Table:
        place = frame.index, frame.time_s, frame.name or ""
        if angles:
            return angle_table(place, poses, meter(poses, tracked=frame.name is None))
        return keypoint_table(place, poses.in_source_pixels(frame.scale_xy))

    return rows


def _no_rows(angles: bool) -> Table:
    return _rows(angles)(Frame(np.zeros((1, 1, 3), np.uint8), 0.0, 0), Poses.empty())


class CsvSink(LineSink):
    """Writes the rows of each frame, of keypoints or of ``angles``, at once; see ``LineSink``."""

    def __init__(
        self,
        path: str | Path,
        *,
        angles: bool = False,
        rotation: Rotation | None = None,
        overwrite: bool = False,
    ) -> None:
        self._rows = _rows(angles)
        super().__init__(path, ",".join(_no_rows(angles)) + "\n", rotation, overwrite=overwrite)

    def _text(self, frame: Frame, poses: Poses) -> str:
        return csv_rows(self._rows(frame, poses))


def csv_rows(table: Table) -> str:
    """The lines of a table below its header, with as many decimals as say something."""
    text = io.StringIO()
    columns = [_cells(*column) for column in table.items()]
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _cells(name: str, values: Array) -> list[Any]:
    if name not in _DECIMALS:
        return list(values.tolist())
    # What is not finite is never below infinity.
    form = f"{{:.{_DECIMALS[name]}f}}".format
    return [form(value) if abs(value) < np.inf else "" for value in values.tolist()]


class ParquetSink(Sink):
    """Writes the same columns into a Parquet file that appears, whole, at the end.

    Raises UsageError when pyarrow is not installed.
    """

    def __init__(self, path: str | Path, *, angles: bool = False, overwrite: bool = False) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise UsageError(
                "--parquet needs the package pyarrow: pip install 'livepose[parquet]'"
            ) from error
        self._arrow: Any = pyarrow
        self._rows, self._path = _rows(angles), Path(path)
        self._waiting: list[Table] = []
        check_file(self._path, overwrite=overwrite)
        with written(self._path):
            self._file = WholeFile(self._path)
        schema = self._as_arrow([_no_rows(angles)]).schema
        self._table: Any = self._arrow.parquet.ParquetWriter(self._file.file, schema)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the rows of one frame."""
        if len(poses):
            self._waiting.append(self._rows(frame, poses))
        if sum(len(table["frame"]) for table in self._waiting) >= _ROWS_TOGETHER:
            self._flush()

    def close(self) -> None:
        """Puts the finished file in its place; a second call does nothing."""
        try:
            if self._table.is_open:
                self._flush()
                with written(self._path):
                    self._table.close()
        finally:
            self._table.is_open = False  # else it tries once more when it is forgotten
            with written(self._path):
                self._file.close()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            with written(self._path):
                self._table.write_table(self._as_arrow(waiting))

    def _as_arrow(self, tables: list[Table]) -> Any:
        """Several tables as one of Arrow's; NaN as null, words as dictionaries."""
        arrow = self._arrow
        columns = {name: np.concatenate([one[name] for one in tables]) for name in tables[0]}
        text = arrow.dictionary(arrow.int32(), arrow.string())
        return arrow.table(
            {
                name: arrow.array([as_utf8(one) for one in values], arrow.string()).cast(text)
                if values.dtype.kind in "OU"
                else arrow.array(values, from_pandas=True)
                for name, values in columns.items()
            }
        )
