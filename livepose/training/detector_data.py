"""COCO-form boxes of people as the dataset folder that ultralytics trains from.

Every box of a person counts, also those that a detector added (``label: teacher_box``). Sets in
which only one person a picture is boxed would teach that the others are none: their pictures are
cut around that one box.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.frame import ImageBgr
from livepose.training.annotations import numbers_of, read_annotations
from livepose.training.archive import Archive, is_hostile, open_archive
from livepose.training.people import SetSpec
from livepose.training.pictures import decode
from livepose.training.problems import Problems

PERSON = "person"
MIN_SIDE_PX = 4.0
CUT_MARGIN = 0.12
MIN_BACKGROUND_PX = 96
JPEG_QUALITY = 95


@dataclass(frozen=True)
class BoxSettings:
    """How pictures become a dataset."""

    one_boxed: tuple[str, ...] = ("lspet", "stanford40")  # sets (by path) with one box a picture
    backgrounds: float = 0.1  # share of pictures of which a part without people is added
    seed: int = 0


@dataclass(frozen=True)
class Dataset:
    """A dataset folder: the list of its pictures, how many there are, and how many boxes."""

    folder: Path
    list_file: Path
    one_picture: Path  # a list of one, where a trainer insists on a second set
    pictures: int
    boxes: int


class DatasetWriter:
    """Writes pictures and boxes into a folder as they are read."""

    def __init__(self, folder: Path, how: BoxSettings, problems: Problems) -> None:
        self._images, self._labels = folder / "images", folder / "labels"
        for part in (self._images, self._labels):
            part.mkdir(parents=True, exist_ok=True)
        self._folder, self._how, self._problems = folder, how, problems
        self._rng = np.random.default_rng(how.seed)
        self._names: list[str] = []
        self._boxes = 0

    def add_set(self, spec: SetSpec) -> None:
        """Add every usable picture of one set.

        Raises
        ------
        DataError
            When the set cannot be read, or (in strict mode) anything in it is wrong.
        """
        content = read_annotations(spec.annotations)
        archive = open_archive(spec.images)
        boxes = boxes_by_image(content, str(spec.annotations), self._problems)
        one_boxed = any(part in str(spec.annotations) for part in self._how.one_boxed)
        for entry in content["images"]:
            found = boxes.get(entry.get("id"))
            image = self._picture(entry, archive) if found else None
            if image is None or not found:
                continue
            here = np.array(found)
            # A weight of 1.5 draws every picture once and half of them twice.
            repeats = int(spec.weight + self._rng.random())
            if one_boxed:
                image, here = cut_around(image, here)
            elif self._rng.random() < self._how.backgrounds:
                self._add_background(image, here)
            for _ in range(repeats):
                self._write(image, here)

    def finish(self) -> Dataset:
        """Write the list of pictures.

        Raises
        ------
        DataError
            When there is none.
        """
        if not self._boxes:
            raise DataError(f"{self._folder}: none of the sets has a usable box of a person")
        lines = [f"./images/{name}\n" for name in self._names]
        list_file, one_picture = self._folder / "train.txt", self._folder / "one.txt"
        list_file.write_text("".join(lines))
        one_picture.write_text(lines[0])
        return Dataset(self._folder, list_file, one_picture, len(self._names), self._boxes)

    def _picture(self, entry: dict[str, Any], archive: Archive) -> ImageBgr | None:
        name, identity = str(entry.get("file_name")), f"image {entry.get('id')}"
        file = str(archive.path)
        if is_hostile(name):
            self._problems.add("hostile path", file, identity, repr(name))
            return None
        if name not in archive:
            self._problems.add("missing image", file, identity, f"{name} is not there")
            return None
        image = decode(archive.read(name))
        if image is None:
            self._problems.add("undecodable picture", file, identity, f"{name} is no picture")
            return None
        if image.shape[1::-1] != (entry.get("width"), entry.get("height")):
            detail = f"{name} is {image.shape[1]} x {image.shape[0]}"
            self._problems.add("picture of another size", file, identity, detail)
            return None
        return image

    def _add_background(self, image: ImageBgr, boxes: NDArray[np.float64]) -> None:
        part = without_people(image, boxes)
        if part is not None:
            self._write(part, np.empty((0, 4)))

    def _write(self, image: ImageBgr, boxes_xyxy: NDArray[np.float64]) -> None:
        stem = f"{len(self._names):06d}"
        path = self._images / f"{stem}.jpg"
        if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise DataError(f"{path}: the picture cannot be written; is the disk full?")
        rows = yolo_rows(boxes_xyxy, (image.shape[1], image.shape[0]))
        (self._labels / f"{stem}.txt").write_text("".join(f"{row}\n" for row in rows))
        self._names.append(path.name)
        self._boxes += len(rows)


def boxes_by_image(
    content: dict[str, Any], file: str, problems: Problems
) -> dict[Any, list[NDArray[np.float64]]]:
    """Boxes (4,), edges, of every person that is no crowd, by the id of the picture.

    Raises
    ------
    DataError
        When the file has no category for people, or (in strict mode) anything is wrong.
    """
    people = {c.get("id") for c in content["categories"] if c.get("name") == PERSON}
    if not people:
        raise DataError(f"{file}: expected a category named {PERSON}, found none")
    boxes: dict[Any, list[NDArray[np.float64]]] = {}
    for annotation in content["annotations"]:
        name = f"annotation {annotation.get('id')}"
        if annotation.get("category_id") not in people:
            problems.add("wrong category", file, name, "is no person")
            continue
        try:
            left, top, width, height = numbers_of(annotation, "bbox", (4,))
        except (KeyError, TypeError, ValueError) as error:
            problems.add("broken annotation", file, name, str(error))
            continue
        if not annotation.get("iscrowd") and min(width, height) >= MIN_SIDE_PX:
            box = np.array([left, top, left + width, top + height])
            boxes.setdefault(annotation.get("image_id"), []).append(box)
    return boxes


def yolo_rows(boxes_xyxy: NDArray[np.float64], size_wh: tuple[int, int]) -> list[str]:
    """``0 centre_x centre_y width height`` of every box, as shares of the picture."""
    limits = np.tile(np.array(size_wh, dtype=np.float64), 2)
    inside = np.clip(boxes_xyxy, 0, limits)
    wh = inside[:, 2:] - inside[:, :2]
    kept = inside[(wh >= MIN_SIDE_PX).all(axis=1)] / limits
    centre, span = (kept[:, :2] + kept[:, 2:]) / 2, kept[:, 2:] - kept[:, :2]
    return ["0 " + " ".join(f"{value:.6f}" for value in row) for row in np.hstack([centre, span])]


def cut_around(
    image: ImageBgr, boxes_xyxy: NDArray[np.float64]
) -> tuple[ImageBgr, NDArray[np.float64]]:
    """The part of a picture around its only box, and the box in it."""
    box = boxes_xyxy[0]
    margin = CUT_MARGIN * (box[2:] - box[:2]).max()
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(box[:2] - margin), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(box[2:] + margin), [left + 1, top + 1], [width, height])
    part = image[top : int(bottom), left : int(right)]
    return part, boxes_xyxy[:1] - np.array([left, top, left, top])


def without_people(image: ImageBgr, boxes_xyxy: NDArray[np.float64]) -> ImageBgr | None:
    """The largest strip beside, above or below all boxes; None where none is wide enough."""
    left, top = np.floor(boxes_xyxy[:, :2].min(axis=0)).astype(int)
    right, bottom = np.ceil(boxes_xyxy[:, 2:].max(axis=0)).astype(int)
    strips = [
        image[:, : max(left, 0)],
        image[:, max(right, 0) :],
        image[: max(top, 0)],
        image[max(bottom, 0) :],
    ]
    best = max(strips, key=lambda strip: strip.shape[0] * strip.shape[1])
    return best if min(best.shape[:2]) >= MIN_BACKGROUND_PX else None


def write_dataset(
    specs: Iterable[SetSpec], folder: Path, how: BoxSettings, problems: Problems
) -> Dataset:
    """The people of all sets as a dataset folder.

    Raises
    ------
    DataError
        When a set cannot be read, has no person, or (in strict mode) anything is wrong.
    """
    writer = DatasetWriter(folder, how, problems)
    for spec in specs:
        writer.add_set(spec)
    return writer.finish()
