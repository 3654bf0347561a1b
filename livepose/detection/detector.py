"""YOLO as a detector of people: letterbox, network, non-maximum suppression, and back.

Somebody near is found best in a small input, somebody far away only in a larger one. So what the
usual input shows stays, and the small people of a second, larger scale come to it. That takes
three times as long; ``DetectionSchedule`` says when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.boxes import Boxes
from livepose.detection.files import DetectorInfo
from livepose.detection.letterbox import STRIDE, Letterbox
from livepose.frame import ImageBgr

SCORE_THRESHOLD = 0.25
"""ultralytics' own; the tracker decides what weak boxes are worth."""
OVERLAP_THRESHOLD = 0.7
"""ultralytics' own IoU: people who stand close keep their boxes."""
MOST_PEOPLE = 300
SMALL_IMAGE_PX, SMALL_INPUT_PX, LARGE_INPUT_PX = 860, 416, 640
"""Images with a longer side up to the first are seen at the second, others at the third."""

LARGER = 1.6
"""The larger input is so many times as long as the usual one ..."""
LEAST_LARGER = 1.2
"""... but no longer than the image itself, and not worth it below this."""
MOST_REDUCED = 3.75
"""So many times at most is an image reduced in it: somebody 150 px high in 4K is to be found."""
SMALL_PX = 80.0
"""Who is lower than this in the usual input is small: most of them are missed there."""
SURE = 0.5
"""Whom the usual input shows less surely is as good as missed there."""
SAME_IOU = 0.5
"""From this overlap on, boxes of the two inputs are the same person."""

SECOND_SCALE_EVERY_S = 3.0
"""From a second-scale pass that shows nobody small to the next."""
HOLD_S = 1.0
"""So long every detection takes both scales after the last small person."""

Predictions = NDArray[np.float32]
"""(B, 4 + classes, N): centre, size and scores of N candidates in input pixels; or (B, N, 6):
corners, score and class, from networks that need no suppression."""


@dataclass(frozen=True, slots=True)
class Detections:
    """People in one image: ``boxes_xyxy`` float64 (N, 4) in its pixels, ``scores`` (N,), 0 to 1.

    The surest comes first.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float64]

    @classmethod
    def whole(cls, image_bgr: ImageBgr) -> "Detections":
        """One person, as large as the image (H, W, 3)."""
        height, width = image_bgr.shape[:2]
        return cls(np.array([[0.0, 0.0, width, height]]), np.ones(1))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Detections":
        """Those where this mask is true, or at these indices."""
        return Detections(self.boxes_xyxy[which], self.scores[which])


class TwoScales(NamedTuple):
    """The people of one image in both inputs, and how many small ones only the larger shows."""

    people: Detections
    small: int


class Detector(Protocol):
    """Finds people in images; ``name`` is what it is, in a few words."""

    name: str

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each of these images, uint8 (H, W, 3), blue first, of any sizes."""

    def both_scales(
        self, image_bgr: ImageBgr, wait: bool, square: bool = False
    ) -> TwoScales | None:
        """The people in an image, uint8 (H, W, 3), the small ones of them in a larger input.

        None where a larger one is of no use, or not ready yet: it is prepared beside then, unless
        there is time to ``wait``. A ``square`` one takes longer, and images of any shape.
        """
        return None


class Engine(Protocol):
    """Runs a detection network; ``input_wh`` is the one size it takes, None for any."""

    name: str
    input_wh: tuple[int, int] | None = None

    def __call__(self, images_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for letterboxed images, uint8 (B, h, w, 3), blue first."""

    def prepare(self, input_wh: tuple[int, int]) -> bool:
        """Whether it is ready for one image of this size; else prepares for it beside."""
        return True


class YoloDetector(Detector):
    """Finds people with a YOLO network, which ``engine`` runs and ``info`` describes.

    ``size_px`` is the longer side of the input; None takes what suits weights and image, and
    only then is there a second scale. ``score_threshold`` is the lowest score of a box. ValueError
    for an image that is not uint8 (H, W, 3).
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        info: DetectorInfo,
        size_px: int | None = None,
        score_threshold: float | None = None,
    ) -> None:
        self.engine, self.name = engine, name
        self.score_threshold = SCORE_THRESHOLD if score_threshold is None else score_threshold
        self._info, self._size_px = info, size_px or info.input_px
        self._adapts = size_px is None and engine.input_wh is None

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each image, uint8 (H, W, 3); images of one shape go in one batch."""
        return self._detect(images_bgr, [self._letterbox(image) for image in images_bgr])

    def both_scales(
        self, image_bgr: ImageBgr, wait: bool, square: bool = False
    ) -> TwoScales | None:
        """The people in an image, uint8 (H, W, 3), the small ones of them in a larger input."""
        usual = self._letterbox(image_bgr)
        longer_px = second_scale_px(usual.source_wh, self._usual_px(usual.source_wh))
        if longer_px is None or not self._adapts:
            return None
        larger = Letterbox.fit(usual.source_wh, longer_px)
        if square:
            larger = Letterbox.into(usual.source_wh, (longer_px, longer_px))
        if not (wait or self.engine.prepare(larger.input_wh)):
            return None
        [people], [more] = (self._detect([image_bgr], [one]) for one in (usual, larger))
        return joined(people, more, usual)

    def _detect(
        self, images_bgr: Sequence[ImageBgr], letterboxes: Sequence[Letterbox]
    ) -> list[Detections]:
        found: dict[int, Detections] = {}
        for input_wh in dict.fromkeys(one.input_wh for one in letterboxes):
            which = [index for index, one in enumerate(letterboxes) if one.input_wh == input_wh]
            images = np.stack([letterboxes[index].apply(images_bgr[index]) for index in which])
            for index, predictions in zip(which, self.engine(images), strict=True):
                found[index] = self._people(predictions, letterboxes[index])
        return [found[index] for index in range(len(letterboxes))]

    def _letterbox(self, image_bgr: ImageBgr) -> Letterbox:
        shape, kind = np.shape(image_bgr), getattr(image_bgr, "dtype", type(image_bgr))
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
            raise ValueError(f"image_bgr: expected uint8 (H, W, 3), got {kind} {shape}")
        source_wh = (shape[1], shape[0])
        if self.engine.input_wh is not None:
            return Letterbox.into(source_wh, self.engine.input_wh)
        return Letterbox.fit(source_wh, self._usual_px(source_wh))

    def _usual_px(self, source_wh: tuple[int, int]) -> int:
        suits = SMALL_INPUT_PX if max(source_wh) <= SMALL_IMAGE_PX else LARGE_INPUT_PX
        return self._size_px or suits

    def _people(self, predictions: NDArray[np.float32], letterbox: Letterbox) -> Detections:
        info = self._info
        rows = suppress(predictions, info.person, info.classes, self.score_threshold)
        boxes_xyxy = letterbox.to_source(rows[:, :4])
        whole = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2] > 0).all(axis=1)
        return Detections(boxes_xyxy[whole], rows[whole, 4])


class DetectionSchedule:
    """Detects in one stream, now and then at the second scale too.

    The first detection is one of both scales, and then one every ``SECOND_SCALE_EVERY_S``, so that
    small people are found at all. Once one shows somebody small, all are, until ``HOLD_S`` after
    the last of them. Without ``second_scale`` none is: where a budget of time is to be held. An
    image may ``wait`` until the second scale is prepared; a live one does not, and is the second.
    """

    def __init__(self, second_scale: bool = True) -> None:
        self._second_scale, self.wait = second_scale, True
        self.reset()

    def reset(self) -> None:
        """A new stream begins, or a new shot of it."""
        self._last_s = self._small_s = self._due_s = float("-inf")

    def detect(self, detector: Detector, image_bgr: ImageBgr, time_s: float) -> Detections:
        """The people in the image, uint8 (H, W, 3), of this time."""
        if time_s < self._last_s:
            self.reset()
        is_first, self._last_s = self._last_s == float("-inf"), time_s
        found = None
        if self._second_scale and time_s >= self._due_s and (self.wait or not is_first):
            found = detector.both_scales(image_bgr, self.wait)
        if found is None:
            return detector([image_bgr])[0]
        if found.small:
            self._small_s = time_s
        elif time_s - self._small_s > HOLD_S:
            self._due_s = time_s + SECOND_SCALE_EVERY_S
        return found.people


def detect_stills(detector: Detector, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
    """The people in stills, (H, W, 3) each, at both scales where a larger one is of use.

    Stills come in many shapes, and each would have to be compiled for: the larger input is square.
    """
    both = [detector.both_scales(image, wait=True, square=True) for image in images_bgr]
    others = iter(detector([image for image, one in zip(images_bgr, both, strict=True) if not one]))
    return [one.people if one else next(others) for one in both]


def suppress(
    predictions: NDArray[np.float32], person: int, classes: int, score_threshold: float
) -> NDArray[np.float64]:
    """Rows x1, y1, x2, y2, score of the people in one image, the surest first.

    ``predictions`` are those of one image. The rules are those of ultralytics: of boxes that
    overlap much the surest stays, and a candidate belongs to its likeliest class alone.
    """
    if predictions.shape[0] != 4 + classes and predictions.shape[1] == 6:
        rows = predictions[:, :5].astype(np.float64)
        rows = rows[(predictions[:, 5] == person) & (rows[:, 4] > score_threshold)]
    else:
        scores = predictions[4:]
        wanted = scores[person] > score_threshold
        if classes > 1:
            wanted &= scores.argmax(axis=0) == person
        xywh, sure = predictions[:4, wanted].T.astype(np.float64), scores[person, wanted]
        xywh[:, :2] -= xywh[:, 2:] / 2
        stay = cv2.dnn.NMSBoxes(xywh.tolist(), sure.tolist(), 0.0, OVERLAP_THRESHOLD)
        kept = np.asarray(stay, dtype=np.int64)
        xywh, sure = xywh[kept], sure[kept].astype(np.float64)
        rows = np.column_stack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:], sure])
    return rows[np.argsort(-rows[:, 4], kind="stable")[:MOST_PEOPLE]]


def second_scale_px(source_wh: tuple[int, int], usual_px: int) -> int | None:
    """Longer side of the larger input; None where it would hardly be larger."""
    longer_px = max(source_wh)
    wanted_px = min(longer_px, max(round(LARGER * usual_px), round(longer_px / MOST_REDUCED)))
    whole_px = -(-wanted_px // STRIDE) * STRIDE
    return whole_px if whole_px >= LEAST_LARGER * usual_px else None


def joined(usual: Detections, larger: Detections, letterbox: Letterbox) -> TwoScales:
    """The people of the usual input, and the small ones of the larger one, the surest first.

    ``letterbox`` is how the image lies in the usual input. Of two boxes of one person the surer
    stays.
    """
    inside = letterbox.to_input(larger.boxes_xyxy)
    larger = larger.select(inside[:, 3] - inside[:, 1] < SMALL_PX)
    same = boxes.iou(usual.boxes_xyxy, larger.boxes_xyxy) >= SAME_IOU
    found = same & (usual.scores >= SURE)[:, None]
    small = int((~found.any(axis=0)).sum())
    surer = larger.scores > usual.scores[:, None]
    usual = usual.select(~np.any(same & surer, axis=1))
    larger = larger.select(~np.any(same & ~surer, axis=0))
    people = Detections(
        np.concatenate([usual.boxes_xyxy, larger.boxes_xyxy]),
        np.concatenate([usual.scores, larger.scores]),
    )
    return TwoScales(people.select(np.argsort(-people.scores, kind="stable")), small)
