"""The person detector: its dataset, and a very short training."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livepose.cli import main
from livepose.errors import DataError
from livepose.training import detector_training
from livepose.training.detector_data import (
    BoxSettings,
    cut_around,
    without_people,
    write_dataset,
    yolo_rows,
)
from livepose.training.log import read_log
from livepose.training.people import SetSpec
from livepose.training.problems import Problems


def spec(folder: Path, weight: float = 1.0) -> SetSpec:
    return SetSpec(folder / "images.zip", folder / "annotations.json", weight)


def test_every_box_becomes_a_row_in_shares_of_the_picture() -> None:
    boxes = np.array([[10.0, 20, 30, 60], [-10, 0, 50, 100], [5, 5, 6, 6]])
    rows = yolo_rows(boxes, (100, 200))
    assert rows == [
        "0 0.200000 0.200000 0.200000 0.200000",
        "0 0.250000 0.250000 0.500000 0.500000",
    ]


def test_a_set_becomes_a_dataset(drawn_set: Path, tmp_path: Path) -> None:
    dataset = write_dataset([spec(drawn_set)], tmp_path / "out", BoxSettings(), Problems(True))
    assert dataset.boxes == 6
    assert dataset.pictures >= 6
    lines = dataset.list_file.read_text().splitlines()
    assert all((dataset.folder / line).is_file() for line in lines)
    label = dataset.folder / "labels" / Path(lines[0]).with_suffix(".txt").name
    assert len(label.read_text().split()) == 5


def test_boxes_that_a_detector_added_count_as_people(drawn_set: Path, tmp_path: Path) -> None:
    file = drawn_set / "annotations.json"
    content = json.loads(file.read_text())
    content["annotations"].append(
        {"id": 99, "image_id": 0, "category_id": 1, "bbox": [1, 1, 40, 40], "label": "teacher_box"}
    )
    file.write_text(json.dumps(content))
    dataset = write_dataset([spec(drawn_set)], tmp_path / "out", BoxSettings(), Problems(True))
    assert dataset.boxes == 7


def test_a_weight_repeats_pictures(drawn_set: Path, tmp_path: Path) -> None:
    how = BoxSettings(backgrounds=0)
    dataset = write_dataset([spec(drawn_set, 2.0)], tmp_path / "out", how, Problems(True))
    assert dataset.pictures == 12


def test_a_picture_with_one_box_of_several_people_is_cut_around_it() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:60, 50:90] = 255
    part, box = cut_around(image, np.array([[50.0, 20, 90, 60]]))
    left, top, right, bottom = box[0].astype(int)
    assert part.shape == (50, 50, 3)
    assert (part[top:bottom, left:right] == 255).all()
    assert (part == 255).sum() == 40 * 40 * 3


def test_a_background_holds_nobody() -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    image[50:280, 250:390] = 255
    part = without_people(image, np.array([[250.0, 50, 390, 280]]))
    assert part is not None
    assert part.shape == (300, 250, 3)
    assert not part.any()
    assert without_people(image, np.array([[50.0, 50, 390, 280]])) is None


def test_bad_boxes_are_named(drawn_set: Path, tmp_path: Path) -> None:
    file = drawn_set / "annotations.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"] = [1, 2, 3]
    content["annotations"][1]["category_id"] = 5
    content["images"][2]["file_name"] = "../x.png"
    content["images"][3]["file_name"] = "gone.png"
    file.write_text(json.dumps(content))
    problems = Problems()
    dataset = write_dataset([spec(drawn_set)], tmp_path / "out", BoxSettings(), problems)
    assert dataset.boxes == 2
    assert set(problems.counts) == {
        *("broken annotation", "wrong category", "hostile path", "missing image")
    }
    with pytest.raises(DataError):
        write_dataset([spec(drawn_set)], tmp_path / "strict", BoxSettings(), Problems(True))


def test_a_set_without_people_is_refused(drawn_set: Path, tmp_path: Path) -> None:
    file = drawn_set / "annotations.json"
    content = json.loads(file.read_text())
    content["categories"][0]["name"] = "dog"
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="expected a category named person"):
        write_dataset([spec(drawn_set)], tmp_path / "out", BoxSettings(), Problems())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_detector_is_trained_resumed_and_loaded_without_unpickling(
    drawn_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livepose.detection.checkpoint import load_detector
    from livepose.detection.protocol import DetectorInfo

    data = f"{drawn_set / 'images.zip'}:{drawn_set / 'annotations.json'}"
    small = ("--input-px", "64", "--batch", "2", "--threads", "1", "--epochs", "2")
    command = ["train", "detector", "--runs", str(tmp_path), "--name", "small", "--data", data]
    save = detector_training._Watcher.on_model_save

    def save_and_press_ctrl_c(self: Any, trainer: Any) -> None:
        save(self, trainer)
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(detector_training._Watcher, "on_model_save", save_and_press_ctrl_c)
        assert main([*command, *small]) == 130
    assert main([*command, *small]) == 2
    assert main([*command, *small, "--resume"]) == 0
    assert [entry["step"] for entry in read_log(tmp_path / "small")] == [1, 2]
    loaded = load_detector(tmp_path / "small" / "detector.safetensors")
    assert loaded.info == DetectorInfo(0, 1, 64)
    assert "torchvision" not in sys.modules
