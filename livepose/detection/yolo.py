"""YOLO as a detector of people: letterbox, network, non-maximum suppression, and back."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.detection.letterbox import Letterbox
from livepose.detection.protocol import (
    Detections,
    Engine,
    Predictions,
    PreparedEngine,
)
from livepose.detection.small_people import TwoScales, joined, second_scale_px
from livepose.frame import ImageBgr

Floats = NDArray[np.float64]

SCORE_THRESHOLD = 0.25
"""ultralytics' own; the tracker decides what weak boxes are worth."""
OVERLAP_THRESHOLD = 0.7
"""ultralytics' own: people who stand close keep their boxes."""
MOST_PEOPLE = 300
SMALL_PICTURE_PX, SMALL_INPUT_PX, LARGE_INPUT_PX = 860, 416, 640
"""Pictures with a longer side up to the first are seen at the second, others at the third."""


class YoloDetector:
    """Finds people with a YOLO network, which ``engine`` runs.

    ``person`` is the index of that class among so many ``classes``, ``size_px`` the longer side of
    the input (None chooses by the picture), ``score_threshold`` the lowest score of a box, and
    ``adapts`` whether it may take a second scale, see ``small_people``.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        person: int,
        classes: int,
        size_px: int | None = None,
        score_threshold: float | None = None,
        adapts: bool = False,
    ) -> None:
        self.name = name
        self.engine = engine
        self.adapts = adapts and engine.input_wh is None
        self.score_threshold = SCORE_THRESHOLD if score_threshold is None else score_threshold
        self._person, self._classes, self._size_px = person, classes, size_px

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each picture, uint8 (H, W, 3); pictures of one shape go in one batch.

        ValueError when a picture is not uint8 (H, W, 3).
        """
        return self._detect(images_bgr, [self._letterbox(image) for image in images_bgr])

    def can_detect_small(self, source_wh: tuple[int, int], wait: bool) -> bool:
        """Whether a second scale is of use at this size of picture, and can be had at once.

        What it needs is otherwise prepared beside; with ``wait`` the detection waits for it.
        """
        larger = self._larger_letterbox(source_wh)
        if larger is None or wait or not isinstance(self.engine, PreparedEngine):
            return larger is not None
        return self.engine.prepare(larger.input_wh)

    def detect_small(self, image_bgr: ImageBgr) -> TwoScales:
        """The people in a picture, uint8 (H, W, 3), the small ones of them in a larger input.

        ValueError when the picture is not uint8 (H, W, 3).
        """
        usual = self._letterbox(image_bgr)
        larger = self._larger_letterbox(usual.source_wh)
        [people] = self._detect([image_bgr], [usual])
        more = people if larger is None else self._detect([image_bgr], [larger])[0]
        return joined(people, more, usual)

    def _detect(
        self, images_bgr: Sequence[ImageBgr], boxes: Sequence[Letterbox]
    ) -> list[Detections]:
        found: dict[int, Detections] = {}
        for input_wh in dict.fromkeys(box.input_wh for box in boxes):
            which = [index for index, box in enumerate(boxes) if box.input_wh == input_wh]
            images, letterboxes = [images_bgr[n] for n in which], [boxes[n] for n in which]
            predictions = self._predict(images, letterboxes)
            for index, one in zip(which, predictions, strict=True):
                found[index] = self._people(one, boxes[index])
        return [found[index] for index in range(len(boxes))]

    def _letterbox(self, image_bgr: ImageBgr) -> Letterbox:
        shape, kind = np.shape(image_bgr), getattr(image_bgr, "dtype", type(image_bgr))
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
            raise ValueError(f"image_bgr: expected uint8 (H, W, 3), got {kind} {shape}")
        source_wh = (shape[1], shape[0])
        if self.engine.input_wh is not None:
            return Letterbox.into(source_wh, self.engine.input_wh)
        return Letterbox.fit(source_wh, self._usual_px(source_wh))

    def _larger_letterbox(self, source_wh: tuple[int, int]) -> Letterbox | None:
        """How a picture lies in the larger input; None where there is no use in one."""
        longer_px = second_scale_px(source_wh, self._usual_px(source_wh)) if self.adapts else None
        return None if longer_px is None else Letterbox.fit(source_wh, longer_px)

    def _usual_px(self, source_wh: tuple[int, int]) -> int:
        return self._size_px or default_size_px(source_wh)

    def _predict(
        self, images_bgr: Sequence[ImageBgr], letterboxes: Sequence[Letterbox]
    ) -> Predictions:
        pairs = zip(letterboxes, images_bgr, strict=True)
        return self.engine(np.stack([letterbox.apply(image) for letterbox, image in pairs]))

    def _people(self, predictions: NDArray[np.float32], letterbox: Letterbox) -> Detections:
        rows = suppress(
            predictions,
            self._person,
            self._classes,
            self.score_threshold,
            OVERLAP_THRESHOLD,
            MOST_PEOPLE,
        )
        boxes_xyxy = letterbox.to_source(rows[:, :4])
        whole = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2] > 0).all(axis=1)
        return Detections(boxes_xyxy[whole], rows[whole, 4])


def default_size_px(source_wh: tuple[int, int]) -> int:
    """Longer side of the input that suits a picture of this size."""
    return SMALL_INPUT_PX if max(source_wh) <= SMALL_PICTURE_PX else LARGE_INPUT_PX


def suppress(
    predictions: NDArray[np.float32],
    person: int,
    classes: int,
    score_threshold: float,
    overlap_threshold: float,
    most: int,
) -> Floats:
    """Rows x1, y1, x2, y2, score of the people in one picture, the surest first.

    The rules are those of ultralytics: of boxes that overlap much the surest stays, and a
    candidate belongs to its likeliest class alone. ``predictions`` float32 are centre, size and
    scores of candidates, (4 + classes, N), or corners, score and class of networks that need no
    suppression, (N, 6). From ``overlap_threshold`` (IoU) on two boxes are one; at most ``most``
    rows come back.
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
        stay = cv2.dnn.NMSBoxes(xywh.tolist(), sure.tolist(), 0.0, overlap_threshold)
        kept = np.asarray(stay, dtype=np.int64)
        xywh, sure = xywh[kept], sure[kept].astype(np.float64)
        rows = np.column_stack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:], sure])
    return rows[np.argsort(-rows[:, 4], kind="stable")[:most]]
