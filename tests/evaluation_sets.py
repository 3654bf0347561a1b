"""A set of drawn images whose people are bright spots, and a runtime that sees spots."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from livepose.skeletons import SKELETONS
from livepose.weights import Card

SIZE_WH = (160, 120)
SPOT_SIGMA_PX = 4.0


class SpotRuntime:
    """The heatmap of every keypoint is the crop itself, seen in cells of 4 x 4 pixels."""

    name, device, precision = "spots", "cpu", "f32"

    def __init__(self, alignment: str = "pixel_centre", skeleton: str = "coco17") -> None:
        own = {"skeleton": skeleton, "keypoints": len(SKELETONS[skeleton].keypoints)}
        self.card = Card("hrnet_w32", (128, 96), alignment=alignment, **own)
        self.batches: list[int] = []

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops_bgr))
        grey = crops_bgr.mean(axis=3, dtype=np.float32) / 255
        cells = grey.reshape(len(grey), 32, 4, 24, 4).mean(axis=(2, 4))
        return np.repeat(cells[:, None], self.card.keypoints, axis=1).astype(np.float32)

    def warm_up(self, batch_sizes: Any = ()) -> None:
        """Nothing to warm up."""


def spots_at(places_xy: list[tuple[float, float]]) -> np.ndarray:
    """An image with bright Gaussian spots."""
    rows, columns = np.mgrid[: SIZE_WH[1], : SIZE_WH[0]]
    squares = [(columns - x) ** 2 + (rows - y) ** 2 for x, y in places_xy]
    bright = 255 * np.exp(-np.minimum.reduce(squares) / (2 * SPOT_SIGMA_PX**2))
    return np.repeat(bright.round().astype(np.uint8)[..., None], 3, axis=2)


def person(number: int, image_id: int, xy: tuple[float, float]) -> dict[str, Any]:
    """Somebody of 40 x 60 px whose keypoints all lie in one spot."""
    x, y = xy
    return {
        **{"id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0},
        **{"bbox": [x - 22.0, y - 33.0, 40.0, 60.0], "area": 1300.0},
        **{"num_keypoints": 17, "keypoints": [x, y, 2.0] * 17},
    }


def drawn_set(folder: Path, count: int, as_zip: bool) -> tuple[Path, Path, dict[str, Any]]:
    """Writes images and annotations; two people an image, the last image has one."""
    random, images, people = np.random.default_rng(5), folder / "images", []
    images.mkdir()
    document: dict[str, Any] = {"images": [], "annotations": people}
    for number in range(count):
        name = f"{number:03d}.png"
        places = [(x + random.uniform(-5, 5), 60 + random.uniform(-5, 5)) for x in (35.0, 115.0)]
        places = places[: 1 if number == count - 1 else 2]
        cv2.imwrite(str(images / name), spots_at(places))
        people += [person(len(people) + n, 100 + number, xy) for n, xy in enumerate(places)]
        size = {"width": SIZE_WH[0], "height": SIZE_WH[1]}
        document["images"].append({"id": 100 + number, "file_name": name, **size})
    annotations = folder / "annotations.json"
    annotations.write_text(json.dumps(document))
    if as_zip:
        images = Path(shutil.make_archive(str(images), "zip", folder, images.name))
    return images, annotations, document


@pytest.fixture
def make_set(tmp_path):
    """``make_set(images=4, as_zip=False)``: images, annotation file, document."""
    return lambda images=4, as_zip=False: drawn_set(tmp_path, images, as_zip)


@pytest.fixture
def spots(monkeypatch):
    """Every evaluation opens the runtime that sees spots; the list is told what was asked for."""
    asked: list[Any] = []

    def opened(weights: str, *names: str, input_hw: object = None) -> SpotRuntime:
        asked.append((weights, input_hw, *names))
        return SpotRuntime()

    monkeypatch.setattr("livepose.evaluation.run.open_runtime", opened)
    return asked


def options(images: Path, annotations: Path, *more: str) -> list[str]:
    """What every evaluation is told."""
    return ["--images", str(images), "--annotations", str(annotations), *more]


def evaluated(main: Any, words: list[str], folder: Path) -> dict[str, Any]:
    """What a command without speed writes as JSON."""
    out = folder / "out.json"
    assert main([*words, "--no-speed", "--json", str(out)]) == 0
    document: dict[str, Any] = json.loads(out.read_text())
    return document
