"""TRC and MOT files, read back by strict readers of the forms that OpenSim describes."""

from pathlib import Path

import numpy as np
import pytest
from results.people import INDEX, STANDING_XY, bent, but, frame, moved, people

from livepose.errors import UsageError
from livepose.results.angles import NAMES
from livepose.results.motion_files import MotSink, TrcSink


def read_trc(path: Path) -> tuple[dict, list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Header, markers, frame numbers, times and positions (T, M, 3); refuses anything else."""
    lines = path.read_text().split("\n")
    assert lines.pop() == ""  # the last line ends
    assert lines[0].split("\t") == ["PathFileType", "4", "(X/Y/Z)", path.name]
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    names = lines[3].split("\t")[2::3]
    axes = [f"{axis}{index}" for index in range(1, len(names) + 1) for axis in "XYZ"]
    assert lines[4].split("\t") == ["", "", *axes]
    rows = [line.split("\t") for line in lines[5:]]
    assert (len(rows), len(names)) == (int(header["NumFrames"]), int(header["NumMarkers"]))
    values = np.array([[float(cell or "nan") for cell in row] for row in rows])
    return header, names, values[:, 0], values[:, 1], values[:, 2:].reshape(len(rows), -1, 3)


def read_mot(path: Path) -> tuple[list[str], np.ndarray]:
    """Columns and values (T, C); refuses anything else."""
    head, _, body = path.read_text().partition("endheader\n")
    title, *pairs = head.splitlines()
    header = dict(pair.split("=") for pair in pairs)
    columns, *rows = (line.split("\t") for line in body.splitlines())
    values = np.array(rows, dtype=np.float64)
    assert values.shape == (int(header["nRows"]), int(header["nColumns"]))
    assert (title, header["version"], header["inDegrees"]) == ("Coordinates", "1", "yes")
    return columns, values


def walk(sink, times_s, ids=(1,)) -> None:
    """Everybody moves to the right by 100 px a second."""
    with sink:
        for index, time_s in enumerate(times_s):
            xy = [moved(STANDING_XY, 100 * time_s + 50 * place) for place in range(len(ids))]
            sink.write(frame(index, time_s), people(xy, ids))


def test_markers_stand_at_even_times_whatever_the_times_of_the_frames(tmp_path):
    uneven = np.array([0.003, 0.04, 0.09, 0.12, 0.165, 0.2, 0.26])
    walk(TrcSink(tmp_path / "walk.trc", rate_hz=50), uneven, ids=(3, 12))
    assert {path.name for path in tmp_path.iterdir()} == {"walk_person12.trc", "walk_person3.trc"}
    header, names, numbers, times_s, xyz = read_trc(tmp_path / "walk_person3.trc")
    assert (header["DataRate"], header["Units"]) == ("50", "px")
    assert [names[0], *names[-3:]] == ["Nose", "RAnkle", "Hip", "Neck"]
    np.testing.assert_allclose(times_s, np.arange(1, 14) / 50)
    np.testing.assert_array_equal(numbers, np.arange(1, 14))
    knee = xyz[:, names.index("LKnee")]
    x, y = STANDING_XY[INDEX["left_knee"]]
    np.testing.assert_allclose(knee, np.stack([x + 100 * times_s, 0 * times_s + y, 0 * times_s], 1))
    hips = xyz[:, [names.index("LHip"), names.index("RHip")]].mean(axis=1)
    np.testing.assert_allclose(xyz[:, names.index("Hip")], hips, atol=1e-5)


def test_short_gaps_are_bridged_and_long_ones_stay_empty_at_the_rate_of_the_frames(tmp_path):
    with TrcSink(tmp_path / "gap.trc") as sink:
        for index in range(50):
            gone = {"nose": None} if index in (5, 6, *range(20, 40)) else {}
            sink.write(frame(index), people(moved(but(**gone), index)))
    header, *_, xyz = read_trc(tmp_path / "gap_person1.trc")
    assert float(header["DataRate"]) == pytest.approx(25) and header["NumFrames"] == "50"
    nose = xyz[:, 0]
    np.testing.assert_allclose(nose[4:8, 0], STANDING_XY[0, 0] + np.arange(4, 8))
    assert np.isnan(nose[20:40]).all()
    assert np.isfinite(nose[:20]).all() and np.isfinite(nose[40:]).all()


def test_with_a_height_markers_are_in_metres_with_y_upwards(tmp_path):
    walk(TrcSink(tmp_path / "tall.trc", height_m=1.8), np.arange(10) / 25)
    header, names, _, _, xyz = read_trc(tmp_path / "tall_person1.trc")
    assert header["Units"] == "m"
    body_px = 80 + 80 + 128  # shank, thigh, trunk
    scale = 1.8 * (0.818 - 0.039) / body_px
    ankle = STANDING_XY[INDEX["left_ankle"]]
    expected = [scale * ankle[0], scale * (479.5 - ankle[1]), 0]
    np.testing.assert_allclose(xyz[0, names.index("LAnkle")], expected, atol=1e-5)


def test_angles_are_written_by_name_without_jumps_and_nan_where_there_is_none(tmp_path):
    with MotSink(tmp_path / "turn.mot", rate_hz=10) as sink:
        for index in range(31):
            sink.write(frame(index, index / 30), people(bent(12 * index, left_wrist=None)))
    columns, values = read_mot(tmp_path / "turn_person1.mot")
    assert columns == ["time", *NAMES]
    np.testing.assert_allclose(values[:, 0], np.arange(11) / 10)
    shank = values[:, columns.index("left_shank")]
    np.testing.assert_allclose(shank, -90 - 36.0 * np.arange(11), atol=1e-3)
    assert np.isnan(values[:, columns.index("left_elbow")]).all()
    assert np.isfinite(values[:, columns.index("right_elbow")]).all()


def test_files_of_an_earlier_run_are_not_replaced_unasked(tmp_path):
    walk(TrcSink(tmp_path / "walk.trc"), np.arange(5) / 25, ids=(8,))
    with pytest.raises(UsageError, match=r"walk_person8.trc is there already"):
        TrcSink(tmp_path / "walk.trc")
    walk(TrcSink(tmp_path / "walk.trc", overwrite=True), np.arange(9) / 25, ids=(8,))
    assert read_trc(tmp_path / "walk_person8.trc")[0]["NumFrames"] == "9"
