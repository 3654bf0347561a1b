"""What stands in JSON Lines, CSV, OpenPose and COCO files, and on images and sheets."""

import csv
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from sinks.people import frame, names_in, poses

from livepose.detection import Detections
from livepose.errors import SinkError, UsageError
from livepose.poses import Poses
from livepose.results.tables import CsvSink
from livepose.sinks.annotations import CocoSink, OpenPoseSink
from livepose.sinks.images import ImageSink, SheetSink
from livepose.sinks.jsonl import JsonLinesSink, frame_json, make_header

HEADER = make_header(source="in.mp4", size_wh=(64, 48), fps=float("nan"), weights="default")


def written(sink, *frames):
    with sink:
        for one, people in frames:
            sink.write(one, people)


def lines_of(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def test_json_lines_have_a_header_and_then_the_frames(tmp_path):
    told = {"poses": 1}
    sink = JsonLinesSink(tmp_path / "a.jsonl", HEADER, ending=lambda: told)
    sink.write(frame(0), poses(1, missing=[3]))
    sink.write(frame(1, 0.04, name="p/a.jpg"), Poses.empty())
    told["poses"] = 7
    written(sink), written(sink)
    header, first, second, last = lines_of(tmp_path / "a.jsonl")
    header = header["livepose"]
    assert len(header["skeleton"]["keypoints"]) == 17
    assert header["states"] == ["missing", "seen", "weak", "outside", "predicted", "propagated"]
    wanted = {"format": 1, "source": "in.mp4", "weights": "default", "size_wh": [64, 48]}
    wanted |= {"fps": None, "keypoint": ["x", "y", "score", "sigma_px"]}
    assert header | wanted == header
    started = datetime.fromisoformat(header["started_utc"])
    assert abs((datetime.now(UTC) - started).total_seconds()) < 3600
    (person,) = first.pop("people")
    assert first == {"frame": 0, "time_s": 0.0}
    assert list(person) == ["id", "box_xyxy", "score", "keypoints", "states", "covariance_px2"]
    assert (person["id"], person["score"], person["box_xyxy"]) == (1, 0.9, [5, 6, 45, 66])
    assert person["keypoints"][0] == [10.0, 20.0, 0.5, 2.0] and person["keypoints"][3] is None
    assert second == {"frame": 1, "time_s": 0.04, "name": "p/a.jpg", "people": []}
    assert last == {"summary": {"poses": 7}}


def crowd(seed: int) -> Poses:
    """People anywhere, some keypoints missing, some spreads unknown, some numbers odd."""
    rng, people = np.random.default_rng(seed), seed + 1
    base = poses(people, missing=[seed])
    spread = rng.random(base.covariance_px2.shape) * 10
    spread[rng.random((people, 17)) < 0.2, 0, 1] = np.nan
    boxes = rng.normal(300, 400, (people, 4))
    boxes[0, 0] = rng.choice([np.nan, np.inf, -np.inf, 1.005])
    return replace(
        base,
        keypoints_xy=base.keypoints_xy + rng.normal(300, 400, base.keypoints_xy.shape),
        covariance_px2=spread,
        boxes_xyxy=boxes,
        scores=rng.random(people),
        keypoint_states=rng.integers(0, 5, (people, 17)).astype(np.uint8),
    )


@pytest.mark.parametrize("seed", range(4))
def test_it_says_what_to_dict_says(seed):
    people = crowd(seed) if seed else Poses.empty()
    text = frame_json(frame(7, 0.25), people)
    said = json.loads(text, parse_constant=pytest.fail, object_pairs_hook=list)
    plain = json.dumps({"frame": 7, "time_s": 0.25, **people.to_dict()})
    assert said == json.loads(plain, parse_constant=lambda odd: None, object_pairs_hook=list)


def test_slim_people_take_under_400_bytes_and_keep_the_digits_that_count(tmp_path):
    people = poses(4)
    people = replace(people, keypoints_xy=people.keypoints_xy + 500.26)
    sharp = replace(people, covariance_px2=people.covariance_px2 * 0.1)
    for one, x in ((people, 510), (sharp, 510.3)):
        text = frame_json(frame(0), one, "slim")
        assert len(text) < 4 * 400
        assert json.loads(text)["people"][0]["keypoints"][0] == [x, x + 10, 0.5]
    written(JsonLinesSink(tmp_path / "a.jsonl", HEADER, slim=True), (frame(0), poses(1, [2])))
    header, line = lines_of(tmp_path / "a.jsonl")
    assert header["livepose"]["keypoint"] == ["x", "y", "score"]
    (person,) = line["people"]
    assert set(person) == {"id", "box_xyxy", "score", "keypoints"}
    assert person["keypoints"][2] is None


def test_live_frames_have_the_wall_clock_of_their_capture():
    captured = replace(frame(0), captured_s=time.perf_counter() - 2.0)
    said = json.loads(frame_json(captured, Poses.empty()))
    assert said["unix_s"] == pytest.approx(time.time() - 2.0, abs=0.5)


def test_boxes_are_edges_and_points_are_pixel_centres_in_every_file(tmp_path):
    width, height = 64, 48
    corners_xy = np.resize([[0.0, 0.0], [width - 1.0, height - 1.0]], (1, 17, 2))
    box = Detections.whole(frame(size_wh=(width, height)).image_bgr).boxes_xyxy
    whole = replace(poses(1), keypoints_xy=corners_xy, boxes_xyxy=box)
    names = [tmp_path / name for name in ("a.jsonl", "slim.jsonl", "a.csv", "a.json")]
    sinks = JsonLinesSink(names[0], HEADER), JsonLinesSink(names[1], HEADER, slim=True)
    for sink in (*sinks, CsvSink(names[2]), CocoSink(names[3])):
        written(sink, (frame(), whole))
    for path in names[:2]:
        (person,) = lines_of(path)[1]["people"]
        assert person["box_xyxy"] == [0, 0, width, height]
        assert [point[:2] for point in person["keypoints"][:2]] == [[0, 0], [63, 47]]
    first = next(csv.DictReader(names[2].read_text().splitlines()))
    assert [float(first[f"box_{edge}"]) for edge in ("x1", "y1", "x2", "y2")] == [0, 0, 64, 48]
    assert (float(first["x"]), float(first["y"])) == (0, 0)
    (record,) = json.loads(names[3].read_text())
    assert record["bbox"] == [0, 0, width, height] and record["keypoints"][3:5] == [63, 47]


def test_openpose_files_are_named_and_filled_as_openpose_does(tmp_path):
    images = [(frame(index, name=f"{index}/a.jpg"), poses(1)) for index in (3, 4)]
    missing = frame(12), poses(1, missing=[5])
    written(OpenPoseSink(tmp_path, "clip.mp4"), (frame(0), poses(2)), missing, *images)
    stems = ["a", "a_000000000004", "clip_000000000000", "clip_000000000012"]
    assert names_in(tmp_path) == sorted(f"{stem}_keypoints.json" for stem in stems)
    texts = [(tmp_path / f"{stem}_keypoints.json").read_text() for stem in stems[2:]]
    first, second = map(json.loads, texts)
    assert first["version"] == 1.3 and first["people"][1]["person_id"] == [2]
    told = [one["people"][0]["pose_keypoints_2d"] for one in (first, second)]
    points, lacking = np.reshape(told, (2, 25, 3))
    assert points[1].tolist() == [15.5, 25.5, 0.55]  # the neck: keypoints 5 and 6
    assert points[8].tolist() == [21.5, 31.5, 0.61]  # the mid hip: keypoints 11 and 12
    assert points[2, 0] == 16 and points[5, 0] == 15  # right and left shoulder
    assert not points[19:].any()  # feet
    assert not lacking[1].any() and not lacking[5].any()


def test_coco_results_are_loaded_by_pycocotools(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    image = frame(0, name="000000000785.jpg"), poses(2, missing=[0])
    written(CocoSink(tmp_path / "r.json"), image)
    truth = coco.COCO()
    truth.dataset = {"info": {}, "images": [{"id": 785}], "annotations": []}
    truth.dataset["categories"] = [{"id": 1, "name": "person"}]
    truth.createIndex()
    loaded = truth.loadRes(str(tmp_path / "r.json"))
    assert len(loaded.getAnnIds(imgIds=[785])) == 2
    first = json.loads((tmp_path / "r.json").read_text())[0]
    assert first["category_id"] == 1 and first["bbox"] == [5, 6, 40, 60]
    assert first["keypoints"][:6] == [0, 0, 0, 11, 21, 0.51] and len(first["keypoints"]) == 51
    written(CocoSink(tmp_path / "none.json"), (frame(3), Poses.empty()))
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_images_of_one_number_stay_two_images(tmp_path):
    names = ["1.jpg", "2024-05-01.jpg", "cam1/0001.jpg", "cam2/0001.jpg", "5.jpg", "000785.jpg"]
    frames = [(frame(index, name=name), poses(1)) for index, name in enumerate(names)]
    written(CocoSink(tmp_path / "r.json"), *frames)
    records = json.loads((tmp_path / "r.json").read_text())
    ids = [record["image_id"] for record in records]
    assert len(set(ids)) == len(names)
    assert ids[0] == 1 and ids[5] == 785
    assert "file_name" not in records[0] and records[3]["file_name"] == "cam2/0001.jpg"


def test_images_are_written_under_their_names(tmp_path):
    drawn = np.full((48, 64, 3), 200, np.uint8)
    with ImageSink(tmp_path / "out") as sink:
        for index, name in enumerate(("in/a.png", "other/a.png", "in/b.jp2", None)):
            sink.write(frame(index, name=name), Poses.empty(), drawn)
    names = ["a.png", "a_000000000001.png", "b.jpg", "livepose_000000000003.jpg"]
    assert names_in(tmp_path / "out") == names
    assert cv2.imread(str(tmp_path / "out" / "a.png"))[0, 0].tolist() == [200, 200, 200]


def test_one_image_goes_to_one_file_and_never_over_its_source(tmp_path):
    source = frame(0, name=str(tmp_path / "a.png")), Poses.empty()
    with pytest.raises(UsageError, match="is one file for many images; name a folder"):
        written(ImageSink(tmp_path / "a.png"), (frame(), Poses.empty()), source)
    with pytest.raises(SinkError, match="is the image itself"):
        written(ImageSink(tmp_path, overwrite=True), source)


@pytest.mark.parametrize("frames", [0, 1, 13])
def test_a_sheet_goes_from_the_beginning_of_the_film_to_its_end(frames, tmp_path):
    path = tmp_path / "sheet.png"
    with SheetSink(path) as sink:
        for index in range(frames):
            one = frame(index, index / 10, (160, 90), value=255 * index // max(frames - 1, 1))
            sink.write(one, Poses.empty(), one.image_bgr)
    sink.close()
    assert path.exists() == (frames > 0)
    if frames >= 12:
        greys = np.median(cv2.imread(str(path)), axis=2)
        assert greys.min() < 30 and greys.max() > 200
