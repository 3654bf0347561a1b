"""The way of a frame: detect, track, crop, network, decode, smooth.

``PosePipeline._follow`` is that way. Live, only the newest frame counts and nothing waits for a
batch; on files, decoding runs ahead in a thread and every frame is handled. The frames of a video
go one by one all the same: where people are in one comes from their poses in the one before.
Images of a folder go through the networks together. A budget's ``Scheduler`` says what waits.
"""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.budget import PoseSchedule, Scheduler
from livepose.detection import (
    Detections,
    DetectionSchedule,
    Detector,
    detect_stills,
    open_detector,
)
from livepose.errors import DeviceError
from livepose.estimator import Estimates, PoseEstimator
from livepose.frame import Frame, ImageBgr, StageClock
from livepose.poses import Poses
from livepose.runtimes import open_runtime
from livepose.runtimes.select import cuda_devices
from livepose.settings import Settings as Settings
from livepose.skeletons import SKELETONS
from livepose.smoothing import Smoother
from livepose.sources import Source, open_source
from livepose.sources.images import as_image_bgr
from livepose.threads import OneAtATime, give_way, prefetch
from livepose.tracking import ShotBoundaries, Tracked, Tracker, TrackerSettings

Image = ImageBgr | str | Path | Any
"""What stands for an image: an array, a file, or an image of PIL."""
FRAMES_PREFETCHED = 4
STILLS_TOGETHER = 4
"""Images of a folder that go through the networks together."""
WARM_BATCHES = (1, 2, 3, 4)
"""Numbers of people that are prepared for before the first frame."""
PATIENT_COAST_S = 1.0
"""So long may somebody wait for a turn, with a budget, before they count as out of sight."""
LONGEST_LEAD_S = 0.15
STAGES = ("detect", "track", "crop", "network", "decode", "smooth")


class PosePipeline:
    """Finds and follows the people in images.

    Threads may share one: it does their images in turn. A process that was forked opens its own.

    Parameters
    ----------
    settings : Settings, optional
        What to use; single settings may also be given by name.
    networks : (PoseEstimator, Detector or None), optional
        To be used instead of those that the settings name; see ``PoseService`` for several streams.
    told : callable, optional
        Hears "detector" and "pose network" when each is open, from whatever thread opened it.
    **changes
        Settings by name: ``PosePipeline(detector="none", smooth="none")``.

    Raises
    ------
    WeightsError
        When weights are missing or wrong.
    DeviceError
        When a device was asked for and is not there.

    Examples
    --------
    >>> pipeline = PosePipeline()                                   # doctest: +SKIP
    >>> for frame, poses in pipeline.run("in.mp4"):                 # doctest: +SKIP
    ...     print(frame.time_s, poses.track_ids, poses.keypoints_xy)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        networks: tuple[PoseEstimator, Detector | None] | None = None,
        told: Callable[[str], None] = lambda part: None,
        **changes: Any,
    ) -> None:
        self.settings = chosen = replace(settings or Settings(), **changes)
        self.lock = OneAtATime("this PosePipeline")
        self.clock = StageClock() if networks is None else networks[0].clock
        self.estimator, self.detector = networks or _open_networks(chosen, self.clock, told)
        self.skeleton = SKELETONS[self.estimator.runtime.card.skeleton]
        self.scheduler = Scheduler(chosen.max_latency_ms, chosen.target_fps)
        self.schedule = DetectionSchedule(second_scale=not self.scheduler.limited)
        whole = self.detector is None
        tracking = TrackerSettings(chosen.max_people, chosen.detect_every, whole_frame=whole)
        if self.scheduler.limited:
            tracking = replace(tracking, coast_s=PATIENT_COAST_S)
        self.tracker = Tracker(tracking, self.skeleton)
        self.smoother = Smoother(chosen.smooth)
        on_gpu = self.estimator.runtime.device != "cpu"  # which looks at a few more for nothing
        every = chosen.pose_every_frame or on_gpu or chosen.smooth == "none"
        self.pose_schedule = PoseSchedule(self.smoother, every)
        self.shots = ShotBoundaries()

    # -- one image -------------------------------------------------------------------------------

    def process(
        self,
        image: Image,
        time_s: float | None = None,
        captured_s: float | None = None,
    ) -> Poses:
        """The people in one image.

        Parameters
        ----------
        image : uint8 (H, W, 3), str, Path or PIL.Image.Image
            Blue first where it is an array; else a file, or an image of PIL.
        time_s : float, optional
            Time of this image in its stream, in seconds: people are then followed from the
            image before, and smoothed. Without a time the image stands for itself, and
            track ids only count the people in it.
        captured_s : float, optional
            ``time.perf_counter()`` at its capture, from which ``max_latency_ms`` counts.

        Raises
        ------
        UsageError
            When an array is not uint8 (H, W, 3), or it is no image at all.
        SourceError
            When a file cannot be read as an image.
        """
        if time_s is None:
            return self.process_stills([image])[0]
        image_bgr = as_image_bgr(image)
        with self.lock, self.clock.frame():
            self.schedule.wait = captured_s is None
            start_s = time.perf_counter()
            captured_s = start_s if captured_s is None else captured_s
            self.scheduler.begin(start_s - captured_s)
            poses = self._follow(image_bgr, time_s)
            self.scheduler.end(captured_s, start_s, time.perf_counter(), self.clock.frame_ms)
            return poses.in_frame(image_bgr.shape[1::-1])

    def _follow(self, image_bgr: ImageBgr, time_s: float) -> Poses:
        """The way of a frame."""
        with self.clock.stage("shots"):
            if self.shots.begins_shot(image_bgr):
                self._begin_shot()
        with self.clock.stage("detect"):
            detections = self._detect_if_due(image_bgr, time_s)
        with self.clock.stage("track"):
            tracked = self.tracker.update(time_s, detections, image_bgr)
            due = self.pose_schedule.due(time_s, tracked, image_bgr)
            now = self.scheduler.choose(tracked.track_ids.tolist(), due)
        poses = self._estimate(image_bgr, tracked.select(now))
        with self.clock.stage("track"):
            poses = self.tracker.observe(time_s, poses)
            self.pose_schedule.posed(time_s, poses)
        with self.clock.stage("smooth"):
            poses = self.smoother.apply(time_s, poses)
            waiting = tracked.select(~now)
            return self._with_propagated(time_s, poses, waiting, due[~now]) if waiting else poses

    def _detect_if_due(self, image_bgr: ImageBgr, time_s: float) -> Detections | None:
        if not self.tracker.needs_detection(time_s) or not self.scheduler.may_detect(time_s):
            return None
        if self.detector is None:
            return Detections.whole(image_bgr)
        return self.schedule.detect(self.detector, image_bgr, time_s)

    def _estimate(self, image_bgr: ImageBgr, tracked: Tracked) -> Poses:
        """Crop, network, decode."""
        if not len(tracked):
            return self._unknown(tracked)
        return self._as_poses(tracked, self.estimator.estimate(image_bgr, tracked.boxes_xyxy))

    def _with_propagated(
        self, time_s: float, poses: Poses, waiting: Tracked, overdue: NDArray[np.bool_]
    ) -> Poses:
        """Adds those who were not looked at, unless they turned out to be nobody."""
        places = self.tracker.predict(time_s)
        waits = np.setdiff1d(waiting.track_ids, poses.track_ids)
        places = places.select(np.isin(places.track_ids, waits))
        overdue = np.isin(places.track_ids, waiting.track_ids[overdue])
        return self.pose_schedule.propagate(time_s, poses, self._unknown(places), overdue)

    def _begin_shot(self) -> None:
        self.tracker.begin_shot()
        self.smoother.reset()
        self.pose_schedule.reset()
        self.schedule.reset()

    def process_stills(self, images: Sequence[Image]) -> list[Poses]:
        """The people in images that have nothing to do with each other.

        Both networks run on all of them together; what is found in one does not depend on the
        others. They remember their images, for ``Poses.plot``.

        Raises
        ------
        UsageError, SourceError
            As for ``process``.
        """
        images_bgr = [as_image_bgr(one_image) for one_image in images]
        with self.lock, self.clock.frame():
            with self.clock.stage("detect"):
                people = [self._surest(found) for found in self._detect(images_bgr)]
            boxes_xyxy = [tracked.boxes_xyxy for tracked in people]
            estimates = self.estimator.estimate_frames(images_bgr, boxes_xyxy)
            trios = zip(people, estimates, images_bgr, strict=True)
            return [self._as_poses(*trio).in_frame(trio[-1].shape[1::-1]) for trio in trios]

    def _surest(self, found: Detections) -> Tracked:
        best = np.argsort(-found.scores, kind="stable")[: self.settings.max_people]
        return Tracked(found.boxes_xyxy[best], np.arange(1, len(best) + 1), found.scores[best])

    def _detect(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        if self.detector is None:
            return [Detections.whole(image_bgr) for image_bgr in images_bgr]
        return detect_stills(self.detector, images_bgr)

    def _unknown(self, tracked: Tracked) -> Poses:
        return self._as_poses(tracked, Estimates.unknown(len(tracked), self.skeleton))

    def _as_poses(
        self, tracked: Tracked, estimates: Estimates, image_bgr: ImageBgr | None = None
    ) -> Poses:
        return Poses(
            keypoints_xy=estimates.keypoints_xy,
            keypoint_scores=estimates.keypoint_scores,
            boxes_xyxy=tracked.boxes_xyxy,
            scores=tracked.scores,
            track_ids=tracked.track_ids,
            covariance_px2=estimates.covariance_px2,
            skeleton=self.skeleton,
            image_bgr=image_bgr,
        )

    # -- a source ----------------------------------------------------------------------------------

    def run(self, source: str | int | Path | Source) -> Generator[tuple[Frame, Poses], None, None]:
        """Every frame of a camera, file, folder or URL with the people in it.

        Raises
        ------
        SourceError
            When the source cannot be opened or is lost.
        """
        opened = open_source(source) if isinstance(source, str | int | Path) else source
        self.reset()
        frames = self._due(opened) if opened.live else prefetch(opened, FRAMES_PREFETCHED)
        found = self._still(frames) if opened.kind == "images" else self._moving(frames)
        try:
            with closing(frames):
                yield from found
        finally:
            opened.close()

    def _moving(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, Poses], None, None]:
        for frame in frames:
            yield frame, self.process(frame.image_bgr, frame.time_s, frame.captured_s)

    def _still(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, Poses], None, None]:
        left = iter(frames)
        while some := list(islice(left, STILLS_TOGETHER)):
            poses = self.process_stills([frame.image_bgr for frame in some])
            yield from zip(some, poses, strict=True)

    def _due(self, frames: Iterable[Frame]) -> Generator[Frame, None, None]:
        """The frames of a live source that the budget does not let go."""
        skipped = 0
        for frame in frames:
            age_s = None if frame.captured_s is None else time.perf_counter() - frame.captured_s
            if self.scheduler.should_skip(frame.time_s, age_s):
                skipped += 1 + frame.dropped
            else:
                yield replace(frame, dropped=frame.dropped + skipped) if skipped else frame
                skipped = 0

    def shown_after(self, latency_s: float) -> None:
        """Poses reach the eye this long after their image: ``predict`` makes up for it."""
        self.scheduler.shown(latency_s)
        if self.settings.predict and self.settings.smooth != "none":
            self.smoother.lead_s = min(max(latency_s, 0.0), LONGEST_LEAD_S)

    def reset(self) -> None:
        """Forgets everybody: the next image begins a new stream."""
        self._begin_shot()
        for one in (self.tracker, self.shots, self.scheduler):
            one.reset()

    # -- before the first frame --------------------------------------------------------------------

    def warm_up(self, size_wh: tuple[int, int] = (640, 480), live: bool = False) -> None:
        """Compiles and allocates what the first frame would otherwise wait for.

        A ``live`` image waits for the batch of one person alone; larger ones come beside.
        """
        blank_bgr = np.zeros((*size_wh[::-1], 3), dtype=np.uint8)
        warm_up, on_cpu = self.estimator.runtime.warm_up, self.estimator.runtime.device == "cpu"
        sooner = live and on_cpu and not self.scheduler.limited
        sizes = WARM_BATCHES[:1] if sooner else WARM_BATCHES
        detect = self.detector or (lambda images_bgr: None)
        _both(lambda: warm_up(sizes), lambda: detect([blank_bgr]), together=on_cpu)
        for people in WARM_BATCHES if self.scheduler.limited else WARM_BATCHES[:1]:
            self._warm_stages(blank_bgr, people)
        self.reset()
        self.process(blank_bgr, 0.0, time.perf_counter())  # as a live one: in the usual input alone
        self.reset()
        self.clock.clear()
        if sooner:
            Thread(target=self._warm_batches, name="batches", daemon=True).start()

    def _warm_batches(self) -> None:
        give_way()
        # People go through the network one by one where this fails.
        with suppress(RuntimeError, DeviceError):
            self.estimator.runtime.warm_up(WARM_BATCHES)

    def _warm_stages(self, blank_bgr: ImageBgr, people: int) -> None:
        """Runs the stages on people who are not there, and learns what their crops cost."""
        height, width = blank_bgr.shape[:2]
        left = np.linspace(0.0, width, people + 1)[:-1]
        low_xy = np.stack([left, np.zeros(people)], axis=1)
        high_xy = np.add(low_xy, (width / people, height))
        boxes_xyxy = np.concatenate([low_xy, high_xy], axis=1)
        start_s = time.perf_counter()
        self.estimator.estimate(blank_bgr, boxes_xyxy)
        self.scheduler.costs.learn_crops(people, time.perf_counter() - start_s)
        joints = len(self.skeleton.keypoints)
        parts = np.linspace(0.1, 0.9, joints)[:, None]
        keypoints_xy = low_xy[:, None] + parts * (high_xy - low_xy)[:, None]
        shape = people, joints
        seen = Estimates(keypoints_xy, np.ones(shape), np.ones((*shape, 2, 2)))
        self.tracker.reset()
        for time_s in (0.0, 0.1):
            found = None if time_s else Detections(boxes_xyxy, np.ones(people))
            tracked = self.tracker.update(time_s, found)
            poses = self._as_poses(tracked, seen.select(tracked.track_ids - 1))
            poses = self.tracker.observe(time_s, poses)
            self.tracker.needs_detection(time_s)
            self.smoother.apply(time_s, poses)


def _open_networks(
    chosen: Settings, clock: StageClock, told: Callable[[str], None]
) -> tuple[PoseEstimator, Detector | None]:
    def open_pose() -> PoseEstimator:
        names = chosen.weights, chosen.runtime, chosen.device, chosen.precision
        runtime = open_runtime(*names, input_hw=chosen.input_hw, offline=chosen.offline)
        estimator = PoseEstimator(runtime, chosen.decode, clock)
        told("pose network")
        return estimator

    def open_boxes() -> Detector | None:
        detector = open_detector(
            chosen.detector,
            chosen.device,
            size_px=chosen.detector_size_px,
            score_threshold=chosen.detector_threshold,
            offline=chosen.offline,
        )
        told("detector")
        return detector

    on_gpu = chosen.device != "cpu" and (chosen.device == "mps" or cuda_devices() > 0)
    return _both(open_pose, open_boxes, together=not on_gpu)


def _both(first: Callable[[], Any], second: Callable[[], Any], together: bool) -> tuple[Any, Any]:
    """What both return, at the same time but on GPUs: Apple's fail where two threads use them."""
    if not together:
        return first(), second()
    with ThreadPoolExecutor(1) as beside:
        other = beside.submit(second)
        return first(), other.result()
