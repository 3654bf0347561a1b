"""Several cameras or videos at once on one pair of networks: their people share batches.

Each stream has a pipeline of its own, with its own tracker, smoother and clock, and runs in a
thread of its own. Only the two networks are shared: what the streams ask of them at the same time
is done as one batch. Memory is that of one pipeline, plus a frame for each stream.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from livepose.batching import Clients, DynamicBatching
from livepose.boxes import Boxes
from livepose.detection import Detections, Detector, TwoScaleDetector, TwoScales
from livepose.estimator import Estimates, PoseEstimator
from livepose.frame import ImageBgr, StageClock
from livepose.pipeline import PosePipeline, Settings

Asked = tuple[ImageBgr, Boxes]


class PoseService:
    """Networks for several streams.

    Parameters
    ----------
    settings, **changes
        As for ``PosePipeline``.

    Examples
    --------
    In each stream's thread::

        with service.stream() as pipeline:
            for frame, poses in pipeline.run(source):
                ...
    """

    def __init__(
        self,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        self._first = PosePipeline(settings, **changes)
        self._clients = Clients()
        lock = threading.Lock()
        self._estimates: DynamicBatching[Asked, Estimates] = DynamicBatching(
            self._estimate, self._clients, lock
        )
        self._detections: DynamicBatching[ImageBgr, Detections] = DynamicBatching(
            self._detect, self._clients, lock
        )
        self._small: DynamicBatching[ImageBgr, TwoScales] = DynamicBatching(
            self._detect_small, self._clients, lock
        )

    @contextmanager
    def stream(self) -> Iterator[PosePipeline]:
        """A pipeline for one stream; others wait for it until the block ends."""
        first, clock = self._first, StageClock()
        first.in_turn.require_same_process()
        estimator = SharedEstimator(first.estimator, self._estimates, clock)
        detector: SharedDetector | None = None
        if isinstance(first.detector, TwoScaleDetector):
            detector = SharedTwoScaleDetector(first.detector, self._detections, self._small)
        elif first.detector is not None:
            detector = SharedDetector(first.detector, self._detections)
        with self._clients:
            yield PosePipeline(first.settings, networks=(estimator, detector))

    def warm_up(self, sizes_wh: Sequence[tuple[int, int]]) -> None:
        """Prepares the networks for one picture of each of these sizes, together and alone."""
        blanks = [np.zeros((*size_wh[::-1], 3), dtype=np.uint8) for size_wh in sizes_wh]
        boxes = [np.array([[0.0, 0.0, *size_wh]]) for size_wh in sizes_wh]
        self._estimate(list(zip(blanks, boxes, strict=True)))
        for size_wh in dict.fromkeys(sizes_wh):
            self._first.warm_up(size_wh)
        if self._first.detector is not None:
            for count in range(len(blanks), 1, -1):
                self._detect(blanks[:count])

    def _estimate(self, asked: Sequence[Asked]) -> list[Estimates]:
        images, boxes = [one[0] for one in asked], [one[1] for one in asked]
        return self._first.estimator.estimate_frames(images, boxes)

    def _detect(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        assert self._first.detector is not None  # noqa: S101 - only a shared detector asks
        return self._first.detector(images_bgr)

    def _detect_small(self, images_bgr: Sequence[ImageBgr]) -> list[TwoScales]:
        """One by one: no batches of the larger input have to be prepared."""
        detector = self._first.detector
        assert isinstance(detector, TwoScaleDetector)  # noqa: S101 - only such a detector asks
        return [detector.detect_small(image) for image in images_bgr]


class SharedEstimator(PoseEstimator):
    """The estimator of one stream: boxes go along in the others' batch."""

    def __init__(
        self,
        inner: PoseEstimator,
        batching: DynamicBatching[Asked, Estimates],
        clock: StageClock,
    ) -> None:
        # Not PoseEstimator's own: what it prepares is there already.
        self.runtime, self.geometry = inner.runtime, inner.geometry
        self.clock, self.method, self.calibration = clock, inner.method, inner.calibration
        self._readings, self.small_people, self.wait = {}, None, True
        self._inner, self._batching = inner, batching

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints of the people in these boxes, (P, 4), of one picture (H, W, 3)."""
        self._inner.wait = self.wait
        with self.clock.stage("network"):
            return self._batching((image_bgr, boxes_xyxy))

    def estimate_frames(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Estimates]:
        """The same for several pictures, each in the next batch."""
        return [self.estimate(*pair) for pair in zip(images_bgr, boxes_xyxy, strict=True)]


class SharedDetector:
    """The detector of one stream: pictures go along in the others' batch."""

    def __init__(self, inner: Detector, batching: DynamicBatching[ImageBgr, Detections]) -> None:
        self.name = inner.name
        self._batching = batching

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each of these pictures."""
        return [self._batching(image) for image in images_bgr]


class SharedTwoScaleDetector(SharedDetector):
    """The same for a detector that can take a second scale."""

    def __init__(
        self,
        inner: TwoScaleDetector,
        batching: DynamicBatching[ImageBgr, Detections],
        small: DynamicBatching[ImageBgr, TwoScales],
    ) -> None:
        super().__init__(inner, batching)
        self.can_detect_small = inner.can_detect_small
        self._small = small

    def detect_small(self, image_bgr: ImageBgr) -> TwoScales:
        """The people in this picture, the small ones of them in a larger input."""
        return self._small(image_bgr)
