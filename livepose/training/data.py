"""The people of any number of keypoint sets as plain arrays over one skeleton, and their images.

A set is ``IMAGES:ANNOTATIONS[:WEIGHT][:noisy][:one-boxed]``: a zip or folder of images and a
COCO-form JSON file. Its keypoints are mapped onto the output skeleton by name; those that it does
not have are left out of the loss. Positions are image pixels, integers at pixel centres.

The human's label counts where there is one, the teacher's where there is none: the answer of a
trained network, in the fields that docs/training.md has.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset, Person, Problems, numbers, placed, read_dataset
from livepose.evaluation.dataset import Image as ImageEntry
from livepose.frame import ImageBgr
from livepose.skeletons import SKELETONS, Skeleton
from livepose.training.settings import DATA, ReadSettings

logger = logging.getLogger(__name__)
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Image = ImageBgr | None
"""An image that was decoded, (H, W, 3), not to be written to; None where it cannot be used."""
PACK = "pack"
ADVICE = " (leave out --strict-data to skip such data)"

MIN_BOX_PX = 12.0
MIN_KEYPOINTS = 3
OUTSIDE_TOLERANCE_PX = 1.0
# How far the teacher is trusted; distances are over the root of the box area.
LOWEST_SCORE = 0.3  # below it the teacher's point is not used
HIGHEST_WEIGHT = 0.9  # a teacher's point never counts as much as a human's
BESIDE_HUMAN = 0.7  # factor where a human looked and left the point out
CLOSE = 0.08  # spread and disagreement up to here are agreement
UNCONFIRMED, CONTRADICTED = 0.7, 0.3  # factors where a second network says nothing, or otherwise
# A teacher this sure, this far from a noisy human label, lowers its weight to the last.
DOUBT_SCORE, DOUBT_DISTANCE, DOUBT_WEIGHT = 0.6, 0.2, 0.3


@dataclass(frozen=True)
class SetSpec:
    """One set: where its images and annotations are, how much it counts, and what it lacks."""

    images: Path
    annotations: Path
    weight: float = 1.0
    noisy: bool = False  # human labels are unsure
    one_boxed: bool = False  # one person an image is boxed, others are not

    @property
    def name(self) -> str:
        """In two words: the folders of its annotations, or the name of its pack."""
        folders = () if self.is_pack else self.annotations.parent.parts[-2:]
        return "/".join(folders) or self.annotations.name

    @property
    def is_pack(self) -> bool:
        """Whether it was given as ``pack:FILE``."""
        return str(self.images) == PACK


def parse_set(text: str) -> SetSpec:
    """Read ``IMAGES:ANNOTATIONS[:WEIGHT][:noisy][:one-boxed]``; IMAGES is ``pack`` of a pack.

    UsageError when it is something else, or the weight is no positive number.
    """
    images, _, rest = text.partition(":")
    annotations, *more = rest.split(":")
    words = {word for word in more if word in ("noisy", "one-boxed")}
    try:
        [weight] = [float(word) for word in more if word not in words] or [1.0]
    except ValueError:
        weight = -1.0
    if not (images and annotations and np.isfinite(weight) and weight > 0):
        raise UsageError(f"--data: expected {DATA} or {PACK}:FILE, got {text!r}")
    marks = "noisy" in words, "one-boxed" in words
    return SetSpec(Path(images), Path(annotations), weight, *marks)


def load_images(found: Dataset, images: Path, problems: Problems, workers: int = 2) -> list[Image]:
    """The images of a set, in its order: what is wrong is found before the first step."""
    archive = Archive(images)

    def load(entry: ImageEntry) -> ImageBgr | DataError:
        try:
            return archive.image_bgr(entry.file_name, entry.size_wh)
        except DataError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        loaded = list(pool.map(load, found.images))
    for entry, image in zip(found.images, loaded, strict=True):
        if isinstance(image, DataError):
            problems.add("unusable image", f"{found.path}, image {entry.id}", str(image))
    return [None if isinstance(image, DataError) else image for image in loaded]


@dataclass(frozen=True)
class People:
    """N people of K keypoints, ready to be drawn from.

    ``xy`` (N, K, 2) and ``weights`` (N, K), 0 where a keypoint has no label. ``boxes_xyxy``
    (N, 4), edges. ``image`` (N,) indexes ``images``. ``draw_weights`` (N,) is how often each is
    drawn.
    """

    images: list[Image]
    image: NDArray[np.int64]
    boxes_xyxy: Floats
    xy: Floats
    weights: Floats
    draw_weights: Floats

    def __len__(self) -> int:
        return len(self.image)

    def image_bgr(self, person: int) -> ImageBgr:
        """The whole image that somebody is in."""
        return np.asarray(self.images[self.image[person]], dtype=np.uint8)

    @cached_property
    def windows_xyxy(self) -> Floats:
        """What of the image of each exists, (N, 4), edges in px from pixel centres: all of it."""
        sizes_hw = np.array([self.image_bgr(row).shape[:2] for row in range(len(self))])
        return np.concatenate([np.full((len(self), 2), -0.5), sizes_hw[:, ::-1] - 0.5], axis=1)


def join(parts: Sequence[People]) -> People:
    """Several sets as one; every person keeps its own draw weight."""
    starts = np.cumsum([0, *(len(part.images) for part in parts[:-1])])
    one_image = [part.image + start for part, start in zip(parts, starts, strict=True)]
    names = [entry.name for entry in fields(People)][2:]
    columns = ([getattr(part, name) for part in parts] for name in names)
    images = [image for part in parts for image in part.images]
    return People(images, *(np.concatenate(column) for column in (one_image, *columns)))


def read_people(settings: ReadSettings) -> People:
    """Everybody in the sets that the settings name; DataError when a set cannot be used."""
    from livepose.training.pack import read_pack

    sets, skeleton = [], SKELETONS[settings.skeleton]
    for text in settings.data:
        spec, problems = parse_set(text), Problems(settings.strict_data, ADVICE)
        if spec.is_pack:
            sets.append(read_pack(spec, skeleton))
        else:
            sets.append(read_set(spec, skeleton, problems, max(2, settings.workers)))
        problems.tell()
        logger.info(f"{text}: {len(sets[-1])} people, {len(sets[-1].images)} images")
    return join(sets)


def read_set(spec: SetSpec, skeleton: Skeleton, problems: Problems, workers: int = 2) -> People:
    """All usable people of one set, their images loaded.

    DataError when the files are missing or broken, the set has no usable keypoint label, or (in
    strict mode) anything at all is wrong.
    """
    found = read_dataset(spec.annotations, problems, skeleton)
    images = load_images(found, spec.images, problems, workers)
    rows = []
    for person in found.everybody:
        if person.entry.get("label") == "teacher_box" or person.is_crowd:
            continue
        image = images[person.image]
        if image is None:
            problems.add("person without image", person.name, "its image cannot be used")
            continue
        labels = _labels_of(person, image.shape[1::-1], skeleton, spec.noisy, problems)
        if labels is not None:
            rows.append((person.image, person.box_xyxy, *labels))
    if not rows:
        raise DataError(
            f"{spec.annotations}: nobody to learn from: none of its {len(found.everybody)} people"
            f" has {MIN_KEYPOINTS} usable keypoints of {skeleton.name}{problems.reason()}"
        )
    one_image, boxes_xyxy, xy, weights = (np.array(column) for column in zip(*rows, strict=True))
    return People(images, one_image, boxes_xyxy, xy, weights, np.full(len(rows), spec.weight))


def _labels_of(
    person: Person,
    size_wh: tuple[int, ...],
    skeleton: Skeleton,
    noisy: bool,
    problems: Problems,
) -> tuple[Floats, Floats] | None:
    """Positions (K, 2) and weights (K,); None where there are too few to learn from.

    The teacher fills the gaps, and lowers the weight of a noisy label that it contradicts.
    """
    if person.wh_px.min() < MIN_BOX_PX:
        return None
    try:
        teacher, spread, disagreement = _teacher(person, len(skeleton.keypoints))
    except ValueError as error:
        problems.add("broken annotation", person.name, str(error))
        return None
    human_xy, low = person.keypoints[:, :2], -0.5 - OUTSIDE_TOLERANCE_PX
    high = np.array(size_wh) - 0.5 + OUTSIDE_TOLERANCE_PX
    outside = person.labelled & ((human_xy < low) | (human_xy > high)).any(axis=1)
    for index in np.flatnonzero(outside):
        x, y = human_xy[index]
        detail = f"{skeleton.keypoints[index]} at ({x:g}, {y:g}) of {size_wh}"
        problems.add("keypoint outside the image", person.name, detail)
    labelled = person.labelled & ~outside
    weights = labelled.astype(np.float64)
    if noisy:
        distance = np.linalg.norm(teacher[:, :2] - human_xy, axis=1) / np.sqrt(person.wh_px.prod())
        doubtful = (teacher[:, 2] > DOUBT_SCORE) & (distance > DOUBT_DISTANCE)
        weights = np.where(labelled & doubtful, DOUBT_WEIGHT, weights)
    is_alone = person.entry.get("label") == "teacher"
    filling = teacher_weights(teacher[:, 2], spread, disagreement, is_alone)
    fill = ~labelled & (filling > 0)
    xy = np.where(fill[:, None], teacher[:, :2], human_xy)
    weights = np.where(fill, filling, weights)
    return (xy, weights) if (weights > 0).sum() >= MIN_KEYPOINTS else None


def teacher_weights(scores: Floats, spread: Floats, disagreement: Floats, is_alone: bool) -> Floats:
    """Weight of each teacher point, (K,): 0 where it is not used.

    ``disagreement`` is NaN where the second network has no answer; ``is_alone``: no human looked.
    """
    weights = np.where(scores > LOWEST_SCORE, np.minimum(scores, HIGHEST_WEIGHT), 0.0)
    if not is_alone:
        return np.asarray(weights * BESIDE_HUMAN)
    agreed = np.where(disagreement < CLOSE, 1.0, CONTRADICTED)
    agreed = np.where(np.isnan(disagreement), UNCONFIRMED, agreed)
    return np.asarray(weights * (spread < CLOSE) * agreed)


def _teacher(person: Person, count: int) -> tuple[Floats, Floats, Floats]:
    """Its answer (K, 3), spread (K,) and disagreement (K,); zeros where there is none."""

    def column(field: str, size: int, gap: float = 0.0) -> Floats:
        found = person.entry.get(field)
        if found is None:
            return np.zeros((count, size))
        if isinstance(found, list) and size == 1:
            found = [gap if value is None else value for value in found]
        values = numbers({field: found}, field, size * len(person.columns)).reshape(-1, size)
        return placed(values, person.columns, count, gap)

    # A set that never asked a second network is not contradicted by its silence.
    against = column("teacher_disagreement", 1, -1.0)[:, 0]
    against = np.where(against < 0, np.nan, against)
    return column("teacher", 3), column("teacher_spread", 1)[:, 0], against
