"""A small keypoint set, drawn: coloured dots as joints on noise."""

import json
import os
import zipfile

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from livepose.evaluation.dataset import Problems
from livepose.skeletons import COCO17
from livepose.training.data import parse_set, read_set
from livepose.training.train_step import TrainStep

IMAGES = 6
SIZE_WH = (120, 160)


def draw_person(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image and 17 points in it."""
    image = rng.integers(0, 80, (*SIZE_WH[::-1], 3), dtype=np.uint8)
    xy = rng.uniform([20, 20], [100, 140], (17, 2))
    for index, point in enumerate(xy):
        colour = cv2.applyColorMap(np.uint8([[index * 15]]), 2)[0, 0].tolist()
        cv2.circle(image, tuple(point.astype(int).tolist()), 5, colour, -1)
    return image, xy


def annotation(number: int, xy: np.ndarray) -> dict:
    """The person of that image."""
    low, wh = xy.min(axis=0) - 8, np.ptp(xy, axis=0) + 16
    return {
        **{"id": number, "image_id": number, "category_id": 1, "label": "human"},
        **{"bbox": [*low.tolist(), *wh.tolist()], "area": float(wh.prod()), "num_keypoints": 17},
        "keypoints": np.insert(xy, 2, 2.0, axis=1).ravel().tolist(),
    }


@pytest.fixture
def drawn_set(tmp_path):
    """A folder with images.zip and annotations.json."""
    folder, rng = tmp_path / "set", np.random.default_rng(0)
    folder.mkdir()
    people, names = [], [f"{number}.png" for number in range(IMAGES)]
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for number, name in enumerate(names):
            image, xy = draw_person(rng)
            archive.writestr(name, cv2.imencode(".png", image)[1].tobytes())
            people.append(annotation(number, xy))
    size = {"width": SIZE_WH[0], "height": SIZE_WH[1]}
    content = {
        "images": [{"id": n, "file_name": name, **size} for n, name in enumerate(names)],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def data(drawn_set):
    """The same, as ``--data`` takes it."""
    return f"{drawn_set / 'images.zip'}:{drawn_set / 'annotations.json'}"


@pytest.fixture
def people(data):
    """Everybody in it."""
    return read_set(parse_set(data), COCO17, Problems(strict=True))


class TinyNetwork(nn.Module):
    """Inputs (B, 3, h, w) to (B, K, h / 4, w / 4), small enough for a test."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, 2, 1)
        self.final_layer = nn.Conv2d(16, keypoints, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.bn1(self.conv1(images)))
        return self.final_layer(torch.relu(self.conv2(features)))


@pytest.fixture
def tiny_network(monkeypatch):
    """Trainings of this test learn, write and load a tiny network instead of HRNet."""
    for place in ("training.pose", "weights.checkpoint"):
        build = lambda name, keypoints: TinyNetwork(keypoints)  # noqa: E731
        monkeypatch.setattr(f"livepose.{place}.build_network", build)


@pytest.fixture
def stopped_in(monkeypatch):
    """Steps in whose middle a signal comes, once each."""
    signals, learn = {}, TrainStep.step

    def step(self, batch, step, *more):
        if step + 1 in signals:
            os.kill(os.getpid(), signals.pop(step + 1))
        return learn(self, batch, step, *more)

    monkeypatch.setattr(TrainStep, "step", step)
    return signals
