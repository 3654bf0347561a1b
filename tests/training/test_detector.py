"""The detector's own loop: where boxes go, samples by number, and a very short training."""

import signal
from typing import Any

import numpy as np
import pytest
import torch

from livepose.cli import main
from livepose.detection import Detections, open_detector
from livepose.errors import UsageError
from livepose.training import loop
from livepose.training.detector import (
    BoxedImages,
    Placement,
    Sampler,
    completed,
    make_batch,
    read_boxed,
)
from livepose.training.records import read_checkpoint, read_log
from livepose.training.settings import DetectorSettings

BOX = np.array([[40.0, 30.0, 80.0, 90.0]])
SMALL = ("--input-px", "64", "--batch", "2", "--threads", "1")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("zoom_xy", [(1.3, 1.2), (0.3, 0.35), (2.0, 2.0)])
def test_the_box_of_a_rectangle_stays_on_it(zoom_xy, flip):
    rectangle = np.zeros((120, 160, 3), np.uint8)
    rectangle[30:90, 40:80] = 255
    place = Placement((320, 240), zoom_xy, (11.25, -7.5), flip)
    [box] = place.boxes(BOX)
    white = place.image(rectangle)[..., 0] > 180  # pixels half white are the border
    rows, columns = (np.flatnonzero(white.any(axis=axis)) for axis in (1, 0))
    extent = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    assert np.abs(extent - box).max() <= 1.0


def test_boxes_are_cut_at_the_edge_and_dropped_when_hardly_seen():
    def placed(left: float, zoom: float = 1.0) -> list[list[float]]:
        return Placement((160, 120), (zoom, zoom), (left, 0.0)).boxes(BOX).tolist()

    assert placed(-60.0) == [[0.0, 30.0, 20.0, 90.0]]  # half of it
    assert placed(-73.0) == [[0.0, 30.0, 7.0, 90.0]]  # 17.5 %
    assert placed(-75.0) == []  # 12.5 %
    assert placed(0.0, 0.09) == []  # 3.6 px wide


def read(data: str, **more: Any) -> BoxedImages:
    return read_boxed(DetectorSettings(data=(data,), samples=4, strict_data=True, **more))


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_a_sample_is_a_function_of_seed_and_number_alone(data, mosaic):
    images = read(data)
    sampler = Sampler(images, 64, mosaic, seed=3)
    kept = [sampler(index) for index in range(5)]
    pixels, boxes = Sampler(images, 64, mosaic, seed=3)(4)
    assert (pixels == kept[4][0]).all() and (boxes == kept[4][1]).all()
    for other in (Sampler(images, 64, mosaic, seed=4)(4), kept[3]):
        assert not (pixels == other[0]).all()
    batch = make_batch(kept)
    assert batch["inputs"].shape == (5, 3, 64, 64)
    for values in (batch["inputs"], batch["bboxes"]):
        assert values.min() >= 0 and values.max() <= 1
    assert len(batch["bboxes"]) == sum(len(boxes) for _, boxes in kept)


class Fixed:
    """A detector that always answers the same."""

    name = "fixed"

    def __init__(self, *boxes: tuple[float, ...]) -> None:
        rows = np.array(boxes)
        self._found = Detections(rows[:, :4], rows[:, 4])

    def __call__(self, images: Any) -> list[Detections]:
        return [self._found for _ in images]


def test_boxes_are_completed_by_people_whom_nobody_labelled():
    detector = Fixed(
        (5.0, 5, 100, 100, 0.9),  # the labelled one
        (10.0, 10, 30, 30, 0.9),  # a part of the labelled one
        (200.0, 0, 300, 100, 0.8),  # another
        (205.0, 0, 300, 100, 0.7),  # that one again
        (400.0, 0, 500, 100, 0.3),  # unsure
        (60.0, 0, 200, 100, 0.6),  # beside, overlapping a little
    )
    labelled = np.array([[0.0, 0, 100, 100]])
    found = completed(np.zeros((9, 9, 3), np.uint8), labelled, detector)
    assert found[:, 0].tolist() == [0, 200, 60]


def test_only_sets_with_one_box_an_image_are_completed_or_cut(data, monkeypatch, caplog):
    caplog.set_level("INFO", "livepose")
    whole, cut = read(data), read(f"{data}:one-boxed")
    assert cut.images[0].size < whole.images[0].size
    corner = Fixed((0.0, 0, 9, 9, 0.9))
    monkeypatch.setattr("livepose.training.detector.open_detector", lambda *a, **k: corner)
    full = read(f"{data}:one-boxed", complete_with="x.safetensors")
    assert full.boxes == 12
    assert full.images[0].size == whole.images[0].size
    assert any("fixed added 6 boxes to 6" in message for message in caplog.messages)
    with pytest.raises(UsageError, match="none of the sets"):
        read(data, complete_with="x.safetensors")


def test_a_resumed_run_ends_where_a_whole_one_does_and_is_a_detector(
    data, tmp_path, capsys, stopped_in
):
    def train(name, *more):
        start = ["train", "detector", "--runs", str(tmp_path), "--data", data, *SMALL]
        return main([*start, "--name", name, *more])

    other = tmp_path / "other.safetensors"
    long = ("--images", "4", "--warm-up-steps", "0")
    assert train("whole", *long, "--dev", data, "--export", str(other)) == 0
    stopped_in[1] = signal.SIGINT
    assert train("parts", *long) == 130
    assert train("parts", *long, "--resume", "--seed", "9") == 2
    assert "seed is 0 there and cannot become 9" in capsys.readouterr().err
    assert train("parts", *long, "--resume") == 0
    whole, parts = (read_checkpoint(tmp_path / run)["train_step"] for run in ("whole", "parts"))
    for kind in ("model", "ema"):
        assert all(torch.equal(one, parts[kind][name]) for name, one in whole[kind].items())
    log = read_log(tmp_path / "parts")
    assert [(entry["step"], entry["samples"]) for entry in log] == [(1, 2), (2, 4)]
    assert all(entry["loss"] > 0 and entry["samples_per_s"] > 0 for entry in log)

    assert set(read_log(tmp_path / "whole")[-1]["validation"]) == {"ap", "ap50"}
    detector = open_detector(other, "cpu")
    assert detector is not None
    [answer] = detector([np.zeros((96, 96, 3), np.uint8)])
    assert answer.boxes_xyxy.shape == (len(answer), 4)
    assert train("again", "--images", "2", "--init", str(other)) == 0
