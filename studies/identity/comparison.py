"""Trackers on the same scenes and the same detections: livepose's, and ultralytics' ByteTrack."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from livepose.boxes import to_xywh
from livepose.detection import Detections
from livepose.detection.checkpoint import ultralytics
from livepose.errors import UsageError
from livepose.frame import ImageBgr
from livepose.pipeline import PosePipeline
from livepose.poses import Poses
from livepose.tracking import Tracked, Tracker, TrackerSettings
from studies.identity.detections import noisy_detections, noisy_poses
from studies.identity.scenes import FPS, Scene
from studies.identity.scoring import Answer, Run, score

LEAST_SCORE = 0.1
"""Boxes from here on are handed to the trackers, as ultralytics does when it tracks."""
PoseIn = Callable[[int, Tracked], Poses]
"""Poses in these boxes at this frame."""


@dataclass(frozen=True)
class Material:
    """What trackers are given of one scene: detections of each frame, and who estimates poses."""

    scene: Scene
    detections: Sequence[Detections]
    pose_in: PoseIn
    see: Callable[[int], ImageBgr]
    """The image of each frame."""


def made_material(scene: Scene) -> Material:
    """Detections and poses from the noise model."""

    def pose_in(index: int, tracked: Tracked) -> Poses:
        random = np.random.default_rng([scene.seed, index, 3])
        return noisy_poses(tracked, scene.truth(index), random)

    return Material(scene, list(noisy_detections(scene, scene.seed)), pose_in, scene.image)


def seen_material(scene: Scene, pipeline: PosePipeline) -> Material:
    """What the pipeline's networks see in each frame of a scene."""
    images_bgr = [scene.image(index) for index in range(scene.frame_count)]
    detector = pipeline.detector
    if detector is None:
        raise ValueError("pipeline: expected one with a detector")

    def pose_in(index: int, tracked: Tracked) -> Poses:
        if not len(tracked):
            return Poses.empty(pipeline.skeleton)
        found = pipeline.estimator.estimate(images_bgr[index], tracked.boxes_xyxy)
        return Poses(
            found.keypoints_xy, found.keypoint_scores, tracked.boxes_xyxy, tracked.scores,
            tracked.track_ids, found.covariance_px2, pipeline.skeleton,
        )  # fmt: skip

    detections = [detector([image])[0] for image in images_bgr]
    return Material(scene, detections, pose_in, images_bgr.__getitem__)


class ByteTrack:
    """ultralytics' ``BYTETracker`` with the settings that it ships (bytetrack.yaml)."""

    name = "ultralytics ByteTrack"

    def __init__(self) -> None:
        ultralytics()  # quietly
        try:
            import lap  # noqa: F401  # else ultralytics would try to install it
        except ImportError as error:
            raise UsageError(
                "ultralytics' ByteTrack needs the package lap: pip install 'livepose[eval]'"
            ) from error
        from ultralytics.trackers.byte_tracker import BYTETracker
        from ultralytics.utils import YAML
        from ultralytics.utils.checks import check_yaml

        settings = YAML.load(check_yaml("bytetrack.yaml"))
        self._tracker = BYTETracker(SimpleNamespace(**settings))

    def __call__(self, detections: Detections) -> Answer:
        """Who is who in the next frame."""
        rows = self._tracker.update(_Rows(detections.boxes_xyxy, detections.scores))
        rows = np.asarray(rows, dtype=np.float64).reshape(-1, 8)
        return Answer(rows[:, :4], rows[:, 4].astype(np.int64))


class _Rows:
    """Detections in the form that ultralytics' trackers take."""

    def __init__(self, boxes_xyxy: Any, scores: Any) -> None:
        self.xyxy, self.conf = np.asarray(boxes_xyxy), np.asarray(scores)
        self.xywh, self.cls = to_xywh(self.xyxy), np.zeros(len(self.conf))

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, which: Any) -> "_Rows":
        return _Rows(self.xyxy[which], self.conf[which])


def run_livepose(material: Material, settings: TrackerSettings, poses: bool = True) -> Run:
    """The tracker of livepose; without ``poses`` no pose is estimated, and boxes alone lead it."""
    scene, tracker = material.scene, Tracker(settings)
    answers, detected = [], 0
    for index in range(scene.frame_count):
        time_s = index / FPS
        due = tracker.needs_detection(time_s)
        detected += due
        found, image_bgr = (
            (material.detections[index], material.see(index)) if due else (None, None)
        )
        tracked = tracker.update(time_s, found, image_bgr)
        answer = Answer(tracked.boxes_xyxy, tracked.track_ids)
        if poses:
            seen = tracker.observe(time_s, material.pose_in(index, tracked))
            answer = Answer(seen.boxes_xyxy, seen.track_ids)
        answers.append(answer)
    return as_run(scene, _name(settings, poses), answers, detected)


def run_bytetrack(material: Material) -> Run:
    """The ByteTrack of ultralytics, which sees every frame."""
    tracker = ByteTrack()
    answers = [tracker(detections) for detections in material.detections]
    return as_run(material.scene, tracker.name, answers, len(answers))


def run_truth(material: Material) -> Run:
    """The truth itself: who vanishes behind somebody is a fragment even then."""
    scene, answers = material.scene, []
    for index in range(scene.frame_count):
        truth = scene.truth(index)
        who = np.flatnonzero(truth.visible > 0)
        answers.append(Answer(truth.boxes_xyxy[who], who))
    return as_run(scene, "the truth itself", answers, len(answers))


def as_run(scene: Scene, name: str, answers: Sequence[Answer], detected: int) -> Run:
    """The score of these answers."""
    truths = [scene.truth(index) for index in range(scene.frame_count)]
    used = np.unique(np.concatenate([answer.ids for answer in answers]))
    return Run(scene.name, name, score(truths, answers), len(used), detected, len(answers))


def compare(material: Material, intervals: Iterable[int | None]) -> list[Run]:
    """The truth, ByteTrack, livepose by boxes alone, and at each interval (None adapts)."""
    settings = TrackerSettings()
    blind = run_livepose(material, replace(settings, detect_every=1), poses=False)
    own = [run_livepose(material, replace(settings, detect_every=every)) for every in intervals]
    return [run_truth(material), run_bytetrack(material), blind, *own]


def _name(settings: TrackerSettings, poses: bool) -> str:
    every = settings.detect_every
    interval = "adaptive" if every is None else f"every {every}"
    return f"livepose, {interval}" + ("" if poses else ", boxes alone")
