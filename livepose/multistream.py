"""Several cameras or videos at once on one pair of networks: their people share batches.

Each stream has a pipeline of its own, with its own tracker, smoother and clock, and runs in a
thread of its own. Only the two networks are shared: what the streams ask of them at the same time
is done as one batch. Memory is that of one pipeline, plus a frame for each stream.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from livepose.boxes import Boxes
from livepose.detection import Detections, Detector, TwoScales
from livepose.estimator import Estimates, PoseEstimator
from livepose.frame import ImageBgr, StageClock
from livepose.pipeline import PosePipeline, Settings

Answer = TypeVar("Answer")
PATIENCE_S = 0.002
"""So long the first of a batch waits for the others."""


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

    def __init__(self, settings: Settings | None = None, **changes: Any) -> None:
        self._first = PosePipeline(settings, **changes)
        self._batching = DynamicBatching()

    @contextmanager
    def stream(self) -> Iterator[PosePipeline]:
        """A pipeline for one stream; others wait for it until the block ends."""
        self._first.lock.require_same_process()
        inner = self._first.detector
        detector = None if inner is None else SharedDetector(inner, self._batching)
        estimator = SharedEstimator(self._first.estimator, self._batching)
        with self._batching.client():
            yield PosePipeline(self._first.settings, networks=(estimator, detector))

    def warm_up(self, sizes_wh: Sequence[tuple[int, int]]) -> None:
        """Prepares the networks for one image of each of these sizes, together and alone."""
        for size_wh in dict.fromkeys(sizes_wh):
            self._first.warm_up(size_wh)
        blanks = [np.zeros((*size_wh[::-1], 3), dtype=np.uint8) for size_wh in sizes_wh]
        for count in range(len(blanks), 1, -1):
            if self._first.detector is not None:
                self._first.detector(blanks[:count])


class DynamicBatching:
    """Makes batches of what several threads ask at the same time.

    Whoever comes first waits until every client asks, but no longer than ``PATIENCE_S``; it then
    does the work for all who are there, in the order in which they came. One batch is worked on at
    a time.
    """

    def __init__(self) -> None:
        self.at_work = threading.Lock()
        self._clients = 0
        self._changed = threading.Condition()
        self._waiting: dict[Any, list[tuple[tuple[Any, ...], Future[Any]]]] = defaultdict(list)

    @contextmanager
    def client(self) -> Iterator[None]:
        """Inside the block there is one more who may ask."""
        with self._changed:
            self._clients += 1
        try:
            yield
        finally:
            with self._changed:
                self._clients -= 1
                self._changed.notify_all()

    def __call__(self, work: Callable[..., Sequence[Answer]], *asked: Any) -> Answer:
        """The answer of ``work``, which takes a list for each of these arguments; waits for it.

        An error of it is raised in every thread that waits.
        """
        answer: Future[Answer] = Future()
        with self._changed:
            waiting = self._waiting[work]
            waiting.append((asked, answer))
            leads = len(waiting) == 1
            self._changed.notify_all()
        if leads:
            self._lead(work)
        return answer.result()

    def _lead(self, work: Callable[..., Sequence[Any]]) -> None:
        """Waits for the others, and for the lock; who came meanwhile is taken along."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting[work]) >= self._clients, PATIENCE_S)
        with self.at_work:
            with self._changed:
                asked, futures = zip(*self._waiting.pop(work), strict=True)
            try:
                answers = work(*map(list, zip(*asked, strict=True)))
                for future, answer in zip(futures, answers, strict=True):
                    future.set_result(answer)
            except BaseException as error:  # raised again by every thread that waits
                for future in futures:
                    if not future.done():
                        future.set_exception(error)


class SharedEstimator(PoseEstimator):
    """The estimator of one stream: boxes go along in the others' batch."""

    def __init__(self, inner: PoseEstimator, batching: DynamicBatching) -> None:
        vars(self).update(vars(inner), clock=StageClock())
        self._inner, self._batching = inner, batching

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints of the people in these boxes, (P, 4), of one image (H, W, 3)."""
        self._inner.method = self.method
        with self.clock.stage("network"):
            return self._batching(self._inner.estimate_frames, image_bgr, boxes_xyxy)

    def estimate_frames(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Estimates]:
        """The same for several images, each in the next batch."""
        return [self.estimate(*pair) for pair in zip(images_bgr, boxes_xyxy, strict=True)]


class SharedDetector(Detector):
    """The detector of one stream: images go along in the others' batch."""

    def __init__(self, inner: Detector, batching: DynamicBatching) -> None:
        self.name = inner.name
        self._inner, self._batching = inner, batching

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each of these images."""
        return [self._batching(self._inner, image) for image in images_bgr]

    def both_scales(
        self, image_bgr: ImageBgr, wait: bool, square: bool = False
    ) -> TwoScales | None:
        """The people in this image, the small ones of them in a larger input; one by one."""
        with self._batching.at_work:
            return self._inner.both_scales(image_bgr, wait, square)
