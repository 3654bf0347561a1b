"""A set of drawn images whose people are bright spots, and a runtime that sees spots."""

import io
import json
import zipfile
from collections.abc import Callable
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
        keypoints = len(SKELETONS[skeleton].keypoints)
        self.card = Card(
            "hrnet_w32", (128, 96), skeleton=skeleton, keypoints=keypoints, alignment=alignment
        )
        self.batches: list[int] = []

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops_bgr))
        grey = crops_bgr.mean(axis=3, dtype=np.float32) / 255
        cells = grey.reshape(len(grey), 32, 4, 24, 4).mean(axis=(2, 4))
        return np.repeat(cells[:, None], self.card.keypoints, axis=1).astype(np.float32)

    def warm_up(self, batch_sizes: Any = ()) -> None:
        """Nothing to warm up."""


def spot(image: np.ndarray, xy: tuple[float, float]) -> None:
    """Adds a bright Gaussian spot."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    square = (columns - xy[0]) ** 2 + (rows - xy[1]) ** 2
    bright = 255 * np.exp(-square / (2 * SPOT_SIGMA_PX**2))
    np.copyto(image, np.maximum(image, bright.round().astype(np.uint8)[..., None]))


def person(number: int, image_id: int, xy: tuple[float, float]) -> dict[str, Any]:
    """Somebody of 40 x 60 px whose keypoints all lie in one spot."""
    x, y = xy
    return {
        **{"id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0},
        **{"bbox": [x - 22.0, y - 33.0, 40.0, 60.0], "area": 1300.0},
        **{"num_keypoints": 17, "keypoints": [x, y, 2.0] * 17},
    }


def drawn_set(folder: Path, all_images: int, as_zip: bool) -> tuple[Path, Path, dict[str, Any]]:
    """Writes images and annotations; two people an image, the last image has one."""
    random = np.random.default_rng(5)
    images = folder / ("images.zip" if as_zip else "images")
    document: dict[str, Any] = {"images": [], "annotations": []}
    files: dict[str, bytes] = {}
    for number in range(all_images):
        name = f"{number:03d}.png"
        image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
        centres = [(35.0, 60.0), (115.0, 60.0)][: 1 if number == all_images - 1 else 2]
        for centre in centres:
            xy = (centre[0] + random.uniform(-5, 5), centre[1] + random.uniform(-5, 5))
            spot(image, xy)
            people = document["annotations"]
            people.append(person(len(people), 100 + number, xy))
        files[name] = cv2.imencode(".png", image)[1].tobytes()
        document["images"].append(
            {"id": 100 + number, "file_name": name, "width": SIZE_WH[0], "height": SIZE_WH[1]}
        )
    store(files, images, as_zip)
    annotations = folder / "annotations.json"
    annotations.write_text(json.dumps(document))
    return images, annotations, document


def store(files: dict[str, bytes], place: Path, as_zip: bool) -> None:
    """Writes files into a folder, or into a folder of a ZIP."""
    if not as_zip:
        place.mkdir()
        for name, content in files.items():
            (place / name).write_bytes(content)
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"val/{name}", content)
    place.write_bytes(packed.getvalue())


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., tuple[Path, Path, dict[str, Any]]]:
    """``make_set(images=4, as_zip=False)``: images, annotation file, document."""

    def make(images: int = 4, as_zip: bool = False) -> tuple[Path, Path, dict[str, Any]]:
        return drawn_set(tmp_path, images, as_zip)

    return make
