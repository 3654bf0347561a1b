"""Results read back, and written as tables."""

import csv
import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pytest
from results.people import INDEX, JOINTS, STANDING_XY, bent, frame, moved, people

import livepose
from livepose.errors import DataError, SinkError, UsageError
from livepose.poses import KeypointState, Poses
from livepose.results.angles import NAMES, AngleMeter, each_of
from livepose.results.motion_files import TrcSink
from livepose.results.reading import read
from livepose.results.tables import CsvSink, ParquetSink, beside
from livepose.sinks.annotations import CocoDatasetSink
from livepose.sinks.jsonl import JsonLinesSink, make_header


def scene(index: int) -> Poses:
    """Two people; the second lacks a wrist, and a knee is only predicted."""
    other = moved(bent("left_knee", "left_ankle", 10 * index), 200)
    other[INDEX["left_wrist"]] = np.nan
    states = np.full((2, JOINTS), KeypointState.SEEN)
    states[1, INDEX["right_knee"]] = KeypointState.PREDICTED
    states[1, INDEX["left_wrist"]] = KeypointState.MISSING
    return people([STANDING_XY + index, other], ids=[1, 7], states=states)


def written(sink, count: int = 40) -> None:
    with sink:
        for index in range(count):
            sink.write(frame(index), scene(index) if index != 3 else Poses.empty())


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "out.jsonl"
    written(JsonLinesSink(path, make_header(source="a.mp4", size_wh=(640, 480), fps=25.0)))
    return path


def test_what_was_written_is_read_back(jsonl: Path) -> None:
    results = livepose.read(str(jsonl))
    assert (len(results), results.ids) == (78, [1, 7])
    assert results.header["source"] == "a.mp4"
    np.testing.assert_array_equal(np.unique(results.frame), [*range(3), *range(4, 40)])
    np.testing.assert_allclose(results.time_s, results.frame / 25)
    first = results.poses.select(results.frame == 20)
    for name in ("keypoints_xy", "keypoint_scores", "boxes_xyxy", "covariance_px2"):
        np.testing.assert_allclose(getattr(first, name), getattr(scene(20), name), atol=0.006)
    np.testing.assert_array_equal(first.keypoint_states, scene(20).keypoint_states)


def test_the_tables_read_have_the_columns_of_the_csv_files(jsonl: Path, tmp_path: Path) -> None:
    written(CsvSink(tmp_path / "out.csv"))
    results = read(jsonl)
    table, rows = results.keypoints(), rows_of(tmp_path / "out.csv")
    assert list(table) == list(rows[0])
    assert {len(column) for column in table.values()} == {len(rows)} == {78 * JOINTS}
    for column in ("frame", "time_s", "id", "x", "box_y2", "sigma_px", "cov_xy"):
        wanted = [float(row[column] or "nan") for row in rows]
        np.testing.assert_allclose(table[column].astype(float), wanted, atol=0.006)
    for column in ("name", "keypoint", "state"):
        assert table[column].tolist() == [row[column] for row in rows]
    written(CsvSink(tmp_path / "out.angles.csv", angles=True))
    assert list(results.angles()) == list(rows_of(tmp_path / "out.angles.csv")[0])


def test_angles_are_written_as_long_csv_with_empty_cells_for_what_is_unknown(
    tmp_path: Path,
) -> None:
    written(CsvSink(tmp_path / "out.angles.csv", angles=True))
    rows = rows_of(tmp_path / "out.angles.csv")
    assert len(rows) == 78 * len(NAMES)
    shank = [float(row["deg"]) for row in rows if (row["id"], row["angle"]) == ("7", "left_shank")]
    np.testing.assert_allclose(shank, [-90 - 10 * index for index in range(40) if index != 3])
    hidden = [row for row in rows if (row["id"], row["angle"]) == ("7", "right_knee")]
    assert {(row["deg"], row["sigma_deg"]) for row in hidden} == {("", "")}


def test_angles_measured_after_reading_are_those_of_the_run(jsonl: Path, tmp_path: Path) -> None:
    written(CsvSink(tmp_path / "out.angles.csv", angles=True))
    rows = rows_of(tmp_path / "out.angles.csv")
    table = read(jsonl).angles()
    for column in ("deg", "sigma_deg"):
        wanted = [float(row[column] or "nan") for row in rows]
        np.testing.assert_allclose(table[column], wanted, atol=0.02)


@pytest.mark.parametrize("slim", [False, True])
def test_the_json_lines_carry_the_angles_that_are_asked_for(tmp_path: Path, slim: bool) -> None:
    path = tmp_path / "out.jsonl"
    header = make_header(source="a", size_wh=(640, 480), angles=list(NAMES))
    written(JsonLinesSink(path, header, slim=slim, each=each_of(header)))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    person = lines[20]["people"][1]
    angles = dict(zip(lines[0]["livepose"]["angles"], person["angles"], strict=True))
    assert angles["left_shank"][0] == pytest.approx(-90 - 190)
    assert angles["left_shank"][1] > 0
    assert angles["right_knee"] is None
    results = read(path)
    assert len(results) == 78
    np.testing.assert_allclose(results.poses.keypoints_xy[0], STANDING_XY, atol=0.5)
    assert np.isfinite(results.poses.sigma_px).any() != slim


def test_parquet_holds_the_same_table(jsonl: Path, tmp_path: Path) -> None:
    written(ParquetSink(tmp_path / "out.parquet"))
    written(ParquetSink(beside(tmp_path / "out.parquet"), angles=True))
    assert sorted(p.name for p in tmp_path.glob("*.parquet*")) == [
        "out.angles.parquet",
        "out.parquet",
    ]
    results = read(jsonl)
    for path, table in (
        ("out.parquet", results.keypoints()),
        ("out.angles.parquet", results.angles()),
    ):
        found = polars.read_parquet(tmp_path / path)
        assert found.columns == list(table)
        for column, values in table.items():
            if values.dtype.kind in "if":
                np.testing.assert_allclose(
                    found[column].cast(polars.Float64).fill_null(np.nan), values, atol=0.02
                )
            else:
                assert found[column].cast(polars.String).to_list() == values.tolist()
    lacking = polars.read_parquet(tmp_path / "out.parquet").filter(polars.col("state") == "missing")
    assert lacking["x"].null_count() == len(lacking) == 39


def test_a_table_in_several_groups_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livepose.results.tables._ROWS_TOGETHER", 100)
    written(ParquetSink(tmp_path / "out.parquet"))
    assert len(polars.read_parquet(tmp_path / "out.parquet")) == 78 * JOINTS


def test_a_full_disk_is_one_sentence_and_leaves_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livepose.results.tables._ROWS_TOGETHER", 100)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = ParquetSink(tmp_path / "out.parquet")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(SinkError, match="File too large"):
            written(sink)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_people_gives_empty_tables(tmp_path: Path) -> None:
    header = make_header(source="a", size_wh=(640, 480))
    for sink in (
        ParquetSink(tmp_path / "no.parquet"),
        JsonLinesSink(tmp_path / "no.jsonl", header),
    ):
        with sink:
            sink.write(frame(0), Poses.empty())
    results = read(tmp_path / "no.jsonl")
    assert polars.read_parquet(tmp_path / "no.parquet").columns == list(results.keypoints())
    assert len(results) == 0
    assert {len(column) for column in results.angles().values()} == {0}


def test_pandas_and_polars_take_the_tables(jsonl: Path) -> None:
    pandas = pytest.importorskip("pandas")
    results = read(jsonl)
    assert isinstance(results.to_pandas(), pandas.DataFrame)
    assert results.to_polars("angles").filter(polars.col("angle") == "left_knee").shape == (78, 7)
    with pytest.raises(ValueError, match="expected 'keypoints' or 'angles', got 'boxes'"):
        results.to_polars("boxes")


def test_a_package_that_is_missing_is_named(jsonl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install polars"):
        read(jsonl).to_polars()
    with pytest.raises(UsageError, match=r"pip install 'livepose\[parquet\]'"):
        ParquetSink(jsonl.with_suffix(".parquet"))


def test_a_run_that_was_killed_is_read_up_to_its_last_whole_line(jsonl: Path) -> None:
    text = jsonl.read_text()
    jsonl.write_text(text[: text.rindex('"people"')])
    assert read(jsonl).frame.max() == 38


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", "does not begin with the header"),
        (lambda text: "[1]\n", "does not begin with the header"),
        (lambda text: "no json\n", "is not what --json writes"),
        (lambda text: text.replace('"format": 1', '"format": 9'), "has format 9"),
        (lambda text: text.replace('"keypoints": ["nose"', '"keys": ["nose"'), "does not say what"),
        (lambda text: text.replace('"time_s": 0.2,', ""), "line 7: expected a frame"),
        (lambda text: text.replace('"seen"', '"guessed"', 60), "not in the form of --json"),
    ],
)
def test_what_is_not_in_the_form_is_refused_in_one_sentence(change, says, jsonl: Path) -> None:
    jsonl.write_text(change(jsonl.read_text()))
    with pytest.raises(DataError, match=says):
        read(jsonl)


def test_bytes_that_are_no_text_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is not what --json writes"):
        read(tmp_path / "bytes")
    with pytest.raises(DataError, match="cannot read"):
        read(tmp_path / "missing")


def test_angles_are_those_of_square_pixels_and_positions_those_of_the_source(
    tmp_path: Path,
) -> None:
    wide = replace(frame(0), scale_xy=(2.0, 1.0))
    header = make_header(source="a", size_wh=(320, 480), pixel_aspect=2.0)
    outputs = (
        JsonLinesSink(tmp_path / "a.jsonl", header, each=each_of({"angles": NAMES})),
        ParquetSink(tmp_path / "a.parquet"),
        TrcSink(tmp_path / "a.trc", rate_hz=25),
        CocoDatasetSink(tmp_path / "a.json"),
    )
    for sink in outputs:
        with sink:
            sink.write(wide, scene(1))
    results = read(tmp_path / "a.jsonl")
    x = (STANDING_XY[0, 0] + 1 + 0.5) / 2 - 0.5
    assert results.poses.keypoints_xy[0, 0, 0] == pytest.approx(x, abs=0.01)
    assert polars.read_parquet(tmp_path / "a.parquet")["x"][0] == pytest.approx(x)
    row = (tmp_path / "a_person1.trc").read_text().splitlines()[5].split("\t")
    assert float(row[2]) == pytest.approx(x)
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["images"][0]["width"] == 320
    assert document["annotations"][0]["keypoints"][0] == pytest.approx(x, abs=0.01)
    told = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[1])["people"][0]["angles"]
    assert results.angles()["deg"][: len(NAMES)] == pytest.approx(
        [deg for deg, _ in told], abs=0.05
    )
    assert results.angles()["deg"][0] == pytest.approx(
        AngleMeter()(scene(1)).degrees[0, 0], abs=0.05
    )


def test_nobody_is_followed_from_one_picture_to_the_next(tmp_path: Path) -> None:
    header = make_header(source="in", size_wh=(640, 480), kind="images", angles=list(NAMES))
    outputs = (
        JsonLinesSink(tmp_path / "a.jsonl", header, each=each_of(header)),
        CsvSink(tmp_path / "a.csv", angles=True),
        TrcSink(tmp_path / "a.trc"),
    )
    for sink in outputs:
        with sink:
            for index, turn in enumerate((80, 110)):  # the second is another person with the id 1
                turned = people(bent("left_knee", "left_ankle", turn), ids=[1])
                sink.write(frame(index, name=f"{index}.jpg"), turned)
    results = read(tmp_path / "a.jsonl")
    assert results.ids == []
    shank = NAMES.index("left_shank")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()[1:]]
    told = [line["people"][0]["angles"][shank][0] for line in lines]
    rows = [row for row in rows_of(tmp_path / "a.csv") if row["angle"] == "left_shank"]
    table = results.angles()
    read_back = table["deg"][table["angle"] == "left_shank"]
    for found in (told, [float(row["deg"]) for row in rows], read_back):
        np.testing.assert_allclose(found, [-170, 160], atol=0.1)
    assert not list(tmp_path.glob("*.trc"))
