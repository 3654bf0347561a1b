"""Tables in the long form while a run goes on: angles as CSV, keypoints and angles as Parquet."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from livepose.errors import UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.results.angles import NAMES, AngleMeter
from livepose.results.reading import Table, angle_table, keypoint_table
from livepose.sinks._lines import LineFile
from livepose.sinks.claims import check_file
from livepose.sinks.protocol import Closing, sink_error

ANGLE_COLUMNS = ("frame", "time_s", "name", "id", "angle", "deg", "sigma_deg")
ROWS_TOGETHER = 50_000
"""Rows of one group of a Parquet file."""


def beside(path: str | Path) -> Path:
    """Where the angles go that belong to ``path``: out.csv -> out.angles.csv."""
    path = Path(path)
    return path.with_name(f"{path.stem}.angles{path.suffix}")


class AngleCsvSink(Closing):
    """Writes one row an angle of each person of each frame; what is unknown stays empty.

    Raises
    ------
    SinkError
        When the file cannot be written.
    """

    needs_drawing = False

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._lines = LineFile(path, ",".join(ANGLE_COLUMNS) + "\n", overwrite=overwrite)
        self._meter = AngleMeter()

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the rows of one frame; none where nobody is."""
        angles = self._meter(poses, followed=frame.name is None)
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        start = (frame.index, f"{frame.time_s:.6f}", frame.name or "")
        for person, track_id in enumerate(poses.track_ids.tolist()):
            pairs = zip(NAMES, angles.degrees[person], angles.sigma_deg[person], strict=True)
            rows.writerows((*start, track_id, name, _cell(deg), _cell(s)) for name, deg, s in pairs)
        if len(poses):
            self._lines.write(text.getvalue())

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._lines.close()


def _cell(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else ""


class ParquetSink(Closing):
    """Writes the columns of ``--csv`` into a Parquet file that appears, whole, at the end.

    Parameters
    ----------
    path : str or Path
    angles : bool
        Writes the angles instead, with the columns of their CSV.

    Raises
    ------
    SinkError
        When the file cannot be written.
    UsageError
        When pyarrow is not installed, or the file is there already.
    """

    needs_drawing = False

    def __init__(self, path: str | Path, *, angles: bool = False, overwrite: bool = False) -> None:
        self._arrow = _pyarrow()
        self._path = Path(path)
        self._part = self._path.with_name(f"{self._path.name}.part")
        self._meter = AngleMeter() if angles else None
        self._waiting: list[Table] = []
        self._rows = 0
        self._closed = False
        check_file(self._path, overwrite=overwrite)
        schema = _arrow_table(self._arrow, [self._table(None, Poses.empty())]).schema
        self._file: Any = self._arrow.parquet.ParquetWriter(self._part, schema)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the rows of one frame."""
        if not len(poses):
            return
        table = self._table(frame, poses)
        self._waiting.append(table)
        self._rows += len(table["frame"])
        if self._rows >= ROWS_TOGETHER:
            self._flush()

    def close(self) -> None:
        """Puts the finished file in its place; a second call does nothing."""
        if self._closed:
            return
        self._flush()
        self._closed = True
        try:
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise sink_error(self._path, error) from error

    def _table(self, frame: Frame | None, poses: Poses) -> Table:
        people = len(poses)
        index, time_s, name = (
            (0, 0.0, "") if frame is None else (frame.index, frame.time_s, frame.name or "")
        )
        place = (np.full(people, index), np.full(people, time_s), np.full(people, name, object))
        if self._meter is None:
            scale_xy = (1.0, 1.0) if frame is None else frame.scale_xy
            return keypoint_table(*place, poses.in_source_pixels(scale_xy))
        angles = self._meter(poses, followed=frame is not None and frame.name is None)
        return angle_table(*place, poses, (angles.degrees, angles.sigma_deg))

    def _flush(self) -> None:
        if not self._waiting:
            return
        try:
            self._file.write_table(_arrow_table(self._arrow, self._waiting))
        except OSError as error:
            self._closed = True
            self._part.unlink(missing_ok=True)
            raise sink_error(self._path, error) from error
        self._waiting, self._rows = [], 0


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
