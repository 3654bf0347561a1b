"""The detector's own loop: where boxes go, samples by number, and a very short training."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from livepose.cli import main
from livepose.detection import Detections, open_detector
from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Problems
from livepose.training import detector_data
from livepose.training.checkpoint import read_checkpoint
from livepose.training.data import Pictures, PictureSource
from livepose.training.detector import make_batch
from livepose.training.detector_data import (
    BoxedPictures,
    BoxedSet,
    Placement,
    Sampler,
    completed,
    read_boxed,
)
from livepose.training.log import read_log
from livepose.training.settings import DetectorSettings
from livepose.training.train_step import TrainStep

BOX = np.array([[40.0, 30.0, 80.0, 90.0]])
SMALL = ("--input-px", "64", "--batch", "2", "--threads", "1", "--log-every", "1")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))


def rectangle() -> np.ndarray:
    image = np.zeros((120, 160, 3), np.uint8)
    image[30:90, 40:80] = 255
    return image


def extent(cell: np.ndarray) -> np.ndarray:
    """Edges of what is white, where pixels half white are the border."""
    rows, columns = (np.flatnonzero((cell[..., 0] > 180).any(axis=axis)) for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=float)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("zoom_xy", [(1.3, 1.2), (0.3, 0.35), (2.0, 2.0)])
def test_the_box_of_a_rectangle_stays_on_it(zoom_xy: tuple[float, float], flip: bool) -> None:
    place = Placement((320, 240), zoom_xy, (11.25, -7.5), flip)
    [box] = place.boxes(BOX)
    assert np.abs(extent(place.picture(rectangle())) - box).max() <= 1.0
    if zoom_xy == (2.0, 2.0):
        left = 11.25 + 80
        assert box[0] == (320 - (left + 80) if flip else left)


def test_a_flip_mirrors_picture_and_boxes() -> None:
    plain, turned = (Placement((160, 120), (1.0, 1.0), (0.0, 0.0), flip) for flip in (False, True))
    assert (plain.picture(rectangle())[:, ::-1] == turned.picture(rectangle())).all()
    assert plain.boxes(BOX).tolist() == BOX.tolist()
    assert turned.boxes(BOX).tolist() == [[80.0, 30.0, 120.0, 90.0]]


def test_boxes_are_cut_at_the_edge_and_dropped_when_hardly_seen() -> None:
    def placed(left: float) -> list[list[float]]:
        return Placement((160, 120), (1.0, 1.0), (left, 0.0)).boxes(BOX).tolist()

    assert placed(-60.0) == [[0.0, 30.0, 20.0, 90.0]]  # half of it
    assert placed(-73.0) == [[0.0, 30.0, 7.0, 90.0]]  # 17.5 %
    assert placed(-75.0) == []  # 12.5 %
    assert Placement((160, 120), (0.09, 0.09), (0.0, 0.0)).boxes(BOX).tolist() == []  # 3.6 px wide
    assert Placement((160, 120), (1.0, 1.0), (0.0, 0.0)).boxes(np.empty((0, 4))).shape == (0, 4)


def test_pictures_are_placed_at_scales_from_0_45_to_1_8() -> None:
    places = [
        Placement.draw(np.random.default_rng(seed), (400, 300), (320, 320)) for seed in range(400)
    ]
    scales = [np.sqrt(np.prod(place.zoom_xy)) * 400 / 320 for place in places]
    assert 0.45 <= min(scales) < 0.5
    assert 1.7 < max(scales) <= 1.8
    assert 0.4 < np.mean([place.flip for place in places]) < 0.6


def settings_of(folder: Path, mark: str = "", **more: Any) -> DetectorSettings:
    data = f"{folder / 'images.zip'}:{folder / 'annotations.json'}{mark}"
    return DetectorSettings(data=(data,), samples=4, strict_data=True, **more)


def pictures_of(folder: Path, mark: str = "") -> Any:
    return read_boxed(settings_of(folder, mark))


def test_a_sample_is_a_function_of_seed_and_number_alone(drawn_set: Path) -> None:
    pictures = pictures_of(drawn_set)
    for mosaic in (0.0, 1.0):
        first, again = (Sampler(pictures, 64, mosaic, seed=3) for _ in range(2))
        kept = [first(index) for index in range(5)]
        pixels, boxes = again(4)
        assert (pixels == kept[4][0]).all()
        assert (boxes == kept[4][1]).all()
        assert not (pixels == Sampler(pictures, 64, mosaic, seed=4)(4)[0]).all()
        assert not (pixels == kept[3][0]).all()


def test_samples_are_rgb_shares_with_boxes_inside(drawn_set: Path) -> None:
    sampler = Sampler(pictures_of(drawn_set), 64, 0.5, seed=0)
    samples = [sampler(index) for index in range(40)]
    for pixels, boxes in samples:
        assert pixels.shape == (3, 64, 64)
        assert pixels.dtype == np.float32
        assert pixels.min() >= 0
        assert pixels.max() <= 1
        assert (boxes >= 0).all()
        assert (boxes <= 64).all()
    assert max(len(boxes) for _, boxes in samples) > 1
    batch = make_batch(samples)
    assert len(batch["bboxes"]) == sum(len(boxes) for _, boxes in samples)
    assert batch["bboxes"].max() <= 1


def test_a_set_is_drawn_as_often_as_it_weighs() -> None:
    def one(value: int, weight: float) -> BoxedSet:
        encoded = cv2.imencode(".png", np.full((8, 8, 3), value, np.uint8))[1].tobytes()
        source = PictureSource(str(value), (8, 8), lambda: encoded)
        pictures = Pictures([source])
        assert not pictures.load(Problems(strict=True))
        return BoxedSet(pictures, [0], [np.empty((0, 4))], weight, cut=False)

    both = BoxedPictures([one(0, 1.0), one(255, 3.0)])
    rng = np.random.default_rng(0)
    drawn = [int(both.draw(rng)[0][0, 0, 0]) for _ in range(400)]
    assert set(drawn) == {0, 255}
    assert np.mean(drawn) / 255 == pytest.approx(0.75, abs=0.06)


def found(*boxes: tuple[float, ...]) -> Detections:
    rows = np.array(boxes)
    return Detections(rows[:, :4], rows[:, 4])


def test_boxes_are_completed_by_people_whom_nobody_labelled() -> None:
    labelled = np.array([[0.0, 0, 100, 100]])
    answers = found(
        (5.0, 5, 100, 100, 0.9),  # the labelled one
        (10.0, 10, 30, 30, 0.9),  # a part of the labelled one
        (200.0, 0, 300, 100, 0.8),  # another
        (205.0, 0, 300, 100, 0.7),  # that one again
        (400.0, 0, 500, 100, 0.3),  # unsure
        (60.0, 0, 200, 100, 0.6),  # beside, overlapping a little
    )
    assert completed(labelled, answers).tolist() == [
        [0, 0, 100, 100],
        [200, 0, 300, 100],
        [60, 0, 200, 100],
    ]


def test_only_sets_with_one_box_a_picture_are_completed_or_cut(
    drawn_set: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "livepose")
    whole, cut = pictures_of(drawn_set), pictures_of(drawn_set, ":one-boxed")
    sizes = [each._sets[0].take(0)[0].size for each in (whole, cut)]
    assert sizes[1] < sizes[0]

    class Corner:
        name = "corner"

        def __call__(self, images: Any) -> list[Detections]:
            return [found((0.0, 0, 9, 9, 0.9)) for _ in images]

    monkeypatch.setattr(detector_data, "open_detector", lambda *a, **k: Corner())
    full = read_boxed(settings_of(drawn_set, ":one-boxed", complete_with="x.safetensors"))
    assert full.boxes == 12
    assert full._sets[0].take(0)[0].size == sizes[0]
    assert any("corner added 6 boxes to 6" in message for message in caplog.messages)
    with pytest.raises(UsageError, match="none of the sets"):
        read_boxed(settings_of(drawn_set, complete_with="x.safetensors"))


def test_a_picture_without_people_teaches_what_none_are(drawn_set: Path) -> None:
    file = drawn_set / "annotations.json"
    content = json.loads(file.read_text())
    del content["annotations"][0]
    file.write_text(json.dumps(content))
    assert (len(pictures_of(drawn_set)), pictures_of(drawn_set).boxes) == (6, 5)
    assert len(pictures_of(drawn_set, ":one-boxed")) == 5


def test_an_odd_set_of_boxes_says_why(drawn_set: Path) -> None:
    file = drawn_set / "annotations.json"
    content = json.loads(file.read_text())
    for one in content["annotations"]:
        one["bbox"] = None
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="bbox: expected 4 numbers, got None"):
        pictures_of(drawn_set)


def command(folder: Path, name: str, drawn_set: Path, *more: str) -> list[str]:
    data = f"{drawn_set / 'images.zip'}:{drawn_set / 'annotations.json'}"
    start = ["train", "detector", "--runs", str(folder), "--name", name]
    return [*start, "--data", data, *SMALL, *more]


def tensors(folder: Path, name: str) -> dict[str, torch.Tensor]:
    learner = read_checkpoint(folder / name)["learner"]
    return {**learner["model"], **{f"mean.{key}": value for key, value in learner["ema"].items()}}


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    drawn_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    long = ("--pictures", "4", "--warm-up-steps", "0")
    assert main(command(tmp_path, "whole", drawn_set, *long)) == 0
    step = TrainStep.step

    def step_and_press_ctrl_c(self: Any, *given: Any) -> Any:
        parts = step(self, *given)
        os.kill(os.getpid(), signal.SIGINT)
        return parts

    with monkeypatch.context() as interrupted:
        interrupted.setattr(TrainStep, "step", step_and_press_ctrl_c)
        assert main(command(tmp_path, "parts", drawn_set, *long)) == 130
    assert main(command(tmp_path, "parts", drawn_set, *long)) == 2
    assert main(command(tmp_path, "parts", drawn_set, *long, "--resume", "--seed", "9")) == 2
    assert "seed is 0 there and cannot become 9" in capsys.readouterr().err
    assert main(command(tmp_path, "parts", drawn_set, *long, "--resume")) == 0
    whole, parts = tensors(tmp_path, "whole"), tensors(tmp_path, "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    log = read_log(tmp_path / "parts")
    assert [entry["step"] for entry in log] == [1, 2]
    assert log[-1]["samples"] == 4
    assert all(entry["loss"] > 0 and entry["samples_per_s"] > 0 for entry in log)


def test_the_result_loads_as_a_detector_and_is_measured(drawn_set: Path, tmp_path: Path) -> None:
    dev = f"{drawn_set / 'images.zip'}:{drawn_set / 'annotations.json'}"
    other = tmp_path / "other.safetensors"
    more = ("--budget-minutes", "0.0001", "--dev", dev, "--export", str(other))
    assert main(command(tmp_path, "small", drawn_set, *more)) == 0
    detector = open_detector(other, "cpu")
    assert detector is not None
    [answer] = detector([np.zeros((96, 96, 3), np.uint8)])
    assert answer.boxes_xyxy.shape == (len(answer), 4)
    again = ("--pictures", "2", "--init", str(other))
    assert main(command(tmp_path, "again", drawn_set, *again)) == 0
    if any("validation" in entry for entry in read_log(tmp_path / "small")):
        assert set(read_log(tmp_path / "small")[-1]["validation"]) == {"ap", "ap50"}


def test_what_cannot_be_started_from_is_one_sentence(
    drawn_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.safetensors"
    file.write_bytes(b"nothing")
    assert main(command(tmp_path, "x", drawn_set, "--pictures", "2", "--init", str(file))) == 4
    assert "is not a readable safetensors file" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(command(tmp_path, "x", drawn_set, "--pictures", "2", "--epochs", "3"))
