import csv
import json
import os
import resource
import subprocess
import sys
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from sinks.people import frame, poses

from livepose.crops.geometry import CropGeometry
from livepose.detection import Detections
from livepose.errors import SinkError, UsageError
from livepose.poses import Poses
from livepose.results.tables import CsvSink
from livepose.sinks.annotations import CocoSink, OpenPoseSink, body_25
from livepose.sinks.images import ImageSink
from livepose.sinks.jsonl import JsonLinesSink, make_header
from livepose.sinks.protocol import OutputClosed

HEADER = make_header(source="in.mp4", size_wh=(64, 48), fps=25.0, weights="default")


def lines_of(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def test_json_lines_have_a_header_and_then_the_frames(tmp_path):
    with JsonLinesSink(tmp_path / "a.jsonl", HEADER) as sink:
        sink.write(frame(0, 0.0), poses(1, missing=[3]))
        sink.write(frame(1, 0.04), Poses.empty())
    header, first, second = lines_of(tmp_path / "a.jsonl")
    assert header["livepose"]["source"] == "in.mp4"
    assert list(first) == ["frame", "time_s", "people"]
    assert (first["frame"], first["time_s"]) == (0, 0.0)
    (person,) = first["people"]
    assert list(person) == ["id", "box_xyxy", "score", "keypoints", "states", "covariance_px2"]
    assert (person["id"], person["score"], person["box_xyxy"]) == (1, 0.9, [5, 6, 45, 66])
    assert person["keypoints"][0] == [10.0, 20.0, 0.5, 2.0]
    assert person["keypoints"][3] is None
    assert second == {"frame": 1, "time_s": 0.04, "people": []}


def test_boxes_are_edges_and_points_are_pixel_centres_in_every_file(tmp_path):
    width, height = 64, 48
    corners_xy = np.resize([[0.0, 0.0], [width - 1.0, height - 1.0]], (1, 17, 2))
    whole = replace(
        poses(1),
        keypoints_xy=corners_xy,
        boxes_xyxy=Detections.whole(frame(size_wh=(width, height)).image_bgr).boxes_xyxy,
    )
    # Half a pixel around the centres of the outermost pixels are the edges of the picture.
    heatmap_xy = CropGeometry("pixel_centre", (96, 128), 1.0).to_heatmap(
        [[[-0.5, -0.5], [width - 0.5, height - 0.5]]], whole.boxes_xyxy, (24, 32)
    )
    np.testing.assert_allclose(heatmap_xy, [[[-0.5, -0.5], [31.5, 23.5]]])
    names = [tmp_path / name for name in ("a.jsonl", "slim.jsonl", "a.csv", "a.json")]
    sinks = JsonLinesSink(names[0], HEADER), JsonLinesSink(names[1], HEADER, slim=True)
    for sink in (*sinks, CsvSink(names[2]), CocoSink(names[3])):
        with sink:
            sink.write(frame(), whole)
    for path in names[:2]:
        (person,) = lines_of(path)[1]["people"]
        assert person["box_xyxy"] == [0, 0, width, height]
        assert [point[:2] for point in person["keypoints"][:2]] == [[0, 0], [63, 47]]
    first = next(csv.DictReader(names[2].read_text().splitlines()))
    assert [float(first[f"box_{edge}"]) for edge in ("x1", "y1", "x2", "y2")] == [0, 0, 64, 48]
    assert (float(first["x"]), float(first["y"])) == (0, 0)
    (record,) = json.loads(names[3].read_text())
    assert record["bbox"] == [0, 0, width, height] and record["keypoints"][3:5] == [63, 47]


def test_the_header_says_skeleton_size_source_units_and_versions(tmp_path):
    JsonLinesSink(tmp_path / "a.jsonl", HEADER).close()
    header = lines_of(tmp_path / "a.jsonl")[0]["livepose"]
    assert header["format"] == 1 and header["weights"] == "default"
    assert header["size_wh"] == [64, 48] and header["fps"] == 25.0
    assert len(header["skeleton"]["keypoints"]) == 17
    assert header["keypoint"] == ["x", "y", "score", "sigma_px"]
    assert header["states"] == ["missing", "seen", "weak", "outside", "predicted", "propagated"]
    assert header["units"]["time_s"] == "seconds"
    assert header["versions"]["numpy"] == np.__version__


def test_a_number_that_json_does_not_know_is_null(tmp_path):
    person = poses(1)
    person.boxes_xyxy[0, 0], person.scores[0] = np.nan, np.inf
    with JsonLinesSink(tmp_path / "a.jsonl", {"fps": float("nan"), "a": (1, 2)}) as sink:
        sink.write(frame(), person)
    header, line = lines_of(tmp_path / "a.jsonl")
    assert header["livepose"] == {"fps": None, "a": [1, 2]}
    assert line["people"][0]["box_xyxy"][0] is None and line["people"][0]["score"] is None


def test_each_line_is_in_the_file_before_the_next_frame_comes(tmp_path):
    sink = JsonLinesSink(tmp_path / "a.jsonl", HEADER)
    for index in range(3):
        sink.write(frame(index), poses(1))
        assert len(lines_of(tmp_path / "a.jsonl")) == index + 2
    sink.close()
    sink.close()


def test_a_still_picture_has_its_name_in_the_line(tmp_path):
    with JsonLinesSink(tmp_path / "a.jsonl", HEADER) as sink:
        sink.write(frame(0, name="pictures/a.jpg"), Poses.empty())
    assert lines_of(tmp_path / "a.jsonl")[1]["name"] == "pictures/a.jpg"


def test_a_dash_is_stdout(capsys):
    with JsonLinesSink("-", HEADER) as sink:
        sink.write(frame(), poses(2))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(line.get("people", [])) for line in lines] == [0, 2]


CLOSED_PIPE = """
import sys
from livepose.sinks.jsonl import JsonLinesSink
from livepose.sinks.protocol import OutputClosed
from livepose.poses import Poses
from sinks.people import frame
try:
    sink = JsonLinesSink("-", {})
    for index in range(100_000):
        sink.write(frame(index), Poses.empty())
except OutputClosed:
    sys.exit(42)
"""


def test_a_closed_pipe_is_a_quiet_end():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", CLOSED_PIPE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout.readline() == b'{"livepose": {}}\n'
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 42


def test_a_closed_pipe_counts_as_a_broken_pipe_for_those_who_look_for_that():
    assert issubclass(OutputClosed, BrokenPipeError)


def test_csv_has_one_row_a_keypoint_and_empty_cells_for_what_is_missing(tmp_path):
    with CsvSink(tmp_path / "a.csv") as sink:
        sink.write(frame(0, 0.0), poses(2, missing=[1]))
        sink.write(frame(1, 0.5), Poses.empty())
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == (
        "frame,time_s,name,id,score,box_x1,box_y1,box_x2,box_y2,"
        "keypoint,x,y,keypoint_score,sigma_px,state,cov_xx,cov_xy,cov_yy"
    )
    assert len(rows) == 34
    assert rows[0]["keypoint"] == "nose" and float(rows[0]["x"]) == 10.0
    assert (rows[1]["x"], rows[1]["y"], rows[1]["sigma_px"]) == ("", "", "")
    assert (rows[0]["state"], rows[1]["state"]) == ("seen", "missing")
    assert (rows[0]["cov_xx"], rows[0]["cov_xy"], rows[1]["cov_yy"]) == ("4.000", "0.000", "")
    assert rows[17]["id"] == "2" and float(rows[17]["box_x1"]) == 105.0
    assert "nan" not in (tmp_path / "a.csv").read_text()


def test_openpose_files_are_named_and_filled_as_openpose_does(tmp_path):
    with OpenPoseSink(tmp_path / "op", "clip.mp4") as sink:
        sink.write(frame(0), poses(2))
        sink.write(frame(12), Poses.empty())
    names = sorted(path.name for path in (tmp_path / "op").iterdir())
    assert names == ["clip_000000000000_keypoints.json", "clip_000000000012_keypoints.json"]
    record = json.loads((tmp_path / "op" / names[0]).read_text())
    assert record["version"] == 1.3 and len(record["people"]) == 2
    assert len(record["people"][0]["pose_keypoints_2d"]) == 75
    assert record["people"][1]["person_id"] == [2]
    assert record["people"][0]["face_keypoints_2d"] == []
    assert json.loads((tmp_path / "op" / names[1]).read_text())["people"] == []


def test_neck_and_mid_hip_are_midpoints_and_feet_are_zeros():
    points = body_25(poses(1))
    assert points[1].tolist() == [15.5, 25.5, 0.55]  # keypoints 5 and 6
    assert points[8].tolist() == [21.5, 31.5, pytest.approx(0.61)]  # keypoints 11 and 12
    assert points[0].tolist() == [10, 20, 0.5]
    assert points[2, 0] == 16 and points[5, 0] == 15  # right and left shoulder
    assert points[17, 0] == 14 and points[18, 0] == 13  # right and left ear
    assert not points[19:].any()


def test_a_midpoint_of_which_one_end_is_missing_is_missing():
    points = body_25(poses(1, missing=[5]))
    assert not points[1].any() and not points[5].any()
    assert np.isfinite(points).all()


def test_openpose_files_of_pictures_carry_their_names(tmp_path):
    with OpenPoseSink(tmp_path, "folder") as sink:
        sink.write(frame(0, name="x/a.jpg"), poses(1))
        sink.write(frame(1, name="y/a.jpg"), poses(1))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a_000000000001_keypoints.json", "a_keypoints.json"]


def test_pose2sim_finds_its_coordinates(tmp_path):
    with OpenPoseSink(tmp_path, "cam1") as sink:
        sink.write(frame(7), poses(1))
    (path,) = tmp_path.glob("*.json")
    flat = json.loads(path.read_text())["people"][0]["pose_keypoints_2d"]
    x, y, score = flat[0::3], flat[1::3], flat[2::3]
    assert (x[0], y[0], score[0]) == (10.0, 20.0, 0.5)
    assert int("".join(filter(str.isdigit, path.stem.split("_")[1]))) == 7


def test_coco_results_are_loaded_by_pycocotools(tmp_path, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    with CocoSink(tmp_path / "r.json") as sink:
        sink.write(frame(0, name="000000000785.jpg"), poses(2, missing=[0]))
        sink.write(frame(1, name="000000000139.jpg"), poses(1))
    truth = coco.COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": 785}, {"id": 139}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [],
    }
    truth.createIndex()
    loaded = truth.loadRes(str(tmp_path / "r.json"))
    assert len(loaded.getAnnIds(imgIds=[785])) == 2
    first = json.loads((tmp_path / "r.json").read_text())[0]
    assert first["category_id"] == 1 and first["bbox"] == [5, 6, 40, 60]
    assert first["keypoints"][:6] == [0, 0, 0, 11, 21, 0.51] and len(first["keypoints"]) == 51
    capsys.readouterr()


def test_coco_results_without_people_are_an_empty_list(tmp_path):
    with CocoSink(tmp_path / "r.json") as sink:
        sink.write(frame(3), Poses.empty())
    assert json.loads((tmp_path / "r.json").read_text()) == []


def test_coco_results_appear_whole_also_when_the_run_is_interrupted(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("[]")
    with pytest.raises(KeyboardInterrupt), CocoSink(path, overwrite=True) as sink:
        sink.write(frame(5), poses(1))
        assert path.read_text() == "[]"
        raise KeyboardInterrupt
    assert [record["image_id"] for record in json.loads(path.read_text())] == [5]
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_pictures_are_written_under_their_names(tmp_path):
    drawn = np.full((48, 64, 3), 200, np.uint8)
    with ImageSink(tmp_path / "out") as sink:
        sink.write(frame(0, name="in/a.png"), Poses.empty(), drawn)
        sink.write(frame(1, name="other/a.png"), Poses.empty(), drawn)
        sink.write(frame(2, name="in/b.jp2"), Poses.empty(), drawn)
        sink.write(frame(3), Poses.empty())
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a.png", "a_000000000001.png", "b.jpg", "livepose_000000000003.jpg"]
    assert cv2.imread(str(tmp_path / "out" / "a.png"))[0, 0].tolist() == [200, 200, 200]


def test_one_picture_goes_to_one_file_and_a_second_is_a_usage_error(tmp_path):
    sink = ImageSink(tmp_path / "a.jpg")
    sink.write(frame(0, name="in.png"), Poses.empty(), None)
    with pytest.raises(UsageError, match="is one file for many pictures; name a folder"):
        sink.write(frame(1, name="in2.png"), Poses.empty(), None)


def test_a_picture_is_never_written_over_its_source(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(SinkError, match="is the picture itself"):
        ImageSink(tmp_path, overwrite=True).write(frame(0, name=str(path)), Poses.empty(), None)


MAKERS = {
    "json": lambda path: JsonLinesSink(path, HEADER),
    "csv": CsvSink,
    "coco": CocoSink,
    "picture": lambda path: ImageSink(path.with_suffix(".png")),
    "openpose": OpenPoseSink,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_missing_folder_is_one_sentence(tmp_path, kind):
    with pytest.raises(SinkError, match="does not exist; create it first"):
        MAKERS[kind](tmp_path / "missing" / "out")


@pytest.mark.parametrize("kind", ["json", "csv", "coco"])
def test_a_folder_for_a_file_is_one_sentence(tmp_path, kind):
    with pytest.raises(SinkError, match="it is a folder; expected a file name"):
        MAKERS[kind](tmp_path)


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_full_disk_is_one_sentence(tmp_path, kind):
    path = tmp_path / "out"
    path.symlink_to("/dev/full")
    with pytest.raises(SinkError, match="the disk is full; make room"):
        MAKERS[kind](path)


@pytest.fixture
def filling_disk():
    """Lets no file grow beyond some bytes, as a disk does that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda room: resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_whole_lines_stay_when_the_disk_fills_up(tmp_path, filling_disk):
    path = tmp_path / "a.jsonl"
    sink = JsonLinesSink(path, {}, ending=dict)
    filling_disk(5000)
    with pytest.raises(SinkError, match="File too large"):
        for index in range(100):
            sink.write(frame(index), poses(1))
    sink.close()
    assert len(lines_of(path)) > 1


def test_an_earlier_coco_result_stays_when_the_disk_fills_up(tmp_path, filling_disk):
    path = tmp_path / "r.json"
    path.write_text("[1]")
    sink = CocoSink(path, overwrite=True)
    filling_disk(500)
    with pytest.raises(SinkError, match="File too large"):
        for index in range(100):
            sink.write(frame(index), poses(1))
    sink.close()
    assert path.read_text() == "[1]"
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_a_pipe_is_written_into_and_not_replaced(tmp_path):
    path, read = tmp_path / "r.json", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    with CocoSink(path) as sink:
        sink.write(frame(7), poses(1))
    reader.join()
    assert [record["image_id"] for record in json.loads(read[0])] == [7]
    assert path.is_fifo()


def test_a_reader_of_a_pipe_that_goes_is_a_quiet_end_for_whole_files_too(tmp_path):
    path = tmp_path / "r.json"
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: path.open().close())
    reader.start()
    with CocoSink(path) as sink:
        reader.join()
        with pytest.raises(OutputClosed):
            sink.write(frame(7), poses(1))


def test_a_full_disk_leaves_no_half_openpose_file(tmp_path, filling_disk):
    sink = OpenPoseSink(tmp_path, "a")
    filling_disk(100)
    with pytest.raises(SinkError, match="File too large"):
        sink.write(frame(0), poses(1))
    assert list(tmp_path.iterdir()) == []


def test_the_last_json_line_is_asked_for_at_the_end_and_written_once(tmp_path):
    told = {"given_up": {"poses": 1}}
    sink = JsonLinesSink(tmp_path / "a.jsonl", HEADER, ending=lambda: told)
    sink.write(frame(0, 0.0), poses(1))
    told["given_up"]["poses"] = 7
    sink.close()
    sink.close()
    lines = lines_of(tmp_path / "a.jsonl")
    assert len(lines) == 3
    assert lines[-1] == {"summary": {"given_up": {"poses": 7}}}
