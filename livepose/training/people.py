"""The people of any number of COCO-form keypoint sets, as plain arrays over one skeleton.

A set is ``IMAGES:ANNOTATIONS[:WEIGHT]``: a zip or folder of pictures and a COCO-form JSON file.
Its keypoints are mapped onto the output skeleton by name; those that it does not have are left
out of the loss. Positions are picture pixels, integers at pixel centres.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.skeletons import Skeleton
from livepose.training.annotations import Annotation, read_annotations
from livepose.training.archive import Archive, is_hostile, open_archive
from livepose.training.labels import LabelRules, merge, teacher_weights
from livepose.training.pictures import Pictures, PictureSource
from livepose.training.problems import Problems

logger = logging.getLogger(__name__)
Floats = NDArray[np.float64]
MIN_BOX_PX = 12.0
MIN_KEYPOINTS = 3
OUTSIDE_TOLERANCE_PX = 1.0


@dataclass(frozen=True)
class SetSpec:
    """One keypoint set: where its pictures and annotations are, and how much it counts."""

    images: Path
    annotations: Path
    weight: float = 1.0


def parse_set(text: str) -> SetSpec:
    """Read ``IMAGES:ANNOTATIONS[:WEIGHT]``.

    Raises
    ------
    UsageError
        When it is something else, or the weight is no positive number.
    """
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise UsageError(
            f"--data: expected images.zip|dir:annotations.json[:weight] or pack:FILE, got {text!r}"
        )
    try:
        weight = float(parts[2]) if len(parts) == 3 else 1.0
    except ValueError as error:
        raise UsageError(f"--data {text}: expected a number as weight, got {parts[2]!r}") from error
    if not (np.isfinite(weight) and weight > 0):
        raise UsageError(f"--data {text}: expected a weight above 0, got {weight}")
    return SetSpec(Path(parts[0]), Path(parts[1]), weight)


@dataclass(frozen=True)
class People:
    """N people of K keypoints, ready to be drawn from.

    ``xy`` (N, K, 2) and ``weights`` (N, K), 0 where a keypoint has no label. ``boxes_xyxy``
    (N, 4), edges. ``picture`` (N,) indexes ``pictures``. ``windows_xyxy`` (N, 4) is what of the
    picture exists, in edges: all of it. ``draw_weights`` (N,) is how often each is drawn.
    ``names`` says where each comes from.
    """

    pictures: Pictures
    picture: NDArray[np.int64]
    boxes_xyxy: Floats
    xy: Floats
    weights: Floats
    windows_xyxy: Floats
    draw_weights: Floats
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def select(self, which: NDArray[Any]) -> "People":
        """The people at these indices (or where this mask is true)."""
        rows = np.arange(len(self))[which]
        return People(
            self.pictures,
            self.picture[rows],
            self.boxes_xyxy[rows],
            self.xy[rows],
            self.weights[rows],
            self.windows_xyxy[rows],
            self.draw_weights[rows],
            tuple(self.names[row] for row in rows),
        )


def join(parts: Sequence[People]) -> People:
    """Several sets as one; every person keeps its own draw weight."""
    offsets = np.cumsum([0, *(len(part.pictures) for part in parts)])
    kept = [source for part in parts for source in part.pictures.sources]
    pictures = Pictures(kept)
    pictures.adopt([part.pictures for part in parts])
    return People(
        pictures,
        np.concatenate([part.picture + start for part, start in zip(parts, offsets, strict=False)]),
        np.concatenate([part.boxes_xyxy for part in parts]),
        np.concatenate([part.xy for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.windows_xyxy for part in parts]),
        np.concatenate([part.draw_weights for part in parts]),
        tuple(name for part in parts for name in part.names),
    )


@dataclass(frozen=True)
class _Row:
    """One person while a set is read."""

    picture: int
    box_xyxy: Floats
    xy: Floats
    weights: Floats
    name: str


class SetReader:
    """Reads one keypoint set, noting what is wrong with it."""

    def __init__(
        self,
        spec: SetSpec,
        skeleton: Skeleton,
        problems: Problems,
        noisy: bool = False,
        rules: LabelRules | None = None,
    ) -> None:
        self.spec = spec
        self.skeleton = skeleton
        self.problems = problems
        self.noisy = noisy
        self.rules = rules or LabelRules()
        self.file = str(spec.annotations)
        self._bad: set[int] = set()

    def read(self, cache: str = "decoded", workers: int = 2) -> People:
        """All usable people of the set, their pictures loaded.

        Raises
        ------
        DataError
            When the files are missing or broken, the set has no usable keypoint label, or (in
            strict mode) anything at all is wrong.
        """
        content = read_annotations(self.spec.annotations)
        archive = open_archive(self.spec.images)
        columns = self._columns_by_category(content["categories"])
        images = self._images(content["images"], archive)
        pictures = Pictures(list(images.values()), cache)
        self._drop_bad_pictures(images, pictures, workers)
        index_of = {identity: index for index, identity in enumerate(images)}
        rows = [
            row
            for annotation in content["annotations"]
            if (row := self._person(annotation, index_of, pictures, columns)) is not None
        ]
        if not rows:
            raise DataError(
                f"{self.file}: an unlabelled set: none of its {len(content['annotations'])} "
                f"annotations has {MIN_KEYPOINTS} usable keypoints of {self.skeleton.name}"
            )
        return self._people(pictures, rows)

    def _columns_by_category(self, categories: list[Any]) -> dict[Any, NDArray[np.int64]]:
        """For each person category the output index of each of its keypoints (-1: none)."""
        wanted = {name: index for index, name in enumerate(self.skeleton.keypoints)}
        columns = {}
        for category in categories:
            names = category.get("keypoints")
            if names:
                self._name_unknown(names)
                columns[category.get("id")] = np.array([wanted.get(name, -1) for name in names])
        if not any((found >= 0).any() for found in columns.values()):
            raise DataError(
                f"{self.file}: expected a category whose keypoints are named as those of "
                f"{self.skeleton.name}, found none"
            )
        return columns

    def _name_unknown(self, names: list[Any]) -> None:
        """Says which keypoints of a set go unused: a name spelt otherwise would go unseen."""
        if unknown := self.skeleton.unknown(names):
            what = ", ".join(map(str, unknown))
            logger.warning(f"{self.file}: left out, {self.skeleton.name} does not have: {what}")

    def _images(self, entries: list[Any], archive: Archive) -> dict[Any, PictureSource]:
        images: dict[Any, PictureSource] = {}
        for entry in entries:
            try:
                identity, name = entry["id"], str(entry["file_name"])
                size_wh = (int(entry["width"]), int(entry["height"]))
            except (KeyError, TypeError, ValueError) as error:
                self.problems.add("broken image entry", self.file, repr(entry)[:80], repr(error))
                continue
            if is_hostile(name):
                self.problems.add("hostile path", self.file, f"image {identity}", repr(name))
            elif name not in archive:
                detail = f"{name} is not in {archive.path}"
                self.problems.add("missing image", self.file, f"image {identity}", detail)
            else:
                images[identity] = PictureSource(
                    str(archive.path), f"image {identity} ({name})", size_wh, _reader(archive, name)
                )
        return images

    def _drop_bad_pictures(
        self, images: dict[Any, PictureSource], pictures: Pictures, workers: int
    ) -> None:
        for index, (kind, detail) in pictures.load(workers).items():
            source = pictures.sources[index]
            self.problems.add(kind, source.file, source.identity, detail)
            self._bad.add(index)

    def _person(
        self,
        annotation: dict[str, Any],
        index_of: dict[Any, int],
        pictures: Pictures,
        columns: dict[Any, NDArray[np.int64]],
    ) -> _Row | None:
        """One person, or None where it cannot be used."""
        name = f"annotation {annotation.get('id')}"
        columns_here = columns.get(annotation.get("category_id"))
        if columns_here is None:
            detail = f"category {annotation.get('category_id')!r} has no keypoints"
            self.problems.add("wrong category", self.file, name, detail)
            return None
        if annotation.get("label") == "teacher_box" or annotation.get("iscrowd"):
            return None
        picture = index_of.get(annotation.get("image_id"))
        if picture is None or picture in self._bad:
            detail = f"image {annotation.get('image_id')} is not there"
            self.problems.add("person without picture", self.file, name, detail)
            return None
        try:
            parsed = Annotation.parse(annotation, columns_here, len(self.skeleton.keypoints))
        except (KeyError, TypeError, ValueError) as error:
            self.problems.add("broken annotation", self.file, name, str(error))
            return None
        return self._usable(parsed, picture, pictures.sources[picture].size_wh, name)

    def _usable(
        self, parsed: Annotation, picture: int, size_wh: tuple[int, int], name: str
    ) -> _Row | None:
        labelled = parsed.labelled & ~self._outside(parsed, size_wh, name)
        width, height = parsed.box_xyxy[2:] - parsed.box_xyxy[:2]
        if min(width, height) < MIN_BOX_PX:
            return None
        xy, weights = merge(
            parsed.xy,
            labelled,
            parsed.teacher_xy,
            teacher_weights(
                parsed.teacher_score,
                parsed.spread,
                parsed.disagreement,
                parsed.teacher_only,
                self.rules,
            ),
            parsed.teacher_score,
            float(np.sqrt(width * height)),
            self.noisy,
            self.rules,
        )
        if (weights > 0).sum() < MIN_KEYPOINTS:
            return None
        return _Row(picture, parsed.box_xyxy, xy, weights, f"{self.file}: {name}")

    def _outside(
        self, parsed: Annotation, size_wh: tuple[int, int], name: str
    ) -> NDArray[np.bool_]:
        """Labelled keypoints that do not lie in the picture, (K,)."""
        low = -0.5 - OUTSIDE_TOLERANCE_PX
        high = np.array(size_wh) - 0.5 + OUTSIDE_TOLERANCE_PX
        outside = parsed.labelled & ((parsed.xy < low) | (parsed.xy > high)).any(axis=1)
        for index in np.flatnonzero(outside):
            point = ", ".join(f"{value:g}" for value in parsed.xy[index])
            detail = f"{self.skeleton.keypoints[index]} at ({point}) of {size_wh[0]} x {size_wh[1]}"
            self.problems.add("keypoint outside the picture", self.file, name, detail)
        return outside

    def _people(self, pictures: Pictures, rows: list[_Row]) -> People:
        picture = np.array([row.picture for row in rows])
        sizes = np.array([source.size_wh for source in pictures.sources], dtype=np.float64)
        return People(
            pictures,
            picture,
            np.array([row.box_xyxy for row in rows]),
            np.array([row.xy for row in rows]),
            np.array([row.weights for row in rows]),
            np.concatenate([np.full((len(rows), 2), -0.5), sizes[picture] - 0.5], axis=1),
            np.full(len(rows), self.spec.weight),
            tuple(row.name for row in rows),
        )


def _reader(archive: Archive, name: str) -> Any:
    return lambda: archive.read(name)
