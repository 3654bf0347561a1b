"""The people of any number of keypoint sets as plain arrays over one skeleton, and their pictures.

A set is ``IMAGES:ANNOTATIONS[:WEIGHT][:noisy][:one-boxed]``: a zip or folder of pictures and a
COCO-form JSON file. Its keypoints are mapped onto the output skeleton by name; those that it does
not have are left out of the loss. Positions are picture pixels, integers at pixel centres.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.evaluation.archive import Archive, decode, is_hostile
from livepose.evaluation.dataset import Dataset, read_dataset
from livepose.evaluation.problems import Problems
from livepose.frame import ImageBgr
from livepose.skeletons import SKELETONS, Skeleton
from livepose.training.labels import MIN_KEYPOINTS, labels_of
from livepose.training.settings import DATA, ReadSettings

logger = logging.getLogger(__name__)
Floats = NDArray[np.float64]
PACK = "pack:"
ADVICE = " (leave out --strict-data to skip such data)"


@dataclass(frozen=True)
class SetSpec:
    """One set: where its pictures and annotations are, how much it counts, and what it lacks."""

    images: Path
    annotations: Path
    weight: float = 1.0
    noisy: bool = False  # human labels are unsure
    one_boxed: bool = False  # one person a picture is boxed, others are not


def parse_set(text: str) -> SetSpec:
    """Read ``IMAGES:ANNOTATIONS[:WEIGHT][:noisy][:one-boxed]``.

    UsageError when it is something else, or the weight is no positive number.
    """
    images, _, rest = text.partition(":")
    annotations, *more = rest.split(":")
    words = {word for word in more if word in ("noisy", "one-boxed")}
    weights = [word for word in more if word not in words]
    try:
        [weight] = [float(word) for word in weights] or [1.0]
    except ValueError:
        weight = -1.0
    if not (images and annotations and np.isfinite(weight) and weight > 0):
        raise UsageError(f"--data: expected {DATA} or {PACK}FILE, got {text!r}")
    spec = SetSpec(Path(images), Path(annotations), weight)
    return replace(spec, noisy="noisy" in words, one_boxed="one-boxed" in words)


@dataclass(frozen=True)
class PictureSource:
    """Where one picture comes from; ``read`` gives its encoded bytes, ``size_wh`` is promised."""

    where: str
    size_wh: tuple[int, int]
    read: Callable[[], bytes]


class Pictures:
    """Numbered pictures, kept decoded (fast, about 0.3 MB each) or encoded (small).

    Every one is decoded at the start: what is wrong is found before the first step.
    """

    def __init__(self, sources: Sequence[PictureSource], cache: str = "decoded") -> None:
        self.sources = list(sources)
        self._keep_decoded = cache == "decoded"
        self._kept: list[Any] = [None] * len(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    @classmethod
    def joined(cls, parts: Sequence["Pictures"]) -> "Pictures":
        """Those of several sets, with what they have loaded."""
        pictures = cls([source for part in parts for source in part.sources])
        pictures._keep_decoded = all(part._keep_decoded for part in parts)
        pictures._kept = [kept for part in parts for kept in part._kept]
        return pictures

    def load(self, workers: int = 2) -> dict[int, tuple[str, str]]:
        """Read and decode every picture; returns ``{index: (kind, detail)}`` of the bad ones."""
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(self._load_one, range(len(self.sources))))
        return {index: problem for index, problem in enumerate(found) if problem is not None}

    def _load_one(self, index: int) -> tuple[str, str] | None:
        source = self.sources[index]
        try:
            encoded = source.read()
        except (DataError, OSError) as error:
            return "unreadable picture", str(error)
        image = decode(encoded)
        if image is None:
            return "undecodable picture", f"{len(encoded)} bytes are no picture"
        height, width = image.shape[:2]
        if (width, height) != source.size_wh:
            wanted = "{} x {}".format(*source.size_wh)
            return "picture of another size", f"expected {wanted}, got {width} x {height}"
        self._kept[index] = image if self._keep_decoded else encoded
        return None

    def image_bgr(self, index: int) -> ImageBgr:
        """One picture that was loaded, (H, W, 3) uint8; not to be written to."""
        kept = self._kept[index]
        image = kept if self._keep_decoded else decode(kept)
        return np.asarray(image, dtype=np.uint8)


def load_pictures(
    dataset: Dataset, archive: Archive, problems: Problems, cache: str, workers: int
) -> tuple[Pictures, list[int | None]]:
    """The pictures of a set, and the place of each of the set's among them (None: unusable)."""
    sources: list[PictureSource] = []
    places: list[int | None] = []
    for picture in dataset.pictures:
        where, name = f"{dataset.path}, image {picture.id} ({picture.file_name})", picture.file_name
        places.append(None)
        if is_hostile(name):
            problems.add("hostile path", where, "leads out of its folder")
        elif name not in archive:
            problems.add("missing image", where, f"{name} is not in {archive.path}")
        elif picture.size_wh is None:
            problems.add("image without size", where, "its width and height are missing")
        else:
            places[-1] = len(sources)
            sources.append(PictureSource(where, picture.size_wh, _reader(archive, name)))
    pictures = Pictures(sources, cache)
    bad = pictures.load(workers)
    for index, (kind, detail) in bad.items():
        problems.add(kind, sources[index].where, detail)
    return pictures, [None if place in bad else place for place in places]


def _reader(archive: Archive, name: str) -> Callable[[], bytes]:
    return lambda: archive.read(name)


@dataclass(frozen=True)
class People:
    """N people of K keypoints, ready to be drawn from.

    ``xy`` (N, K, 2) and ``weights`` (N, K), 0 where a keypoint has no label. ``boxes_xyxy``
    (N, 4), edges. ``picture`` (N,) indexes ``pictures``. ``windows_xyxy`` (N, 4) is what of the
    picture exists, in edges: all of it. ``draw_weights`` (N,) is how often each is drawn.
    """

    pictures: Pictures
    picture: NDArray[np.int64]
    boxes_xyxy: Floats
    xy: Floats
    weights: Floats
    draw_weights: Floats

    def __len__(self) -> int:
        return len(self.picture)

    @property
    def windows_xyxy(self) -> Floats:
        """Edges of the whole picture of each, (N, 4)."""
        sizes = np.array([source.size_wh for source in self.pictures.sources], dtype=np.float64)
        low = np.full((len(self), 2), -0.5)
        return np.concatenate([low, sizes[self.picture] - 0.5], axis=1)

    def select(self, which: NDArray[Any]) -> "People":
        """The people at these indices (or where this mask is true)."""
        names = ("picture", "boxes_xyxy", "xy", "weights", "draw_weights")
        return People(self.pictures, *(getattr(self, name)[which] for name in names))


def join(parts: Sequence[People]) -> People:
    """Several sets as one; every person keeps its own draw weight."""
    offsets = np.cumsum([0, *(len(part.pictures) for part in parts)])
    return People(
        Pictures.joined([part.pictures for part in parts]),
        np.concatenate([part.picture + start for part, start in zip(parts, offsets, strict=False)]),
        np.concatenate([part.boxes_xyxy for part in parts]),
        np.concatenate([part.xy for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.draw_weights for part in parts]),
    )


def read_people(settings: ReadSettings) -> People:
    """Everybody in the sets that the settings name; what is wrong with them is said.

    DataError, UsageError when a set cannot be used at all, or (in strict mode) anything in it is
    wrong.
    """
    from livepose.training.pack import read_pack

    sets, skeleton = [], SKELETONS[settings.skeleton]
    for text in settings.data:
        problems = Problems(settings.strict_data, ADVICE)
        workers = max(2, settings.workers)
        if text.startswith(PACK):
            file = Path(text.removeprefix(PACK))
            sets.append(read_pack(file, skeleton.name, problems, settings.cache, workers))
        else:
            sets.append(read_set(parse_set(text), skeleton, problems, settings.cache, workers))
        problems.tell()
        logger.info(f"{text}: {len(sets[-1])} people, {len(sets[-1].pictures)} pictures")
    return join(sets)


def read_set(
    spec: SetSpec,
    skeleton: Skeleton,
    problems: Problems,
    cache: str = "decoded",
    workers: int = 2,
) -> People:
    """All usable people of one set, their pictures loaded.

    DataError when the files are missing or broken, the set has no usable keypoint label, or (in
    strict mode) anything at all is wrong.
    """
    dataset = read_dataset(spec.annotations, problems, skeleton)
    pictures, places = load_pictures(dataset, Archive(spec.images), problems, cache, workers)
    rows = []
    for person in dataset.everybody:
        if person.entry.get("label") == "teacher_box" or person.is_crowd:
            continue
        place = places[person.picture]
        if place is None:
            problems.add("person without picture", person.name, "its picture cannot be used")
            continue
        size_wh = pictures.sources[place].size_wh
        labels = labels_of(person, size_wh, skeleton, spec.noisy, problems)
        if labels is not None:
            rows.append((place, person.box_xyxy, *labels))
    if not rows:
        raise DataError(
            f"{spec.annotations}: nobody to learn from: none of its {len(dataset.everybody)} people"
            f" has {MIN_KEYPOINTS} usable keypoints of {skeleton.name}{problems.reason()}"
        )
    picture, boxes_xyxy, xy, weights = (np.array(column) for column in zip(*rows, strict=True))
    return People(pictures, picture, boxes_xyxy, xy, weights, np.full(len(rows), spec.weight))
