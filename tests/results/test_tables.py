"""Results read back, and written as tables."""

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pandas
import polars
import pytest
from results.people import JOINTS, STANDING_XY, frame, scene

import livepose
from livepose.errors import DataError, UsageError
from livepose.poses import Poses
from livepose.results.angles import NAMES, AngleMeter, each_of
from livepose.results.reading import read
from livepose.results.tables import CsvSink, ParquetSink
from livepose.sinks.annotations import CocoDatasetSink
from livepose.sinks.jsonl import JsonLinesSink, make_header

HEADER = make_header(source="a.mp4", size_wh=(640, 480), fps=25.0)
ROWS = 78  # people in 40 frames, of which one shows nobody


def written(sink) -> None:
    with sink:
        for index in range(40):
            sink.write(frame(index), scene(index) if index != 3 else Poses.empty())


@pytest.fixture
def jsonl(tmp_path):
    written(JsonLinesSink(tmp_path / "out.jsonl", HEADER))
    return tmp_path / "out.jsonl"


def test_what_was_written_is_read_back(jsonl):
    results = livepose.read(str(jsonl))
    assert (len(results), results.ids) == (ROWS, [3, 8])
    assert results.header["source"] == "a.mp4"
    np.testing.assert_array_equal(np.unique(results.frame), [*range(3), *range(4, 40)])
    np.testing.assert_allclose(results.time_s, results.frame / 25)
    first = results.poses.select(results.frame == 20)
    for name in ("keypoints_xy", "keypoint_scores", "boxes_xyxy", "covariance_px2"):
        np.testing.assert_allclose(getattr(first, name), getattr(scene(20), name), atol=0.006)
    np.testing.assert_array_equal(first.keypoint_states, scene(20).keypoint_states)


@pytest.mark.parametrize("angles", [False, True], ids=["keypoints", "angles"])
def test_csv_parquet_and_pandas_hold_the_table_that_is_read(jsonl, tmp_path, angles):
    written(CsvSink(tmp_path / "out.csv", angles=angles))
    written(ParquetSink(tmp_path / "out.parquet", angles=angles))
    table = read(jsonl).angles() if angles else read(jsonl).keypoints()
    assert pandas.DataFrame(table).shape == polars.DataFrame(table).shape
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    found = polars.read_parquet(tmp_path / "out.parquet")
    assert list(table) == list(rows[0]) == found.columns
    assert len(found) == len(rows) == ROWS * (len(NAMES) if angles else JOINTS)
    for name, values in table.items():
        if values.dtype.kind in "if":
            numbers = found[name].cast(polars.Float64).fill_null(np.nan)
            np.testing.assert_allclose(numbers, values, atol=0.02)
            np.testing.assert_allclose([float(r[name] or "nan") for r in rows], values, atol=0.02)
        else:
            assert found[name].cast(polars.String).to_list() == values.tolist()
            assert [row[name] for row in rows] == values.tolist()
    if angles:
        shank = [float(r["deg"]) for r in rows if (r["id"], r["angle"]) == ("8", "left_shank")]
        np.testing.assert_allclose(shank, [-90 - 10 * index for index in range(40) if index != 3])
        hidden = [row for row in rows if (row["id"], row["angle"]) == ("8", "right_knee")]
        assert {(row["deg"], row["sigma_deg"]) for row in hidden} == {("", "")}
    else:
        lacking = found.filter(polars.col("state") == "missing")
        assert lacking["x"].null_count() == len(lacking) == 39


def test_slim_json_lines_carry_the_angles_that_are_asked_for(tmp_path):
    path, header = tmp_path / "out.jsonl", {**HEADER, "angles": list(NAMES)}
    written(JsonLinesSink(path, header, slim=True, each=each_of(header)))
    first, *lines = map(json.loads, path.read_text().splitlines())
    told = lines[19]["people"][1]["angles"]
    angles = dict(zip(first["livepose"]["angles"], told, strict=True))
    assert angles["left_shank"][0] == pytest.approx(-90 - 190)
    assert angles["left_shank"][1] > 0 and angles["right_knee"] is None
    np.testing.assert_allclose(read(path).poses.keypoints_xy[0], STANDING_XY, atol=0.5)


def test_without_pyarrow_parquet_says_how_to_have_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'livepose\[parquet\]'"):
        ParquetSink(tmp_path / "a.parquet")


def test_a_run_that_was_killed_is_read_up_to_its_last_whole_line(jsonl):
    text = jsonl.read_text()
    jsonl.write_text(text[: text.rindex('"people"')])
    assert read(jsonl).frame.max() == 38


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('{"livepose": {', '[1]\n{"livepose": {', "does not begin with the header"),
        ('{"livepose": {', "no json", "is not what --json writes"),
        ('"format": 1', '"format": 9', "has format 9"),
        ('"time_s": 0.2,', "", "line 7: expected a frame"),
        ('["seen", ', '["guessed", ', "not in the form of --json"),
    ],
)
def test_what_is_not_in_the_form_is_refused_in_one_sentence(old, new, says, jsonl):
    text = jsonl.read_text()
    assert old in text
    jsonl.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=says):
        read(jsonl)


def test_angles_are_those_of_square_pixels_and_positions_those_of_the_source(tmp_path):
    sinks = (
        JsonLinesSink(tmp_path / "a.jsonl", {**HEADER, "pixel_aspect": 2.0}),
        ParquetSink(tmp_path / "a.parquet"),
        CocoDatasetSink(tmp_path / "a.json"),
    )
    for sink in sinks:
        with sink:
            sink.write(replace(frame(0), scale_xy=(2.0, 1.0)), scene(1))
    results = read(tmp_path / "a.jsonl")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["images"][0]["width"] == 320
    for x in (
        results.poses.keypoints_xy[0, 0, 0],
        polars.read_parquet(tmp_path / "a.parquet")["x"][0],
        document["annotations"][0]["keypoints"][0],
    ):
        assert x == pytest.approx((STANDING_XY[0, 0] + 1 + 0.5) / 2 - 0.5, abs=0.01)
    measured = AngleMeter()(scene(1)).degrees[0]
    np.testing.assert_allclose(results.angles()["deg"][: len(NAMES)], measured, atol=0.05)
