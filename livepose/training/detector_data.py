"""Pictures with boxes of people for the detector, and what is done to them; every sample is a
pure function of the seed and its number.

Sets in which only one person a picture is boxed teach that the others are none. Their boxes are
completed by another detector, or their pictures are cut around that one box. People near the
camera are frequent: pictures are scaled from 0.45 to 1.8 times the input and placed or cut at
random. Boxes are edges (``livepose.boxes``), and so are places on the canvas.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes, area, clip, iou
from livepose.detection import Detections, Detector, open_detector
from livepose.detection.letterbox import GREY
from livepose.errors import DataError, UsageError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Problems, read_dataset
from livepose.frame import ImageBgr
from livepose.training.data import ADVICE, Pictures, SetSpec, load_pictures, parse_set
from livepose.training.settings import DetectorSettings

logger = logging.getLogger(__name__)
MIN_SIDE_PX = 4.0
CUT_MARGIN = 0.12
COMPLETING_SCORE = 0.4
SAME_PERSON_IOU, SAME_PERSON_SHARE = 0.4, 0.8
TOLD_EVERY = 500
LEAST_VISIBLE, LEAST_SIDE_PX = 0.15, 4.0
WHOLE_SHARE = 0.2  # pictures that are fitted as the live detector fits them
SCALE = (0.45, 1.8)
STRETCH = 0.08  # of the ratio of sides, standard deviation of its logarithm
BAND_SHARE, BAND_RATIOS = 0.5, (0.5625, 0.75)  # canvases with grey above and below, as live
MOSAIC_CENTRE = (0.3, 0.7)
SHRUNK_BELOW, SHRINK_MARGIN = 0.5, 1.4  # averaged first, so that nothing flickers
_STREAM = 0xDE7EC7

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class BoxedSet:
    """One set: picture ``places[i]`` has the people ``boxes_xyxy[i]`` (N, 4), edges.

    ``cut`` says that only the surroundings of the first box are to be used.
    """

    pictures: Pictures
    places: list[int]
    boxes_xyxy: list[Boxes]
    weight: float
    cut: bool

    def take(self, index: int) -> tuple[ImageBgr, Boxes]:
        """A picture, not to be written to, and its boxes."""
        image, boxes = self.pictures.image_bgr(self.places[index]), self.boxes_xyxy[index]
        return cut_around(image, boxes) if self.cut else (image, boxes)


class BoxedPictures:
    """The pictures of all sets, drawn by the weight of their set."""

    def __init__(self, sets: Sequence[BoxedSet]) -> None:
        self._sets = list(sets)
        self._places = [(one, i) for one in sets for i in range(len(one.boxes_xyxy))]
        weights = np.array([one.weight for one, _ in self._places])
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
        one, index = self._places[min(place, len(self._places) - 1)]
        return one.take(index)


def read_boxed(settings: DetectorSettings) -> BoxedPictures:
    """All sets; those that are one-boxed are completed or cut.

    DataError, UsageError, WeightsError when a set or the completing detector cannot be used, or (in
    strict mode) anything in the sets is wrong.
    """
    specs, file = [parse_set(text) for text in settings.data], settings.complete_with
    if file is not None and not any(spec.one_boxed for spec in specs):
        raise UsageError(
            f"--complete-with {file}: none of the sets is said to be one-boxed; name those that "
            "lack boxes as IMAGES:ANNOTATIONS:one-boxed"
        )
    detector = file and open_detector(file, "cpu", score_threshold=COMPLETING_SCORE)
    problems = Problems(settings.strict_data, ADVICE)
    sets = []
    for spec in specs:
        sets.append(_read_set(spec, spec.one_boxed and not detector, settings.cache, problems))
        if spec.one_boxed and detector:
            _complete_set(sets[-1], detector, str(spec.annotations))
    problems.tell()
    return BoxedPictures(sets)


def _read_set(spec: SetSpec, cut: bool, cache: str, problems: Problems) -> BoxedSet:
    dataset = read_dataset(spec.annotations, problems, skeleton=None)
    pictures, places = load_pictures(dataset, Archive(spec.images), problems, cache, 2)
    boxes: list[list[Boxes]] = [[] for _ in dataset.pictures]
    for person in dataset.everybody:
        if not person.is_crowd and person.wh_px.min() >= MIN_SIDE_PX:
            boxes[person.picture].append(person.box_xyxy)
    # A picture without people teaches what none are; one that is cut needs a box to cut around.
    kept = {
        place: np.array(own).reshape(-1, 4)
        for place, own in zip(places, boxes, strict=True)
        if place is not None and (own or not cut)
    }
    if not any(map(len, kept.values())):
        raise DataError(
            f"{spec.annotations}: expected boxes of people, found none that can be used"
            f"{problems.reason()}"
        )
    return BoxedSet(pictures, list(kept), list(kept.values()), spec.weight, cut)


def _complete_set(one: BoxedSet, detector: Detector, name: str) -> None:
    before, count = sum(map(len, one.boxes_xyxy)), len(one.boxes_xyxy)
    for index, labelled in enumerate(one.boxes_xyxy):
        [found] = detector([one.pictures.image_bgr(one.places[index])])
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


def cut_around(image: ImageBgr, boxes_xyxy: Boxes) -> tuple[ImageBgr, Boxes]:
    """The part of a picture around its only box, and the box in it."""
    box = boxes_xyxy[0]
    margin = CUT_MARGIN * (box[2:] - box[:2]).max()
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(box[:2] - margin), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(box[2:] + margin), [left + 1, top + 1], [width, height])
    part = image[top : int(bottom), left : int(right)]
    return part, boxes_xyxy[:1] - np.array([left, top, left, top])


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in a cell of ``cell_wh``: edge x becomes zoom * x + offset."""

    cell_wh: tuple[int, int]
    zoom_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    flip: bool = False

    @classmethod
    def draw(
        cls, rng: np.random.Generator, source_wh: tuple[int, int], cell_wh: tuple[int, int]
    ) -> "Placement":
        """At random: mostly of any scale, sometimes whole."""
        if rng.random() < WHOLE_SHARE:
            zoom = min(cell_wh[0] / source_wh[0], cell_wh[1] / source_wh[1])
        else:
            scale = math.exp(rng.uniform(math.log(SCALE[0]), math.log(SCALE[1])))
            zoom = scale * max(cell_wh) / max(source_wh)
        stretch = math.exp(STRETCH * rng.normal())
        zoom_xy = (zoom * stretch, zoom / stretch)
        room = [cell_wh[axis] - zoom_xy[axis] * source_wh[axis] for axis in (0, 1)]
        left, top = (float(rng.uniform(min(0.0, free), max(0.0, free))) for free in room)
        return cls(cell_wh, zoom_xy, (left, top), bool(rng.random() < 0.5))

    def picture(self, image_bgr: ImageBgr) -> ImageBgr:
        """The cell, uint8 (h, w, 3), grey where the picture is not."""
        height, width = image_bgr.shape[:2]
        if max(self.zoom_xy) < SHRUNK_BELOW:
            wanted = SHRINK_MARGIN * max(self.zoom_xy)
            small_wh = max(1, round(wanted * width)), max(1, round(wanted * height))
            small = cv2.resize(image_bgr, small_wh, interpolation=cv2.INTER_AREA)
            image_bgr = np.asarray(small, dtype=np.uint8)
        zooms = (
            self.zoom_xy[0] * width / image_bgr.shape[1],
            self.zoom_xy[1] * height / image_bgr.shape[0],
        )
        # OpenCV counts from pixel centres, which lie half a pixel from the edges.
        left, top = (o + 0.5 * z - 0.5 for o, z in zip(self.offset_xy, zooms, strict=True))
        matrix = np.array([[zooms[0], 0.0, left], [0.0, zooms[1], top]])
        cell = cv2.warpAffine(image_bgr, matrix, self.cell_wh, borderValue=(GREY,) * 3)
        return np.asarray(cell[:, ::-1] if self.flip else cell, dtype=np.uint8)

    def boxes(self, boxes_xyxy: Boxes) -> Boxes:
        """Boxes (N, 4) in the cell: cut at its edges, without those that are hardly seen."""
        moved = boxes_xyxy * np.tile(self.zoom_xy, 2) + np.tile(self.offset_xy, 2)
        if self.flip:
            moved[:, [0, 2]] = self.cell_wh[0] - moved[:, [2, 0]]
        seen = clip(moved, self.cell_wh)
        visible = area(seen) / np.maximum(area(moved), 1e-6)
        large = (seen[:, 2:] - seen[:, :2]).min(axis=1, initial=np.inf) > LEAST_SIDE_PX
        return np.asarray(seen[(visible > LEAST_VISIBLE) & large])


@dataclass(frozen=True)
class Sampler:
    """Samples by number: ``sampler(i)`` is a function of the seed and i alone."""

    pictures: BoxedPictures
    input_px: int
    mosaic: float
    seed: int

    def __call__(self, index: int) -> tuple[Pixels, Boxes]:
        """Network input (3, S, S), RGB from 0 to 1, and its boxes (N, 4) in pixels."""
        rng = np.random.Generator(np.random.Philox([self.seed, _STREAM, index]))
        side = self.input_px
        canvas = np.full((side, side, 3), GREY, np.uint8)
        boxes = [self._fill(rng, canvas, cell) for cell in self._cells(rng)]
        rgb = recoloured(rng, canvas[:, :, ::-1].astype(np.float32))
        planes = np.clip(rgb, 0, 255).transpose(2, 0, 1) / np.float32(255)
        return np.ascontiguousarray(planes, dtype=np.float32), np.concatenate(boxes)

    def _cells(self, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
        """Left, top, right, bottom of what is filled with one picture each."""
        side = self.input_px
        if rng.random() < self.mosaic:
            x, y = (int(side * value) for value in rng.uniform(*MOSAIC_CENTRE, 2))
            return [(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]
        if rng.random() < BAND_SHARE:
            height = int(side * rng.choice(BAND_RATIOS))
            top = (side - height) // 2
            return [(0, top, side, top + height)]
        return [(0, 0, side, side)]

    def _fill(
        self, rng: np.random.Generator, canvas: ImageBgr, cell: tuple[int, int, int, int]
    ) -> Boxes:
        left, top, right, bottom = cell
        image_bgr, boxes = self.pictures.draw(rng)
        source_wh = (image_bgr.shape[1], image_bgr.shape[0])
        place = Placement.draw(rng, source_wh, (right - left, bottom - top))
        canvas[top:bottom, left:right] = place.picture(image_bgr)
        return np.asarray(place.boxes(boxes) + np.array([left, top, left, top]))


def recoloured(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Brightness, tint, saturation, blur and noise of (H, W, 3), 0 to 255, not yet clipped."""
    if rng.random() < 0.7:
        gains = rng.uniform(0.6, 1.4) * rng.uniform(0.9, 1.1, 3)
        rgb = rgb * gains.astype(np.float32) + np.float32(rng.uniform(-25, 25))
        if rng.random() < 0.3:
            grey = rgb.mean(axis=2, keepdims=True)
            rgb = grey + (rgb - grey) * np.float32(rng.uniform(0, 1))
    if rng.random() < 0.1:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (3, 3), rng.uniform(0.4, 1.0)), np.float32)
    if rng.random() < 0.15:
        noise = rng.standard_normal(rgb.shape, dtype=np.float32)
        rgb = rgb + noise * np.float32(rng.uniform(2, 10))
    return rgb
