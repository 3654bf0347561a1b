"""Tables in the long form while a run goes on: keypoints or angles, as CSV and as Parquet.

Both have the columns of ``livepose.read``; what is unknown is an empty cell, or null.
"""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from livepose.errors import UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.results.angles import AngleMeter
from livepose.results.reading import Table, angle_table, keypoint_table
from livepose.sinks.claims import check_file
from livepose.sinks.files import LineFile, Rotation, WholeFile
from livepose.sinks.protocol import Closing

ROWS_TOGETHER = 50_000
"""Rows of one group of a Parquet file."""
DECIMALS = {
    "time_s": 6,
    **dict.fromkeys(("score", "keypoint_score"), 4),
    **dict.fromkeys(("sigma_px", "cov_xx", "cov_xy", "cov_yy"), 3),
    **dict.fromkeys(("box_x1", "box_y1", "box_x2", "box_y2", "x", "y", "deg", "sigma_deg"), 2),
}
"""Of each column of CSV that is not a whole number or a word."""


def beside(path: str | Path) -> Path:
    """Where the angles go that belong to ``path``: out.csv -> out.angles.csv."""
    path = Path(path)
    return path.with_name(f"{path.stem}.angles{path.suffix}")


class _Rows:
    """The rows of each frame: one a keypoint of a person, or one an angle."""

    def __init__(self, angles: bool) -> None:
        self._meter = AngleMeter() if angles else None
        self.none = self(Frame(np.zeros((1, 1, 3), np.uint8), 0.0, 0), Poses.empty())

    def __call__(self, frame: Frame, poses: Poses) -> Table:
        values = (frame.index, frame.time_s, np.array(frame.name or "", object))
        index, time_s, name = (np.full(len(poses), value) for value in values)
        if self._meter is None:
            return keypoint_table(index, time_s, name, poses.in_source_pixels(frame.scale_xy))
        angles = self._meter(poses, tracked=frame.name is None)
        return angle_table(index, time_s, name, poses, angles)


class CsvSink(Closing):
    """Writes the rows of each frame at once.

    Parameters
    ----------
    path : str or Path
        A file, or "-" for stdout.
    angles : bool
        Writes angles instead of keypoints.
    rotation, overwrite
        See ``LineFile``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        angles: bool = False,
        rotation: Rotation | None = None,
        overwrite: bool = False,
    ) -> None:
        self._rows = _Rows(angles)
        opening = ",".join(self._rows.none) + "\n"
        self._lines = LineFile(path, opening, rotation=rotation, overwrite=overwrite)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the rows of one frame; none where nobody is."""
        if not len(poses):
            return
        table = self._rows(frame, poses)
        text = io.StringIO()
        columns = (_cells(values.tolist(), DECIMALS.get(name)) for name, values in table.items())
        csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
        self._lines.write(text.getvalue())

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._lines.close()


def _cells(values: list[Any], decimals: int | None) -> list[Any]:
    if decimals is None:
        return values
    # What is not finite is never below infinity.
    return [f"{value:.{decimals}f}" if abs(value) < np.inf else "" for value in values]


class ParquetSink(Closing):
    """Writes the same columns into a Parquet file that appears, whole, at the end.

    Parameters
    ----------
    path : str or Path
    angles : bool
        Writes angles instead of keypoints.

    Raises
    ------
    UsageError
        When pyarrow is not installed.
    """

    def __init__(self, path: str | Path, *, angles: bool = False, overwrite: bool = False) -> None:
        self._arrow = _pyarrow()
        self._rows = _Rows(angles)
        self._waiting: list[Table] = []
        check_file(Path(path), overwrite=overwrite)
        schema = _arrow_table(self._arrow, [self._rows.none]).schema
        self._file = WholeFile(Path(path))
        self._table: Any = self._arrow.parquet.ParquetWriter(self._file, schema)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the rows of one frame."""
        if len(poses):
            self._waiting.append(self._rows(frame, poses))
        if sum(len(table["frame"]) for table in self._waiting) >= ROWS_TOGETHER:
            self._flush()

    def close(self) -> None:
        """Puts the finished file in its place; a second call does nothing."""
        if self._file.given_up:
            self._table.is_open = False  # else it tries once more when it is forgotten
        if not self._table.is_open:
            return
        self._flush()
        self._table.close()
        self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._table.write_table(_arrow_table(self._arrow, self._waiting))
        self._waiting = []


def _arrow_table(arrow: Any, tables: list[Table]) -> Any:
    """Several tables as one of Arrow's; NaN as null, words as dictionaries."""
    text = arrow.dictionary(arrow.int32(), arrow.string())

    def column(name: str) -> Any:
        values = np.concatenate([table[name] for table in tables])
        if values.dtype.kind in "OU":
            return arrow.array(values.astype(object), arrow.string()).cast(text)
        return arrow.array(values, from_pandas=True)

    return arrow.table({name: column(name) for name in tables[0]})


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "--parquet needs the package pyarrow: pip install 'livepose[parquet]'"
        ) from error
    return pyarrow
