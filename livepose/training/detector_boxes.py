"""Pictures and boxes of people in memory, for the detector's own loop.

Sets in which only one person a picture is boxed teach that the others are none. Their boxes are
completed by another detector, or their pictures are cut around that one box.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes, area, iou
from livepose.detection import Detections, Detector, open_detector
from livepose.errors import DataError, UsageError
from livepose.frame import ImageBgr
from livepose.training.annotations import read_annotations
from livepose.training.archive import Archive, is_hostile, open_archive
from livepose.training.detector_data import boxes_by_image, cut_around
from livepose.training.people import SetSpec
from livepose.training.pictures import Pictures, PictureSource
from livepose.training.problems import Problems

logger = logging.getLogger(__name__)

COMPLETING_SCORE = 0.4
SAME_PERSON_IOU, SAME_PERSON_SHARE = 0.4, 0.8
TOLD_EVERY = 500


@dataclass(frozen=True)
class BoxedSet:
    """One set: picture i has the people ``boxes_xyxy[i]`` (N, 4), edges.

    ``cut`` says that only the surroundings of the first box are to be used.
    """

    pictures: Pictures
    boxes_xyxy: list[Boxes]
    weight: float
    cut: bool

    def take(self, index: int) -> tuple[ImageBgr, Boxes]:
        """A picture, not to be written to, and its boxes."""
        image, boxes = self.pictures.image_bgr(index), self.boxes_xyxy[index]
        return cut_around(image, boxes) if self.cut else (image, boxes)


class BoxedPictures:
    """The pictures of all sets, drawn by the weight of their set."""

    def __init__(self, sets: Sequence[BoxedSet]) -> None:
        self._sets = list(sets)
        self._places = [(s, i) for s, one in enumerate(sets) for i in range(len(one.boxes_xyxy))]
        weights = np.array([sets[number].weight for number, _ in self._places])
        self._cumulative = np.cumsum(weights) / weights.sum()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def boxes(self) -> int:
        """How many boxes there are in all."""
        return sum(len(boxes) for one in self._sets for boxes in one.boxes_xyxy)

    def draw(self, rng: np.random.Generator) -> tuple[ImageBgr, Boxes]:
        """Any picture with its boxes."""
        place = int(np.searchsorted(self._cumulative, rng.random(), side="right"))
        number, index = self._places[min(place, len(self._places) - 1)]
        return self._sets[number].take(index)


def read_boxed(
    specs: Sequence[SetSpec],
    one_boxed: Sequence[str],
    complete_with: Path | None,
    cache: str,
    problems: Problems,
) -> BoxedPictures:
    """All sets; those whose path holds a text of ``one_boxed`` are completed or cut.

    Raises
    ------
    DataError, UsageError, WeightsError
        When a set or the completing detector cannot be used, or (in strict mode) anything in
        the sets is wrong.
    """
    partial = [any(part in str(spec.annotations) for part in one_boxed) for spec in specs]
    if complete_with is not None and not any(partial):
        raise UsageError(
            f"--complete-with {complete_with}: none of the sets is one of --one-boxed "
            f"({', '.join(one_boxed)}); name those that lack boxes"
        )
    detector = _completing(complete_with)
    sets = []
    for spec, lacks in zip(specs, partial, strict=True):
        one = _read_set(spec, lacks and detector is None, cache, problems)
        if lacks and detector is not None:
            _complete_set(one, detector, str(spec.annotations))
        sets.append(one)
    return BoxedPictures(sets)


def _completing(file: Path | None) -> Detector | None:
    if file is None:
        return None
    return open_detector(file, "cpu", score_threshold=COMPLETING_SCORE)


def _read_set(spec: SetSpec, cut: bool, cache: str, problems: Problems) -> BoxedSet:
    content, file = read_annotations(spec.annotations), str(spec.annotations)
    boxes = boxes_by_image(content, file, problems)
    # A picture without people teaches what none are; one that is cut needs a box to cut around.
    sources = {
        identity: source
        for identity, source in _sources(content, open_archive(spec.images), file, problems).items()
        if not cut or identity in boxes
    }
    every = Pictures(list(sources.values()), cache)
    bad = every.load()
    for index, (kind, detail) in bad.items():
        problems.add(kind, every.sources[index].file, every.sources[index].identity, detail)
    kept = [index for index in range(len(every)) if index not in bad]
    found = [np.array(boxes.get(identity, [])).reshape(-1, 4) for identity in sources]
    if not any(len(found[index]) for index in kept):
        raise DataError(f"{file}: expected boxes of people, found none that can be used")
    return BoxedSet(every.select(kept), [found[index] for index in kept], spec.weight, cut)


def _sources(
    content: dict[str, Any], archive: Archive, file: str, problems: Problems
) -> dict[Any, PictureSource]:
    """Where every picture is, by its id."""
    sources: dict[Any, PictureSource] = {}
    for entry in content["images"]:
        try:
            identity, name = entry["id"], str(entry["file_name"])
            size_wh = (int(entry["width"]), int(entry["height"]))
        except (KeyError, TypeError, ValueError) as error:
            problems.add("broken image entry", file, repr(entry)[:80], repr(error))
            continue
        told = f"image {identity} ({name})"
        if is_hostile(name):
            problems.add("hostile path", file, f"image {identity}", repr(name))
        elif name not in archive:
            problems.add("missing image", file, told, f"is not in {archive.path}")
        else:
            source = PictureSource(str(archive.path), told, size_wh, _reader(archive, name))
            sources[identity] = source
    return sources


def _reader(archive: Archive, name: str) -> Callable[[], bytes]:
    return lambda: archive.read(name)


def _complete_set(one: BoxedSet, detector: Detector, name: str) -> None:
    before, count = sum(map(len, one.boxes_xyxy)), len(one.boxes_xyxy)
    for index, labelled in enumerate(one.boxes_xyxy):
        [found] = detector([one.pictures.image_bgr(index)])
        one.boxes_xyxy[index] = completed(labelled, found)
        if (index + 1) % TOLD_EVERY == 0:
            logger.info(f"{name}: {index + 1} of {count} pictures completed")
    added = sum(map(len, one.boxes_xyxy)) - before
    logger.info(f"{name}: {detector.name} added {added} boxes to {before}")


def completed(labelled_xyxy: Boxes, found: Detections) -> Boxes:
    """Labelled boxes (N, 4) and those found that are of nobody yet, the surest first."""
    kept: NDArray[np.float64] = labelled_xyxy
    for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
        if score > COMPLETING_SCORE and not _is_there(box[None], kept):
            kept = np.concatenate([kept, box[None]])
    return kept


def _is_there(box_xyxy: Boxes, known_xyxy: Boxes) -> bool:
    """Whether a box (1, 4) overlaps a known one, or lies within it nearly whole."""
    if not len(known_xyxy):
        return False
    overlap = iou(box_xyxy, known_xyxy)[0]
    # Of the two areas and IoU = I / (A + B - I), the intersection is:
    shared = overlap * (area(box_xyxy) + area(known_xyxy)) / (1 + overlap)
    share = shared / np.maximum(area(box_xyxy), 1e-6)
    return bool((overlap > SAME_PERSON_IOU).any() or (share > SAME_PERSON_SHARE).any())
