"""The one reader of annotations in COCO's form.

What is wrong goes to ``Problems``, which skips and counts it (training) or refuses it
(evaluation). What comes out holds only finite numbers and images that are listed.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.archive import Archive
from livepose.skeletons import COCO17, Skeleton

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Columns = NDArray[np.int64]
PERSON = "person"
SHOWN_PER_KIND = 5
MAX_SIDE_PX, MAX_NUMBER = 100_000, 1e9


@dataclass
class Problems:
    """Says what is wrong with a set; in strict mode the first problem is an error."""

    strict: bool = False
    advice: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def add(self, kind: str, where: str, detail: str) -> None:
        """Note one problem; ``where`` names the file and the entry. DataError in strict mode."""
        message = f"{kind}: {where}: {detail}"
        if self.strict:
            raise DataError(message + self.advice)
        self.first = self.first or message
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_PER_KIND:
            logger.warning(f"skipped {message}")

    def tell(self) -> None:
        """Say how many there were of the kinds that were not shown in full."""
        for kind, count in sorted(self.counts.items()):
            if count > SHOWN_PER_KIND:
                logger.warning(f"skipped {count} in all: {kind}")

    def reason(self) -> str:
        """Why nothing may be left: the kinds with their counts, and the first message."""
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.counts.most_common())
        return f"; left out: {kinds} (first: {self.first})" if kinds else ""


@dataclass(frozen=True)
class Image:
    """One image of a set."""

    id: int
    file_name: str
    size_wh: tuple[int, int] | None = None


@dataclass(frozen=True)
class Person:
    """One annotation: edges (4,), keypoints (K, 3) over the wanted skeleton, area in px² or NaN.

    ``image`` indexes the images, ``name`` is for messages, ``columns`` the place of each of the
    file's keypoints in the skeleton (-1: none), ``entry`` what the file says.
    """

    image: int
    name: str
    box_xyxy: Floats
    keypoints: Floats
    area: float
    is_crowd: bool
    columns: Columns
    entry: Mapping[str, Any]

    @property
    def wh_px(self) -> Floats:
        """Width and height of the box."""
        return self.box_xyxy[2:] - self.box_xyxy[:2]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which keypoints have a human's label, (K,)."""
        return np.asarray(self.keypoints[:, 2] > 0)


@dataclass(frozen=True)
class Dataset:
    """The images of a set and everybody in them, in the order of the images."""

    path: Path
    images: tuple[Image, ...]
    everybody: tuple[Person, ...]

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """Those with labelled keypoints who are no crowd: they can be scored."""
        return tuple(one for one in self.everybody if one.labelled.any() and not one.is_crowd)

    @cached_property
    def people_by_image(self) -> list[list[Person]]:
        """The same, image by image."""
        rows: list[list[Person]] = [[] for _ in self.images]
        for one in self.people:
            rows[one.image].append(one)
        return rows

    def keypoints(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Positions (P, K, 2) in px, NaN where not labelled, and what is labelled (P, K)."""
        rows = np.array([person.keypoints for person in self.people])
        labelled = rows[..., 2] > 0
        return np.where(labelled[..., None], rows[..., :2], np.nan), labelled

    def document(self) -> dict[str, Any]:
        """As pycocotools takes it, with one category."""
        return {
            "images": [{"id": image.id} for image in self.images],
            "categories": [{"id": 1, "name": PERSON}],
            "annotations": [
                {
                    "image_id": self.images[one.image].id,
                    "category_id": 1,
                    "bbox": [*one.box_xyxy[:2].tolist(), *one.wh_px.tolist()],
                    "area": one.area if one.area > 0 else float(np.prod(one.wh_px)),
                    "iscrowd": int(one.is_crowd),
                    "num_keypoints": int(one.labelled.sum()),
                    "keypoints": one.keypoints.ravel().tolist(),
                }
                for one in self.everybody
            ],
        }


def read_json(path: Path, what: str) -> Any:
    """The document in a JSON file; DataError with ``what`` it should have been."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{what} {path} cannot be read: {error.strerror or error}") from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{what} {path} is not JSON, or nested too deeply: {error}") from error


def read_dataset(
    path: Path, problems: Problems | None = None, skeleton: Skeleton | None = COCO17
) -> Dataset:
    """Reads and checks a whole set; without a skeleton its boxes alone, without ``problems``
    strictly. DataError when the file cannot be read, is of another form, or has other keypoints.
    """
    document = read_json(path, "annotation file")
    lists = {"categories": [], **document} if isinstance(document, dict) else {}
    for name in ("images", "annotations", "categories"):
        if not isinstance(lists.get(name), list):
            raise DataError(f"{path}: expected COCO's form with a list of {name}")
    reader = _Reader(path, problems or Problems(strict=True), skeleton)
    columns = reader.columns([one for one in lists["categories"] if isinstance(one, dict)])
    images = reader.images(lists["images"])
    places = {identity: place for place, identity in enumerate(images)}
    found = (reader.person(entry, places, columns) for entry in lists["annotations"])
    people = sorted((one for one in found if one is not None), key=lambda one: one.image)
    return Dataset(path, tuple(images.values()), tuple(people))


def load_annotations(
    path: Path, limit: int | None = None, skeleton: Skeleton | None = COCO17
) -> Dataset:
    """A set to be scored, at most ``limit`` images of it.

    DataError when anything at all is wrong with it, or it holds nobody.
    """
    whole = read_dataset(path, skeleton=skeleton)
    images = whole.images[:limit]
    chosen = Dataset(path, images, tuple(one for one in whole.everybody if one.image < len(images)))
    if not images:
        raise DataError(f"{path} lists no images: there is nothing to score")
    if skeleton and not chosen.people:
        raise DataError(
            f"{path}: nobody in {len(images)} image(s) has labelled keypoints;"
            " COCO's are in person_keypoints_*.json, not in instances_*.json"
        )
    for one in chosen.people:
        if not one.area > 0:
            area = one.entry.get("area")
            raise DataError(f"{one.name}: area: expected a number above 0, got {area!r}")
    return chosen


def open_people(
    images: Path, annotations: Path, limit: int | None = None, skeleton: Skeleton | None = COCO17
) -> tuple[Dataset, Archive]:
    """A set to be scored and its images; what is wrong with them is found before any work."""
    dataset = load_annotations(annotations, limit, skeleton)
    return dataset, Archive(images, [image.file_name for image in dataset.images])


class _Reader:
    """One file, entry by entry."""

    def __init__(self, path: Path, problems: Problems, skeleton: Skeleton | None) -> None:
        self._path, self._problems = path, problems
        self._wanted: Sequence[str] = skeleton.keypoints if skeleton else ()

    def columns(self, categories: list[Mapping[str, Any]]) -> dict[Any, Columns | None]:
        """By category where its keypoints stand in the skeleton; None for what is no person."""
        if not categories:
            return {1: np.arange(len(self._wanted))}
        columns = {_id(one.get("id")): self._places(one) for one in categories}
        if all(found is None for found in columns.values()):
            raise DataError(
                f"{self._path}: expected a category named {PERSON}, or with keypoints such as "
                f"{', '.join(self._wanted[:3])}; found none"
            )
        return columns

    def _places(self, category: Mapping[str, Any]) -> Columns | None:
        names, wanted = category.get("keypoints"), self._wanted
        if not (isinstance(names, list) and names):
            return np.arange(len(wanted)) if category.get("name") == PERSON else None
        if wanted and (unknown := [str(name) for name in names if name not in wanted]):
            logger.warning(f"keypoints that the skeleton lacks are left out: {', '.join(unknown)}")
        found = [wanted.index(name) if name in wanted else -1 for name in names]
        return np.array(found) if max(found) >= 0 or not wanted else None

    def images(self, entries: list[Any]) -> dict[Any, Image]:
        """By id; ids become numbers where one is none."""
        found: dict[Any, Image] = {}
        for entry in entries:
            try:
                identity, image = _image(entry)
                if identity in found:
                    raise ValueError(f"two images of one id: also {image.file_name}")
                found[identity] = image
            except ValueError as error:
                where = f"{self._path}, image {_name(entry)}"
                self._problems.add("broken image entry", where, str(error))
        if all(isinstance(identity, int) for identity in found):
            return found
        numbered = enumerate(found.items(), 1)
        return {identity: replace(one, id=number) for number, (identity, one) in numbered}

    def person(
        self, entry: Any, places: Mapping[Any, int], columns: Mapping[Any, Columns | None]
    ) -> Person | None:
        """The person; None for what another category holds, or what is wrong."""
        name, kind = f"{self._path}: annotation {_name(entry)}", "broken annotation"
        try:
            if not isinstance(entry, dict):
                raise ValueError(f"expected an object, got {entry!r:.40}")
            category, image = _id(entry.get("category_id", 1)), _id(entry.get("image_id"))
            if category not in columns:
                kind = "wrong category"
                raise ValueError(f"category {entry.get('category_id')!r:.40} is not listed")
            own = columns[category]
            if own is None:
                return None
            if image not in places:
                kind = "person without image"
                raise ValueError(f"image_id {entry.get('image_id')!r:.40} is not listed")
            box, keypoints = numbers(entry, "bbox", 4), self._keypoints(entry, own)
            if entry.get("iscrowd") not in (None, 0, 1):
                raise ValueError(f"iscrowd: expected 0 or 1, got {entry['iscrowd']!r:.40}")
            if keypoints[:, 2].any() and not box[2:].min() > 0:
                raise ValueError(f"bbox: expected a width and height above 0, got {box[2:]}")
            area = np.nan if entry.get("area") is None else single(entry, "area")
        except ValueError as error:
            self._problems.add(kind, name, str(error))
            return None
        edges, is_crowd = np.concatenate([box[:2], box[:2] + box[2:]]), entry.get("iscrowd") == 1
        return Person(places[image], name, edges, keypoints, area, is_crowd, own, entry)

    def _keypoints(self, entry: Mapping[str, Any], own: Columns) -> Floats:
        count = len(self._wanted)
        if not count or entry.get("keypoints") in (None, []):
            return np.zeros((count, 3))
        found = numbers(entry, "keypoints", 3 * len(own)).reshape(-1, 3)
        if not np.isin(found[:, 2], (0, 1, 2)).all():
            raise ValueError("keypoints: expected 0, 1 or 2 as every third number")
        return placed(found, own, count)


def _image(entry: Any) -> tuple[Any, Image]:
    """Its id, and the image; ValueError says what is wrong."""
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object, got {entry!r:.40}")
    identity, name = _id(entry.get("id")), entry.get("file_name")
    if identity is None:
        raise ValueError(f"id: expected a number or a text, got {entry.get('id')!r:.40}")
    if not isinstance(name, str) or not name:
        raise ValueError(f"file_name: expected a text, got {name!r:.40}")
    size, sides = None, ("width", "height")
    if any(entry.get(side) is not None for side in sides):
        wide, high = (single(entry, side) for side in sides)
        if not (1 <= wide <= MAX_SIDE_PX and 1 <= high <= MAX_SIDE_PX):
            raise ValueError(f"width and height: expected whole pixels, got {[wide, high]}")
        size = (round(wide), round(high))
    return identity, Image(identity if isinstance(identity, int) else 0, name, size)


def numbers(entry: Mapping[str, Any], field: str, count: int) -> Floats:
    """A list of ``count`` finite numbers; ValueError names the field where it is anything else."""
    found = entry.get(field)
    if not isinstance(found, list) or len(found) != count:
        got = f"{len(found)} entries" if isinstance(found, list) else f"{found!r:.40}"
        raise ValueError(f"{field}: expected {count} numbers, got {got}")
    if not all(type(value) in (int, float) for value in found):
        raise ValueError(f"{field}: holds what is no number")
    try:
        values = np.array(found, dtype=np.float64)
    except OverflowError as error:
        raise ValueError(f"{field}: holds a number that is too large") from error
    if not (np.abs(values) <= MAX_NUMBER).all():
        raise ValueError(f"{field}: holds a number that is not finite")
    return values


def single(entry: Mapping[str, Any], field: str) -> float:
    """One finite number; ValueError names the field where it is anything else."""
    return float(numbers({field: [entry.get(field)]}, field, 1)[0])


def placed(values: Floats, columns: Columns, count: int, missing: float = 0.0) -> Floats:
    """Rows of the file's keypoints moved to their places in a skeleton of ``count``."""
    out = np.full((count, *values.shape[1:]), missing)
    out[columns[columns >= 0]] = values[columns >= 0]
    return out


def _id(value: Any) -> int | str | None:
    """Ids as numbers where they can be: ``"7"`` and 7 are one; None for what is no id."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if type(value) in (int, str) else None


def _name(entry: Any) -> str:
    return f"{entry.get('id')!r:.40}" if isinstance(entry, dict) else f"{entry!r:.40}"
