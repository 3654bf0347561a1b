"""Trackers play the same scenes on the same detections."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from livepose.detection import Detections
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.tracking import Tracked, Tracker, TrackerSettings
from studies.identity.detections import noisy_detections, noisy_poses
from studies.identity.peers import ByteTrack
from studies.identity.scenes import Scene
from studies.identity.scoring import Answer, score

Look = Callable[[int, Tracked], Poses]
"""Poses in these boxes at this frame."""


@dataclass(frozen=True)
class Played:
    """One tracker on one scene: TrackEval's figures, and how many ids it used."""

    scene: str
    tracker: str
    figures: dict[str, Any]
    ids: int
    looks: int
    """Frames at which it saw detections ..."""
    frames: int
    """... of so many."""


@dataclass(frozen=True)
class Material:
    """What trackers are given of one scene: detections of each frame, and who looks for poses."""

    scene: Scene
    detections: Sequence[Detections]
    look: Look
    see: Callable[[int], ImageBgr]
    """The picture of each frame."""


def made_material(scene: Scene) -> Material:
    """Detections and poses from the noise model."""

    def look(index: int, tracked: Tracked) -> Poses:
        random = np.random.default_rng([scene.seed, index, 3])
        return noisy_poses(tracked, scene.truth(index), random)

    return Material(scene, list(noisy_detections(scene, scene.seed)), look, scene.image)


def play_livepose(material: Material, settings: TrackerSettings, poses: bool = True) -> Played:
    """The tracker of livepose; without ``poses`` it never looks, and boxes alone lead it."""
    scene, tracker = material.scene, Tracker(settings)
    answers, looks = [], 0
    for index in range(scene.frame_count):
        time_s = index / scene.fps if scene.fps else 0.0
        due = tracker.needs_detection(time_s)
        looks += due
        found, image_bgr = (
            (material.detections[index], material.see(index)) if due else (None, None)
        )
        tracked = tracker.update(time_s, found, image_bgr)
        answer = Answer(tracked.boxes_xyxy, tracked.track_ids)
        if poses:
            seen = tracker.observe(time_s, material.look(index, tracked))
            answer = Answer(seen.boxes_xyxy, seen.track_ids)
        answers.append(answer)
    return played(scene, _name(settings, poses), answers, looks)


def play_bytetrack(material: Material) -> Played:
    """The ByteTrack of ultralytics, which sees every frame."""
    tracker = ByteTrack()
    answers = [tracker(detections) for detections in material.detections]
    return played(material.scene, tracker.name, answers, len(answers))


def play_truth(material: Material) -> Played:
    """The truth itself: who vanishes behind somebody is a fragment even then."""
    scene, answers = material.scene, []
    for index in range(scene.frame_count):
        truth = scene.truth(index)
        who = np.flatnonzero(truth.visible > 0)
        answers.append(Answer(truth.boxes_xyxy[who], who))
    return played(scene, "the truth itself", answers, len(answers))


def played(scene: Scene, name: str, answers: Sequence[Answer], looks: int) -> Played:
    """The score of these answers."""
    truths = [scene.truth(index) for index in range(scene.frame_count)]
    used = np.unique(np.concatenate([answer.ids for answer in answers]))
    return Played(scene.name, name, score(truths, answers), len(used), looks, len(answers))


def contest(material: Material, intervals: Iterable[int | None]) -> list[Played]:
    """The truth, ByteTrack, livepose by boxes alone, and at each interval (None adapts)."""
    settings = TrackerSettings()
    blind = play_livepose(material, replace(settings, detect_every=1), poses=False)
    own = [play_livepose(material, replace(settings, detect_every=every)) for every in intervals]
    return [play_truth(material), play_bytetrack(material), blind, *own]


def _name(settings: TrackerSettings, poses: bool) -> str:
    every = settings.detect_every
    interval = "adaptive" if every is None else f"every {every}"
    return f"livepose, {interval}" + ("" if poses else ", boxes alone")
