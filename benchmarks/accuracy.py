"""The accuracy that stands beside the baselines' speed: COCO AP on images with annotated people.

Only where a baseline has trained weights of its own; livepose's AP is on its weights' card. 17 of
MediaPipe's 33 landmarks are COCO's; it is given each annotated box, a quarter wider on each side,
as an image of its own. PP-TinyPose has the same boxes, the YOLO finds its own.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines import AbsentError, peer_file, shared_folder
from benchmarks.baselines.mediapipe_pose import solutions
from benchmarks.baselines.own import TINYPOSE
from benchmarks.baselines.yolo import STAND_IN
from benchmarks.plan import Plan
from livepose.boxes import Boxes
from livepose.estimator import PoseEstimator
from livepose.evaluation import EvaluationSettings, no_progress
from livepose.evaluation.run import CocoScorer, open_set, variants_of
from livepose.frame import ImageBgr
from studies.peers import DirectPeer, open_peer
from studies.peers.direct import People, run_direct

logger = logging.getLogger(f"livepose.{__name__}")
Array = NDArray[np.float64]

COCO_LANDMARKS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""COCO's 17 among MediaPipe's 33 landmarks."""
MARGIN = 0.25
"""Of the box, on each side: MediaPipe looks for the person by itself."""


class MediaPipePeer:
    """MediaPipe Pose in given boxes."""

    name = "MediaPipe Pose"
    backbone = "BlazePose full"
    input_hw = (256, 256)
    own_boxes = False
    cost = None

    def __init__(self) -> None:
        self._pose = solutions().pose.Pose(static_image_mode=True)

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes, scores: Array) -> People:
        """Keypoints of the people in these boxes; NaN and score 0 where it saw nobody."""
        found = [self._person(image_bgr, box) for box in boxes_xyxy]
        keypoints = np.array([xy for xy, _ in found], dtype=np.float64).reshape(-1, 17, 2)
        seen = np.array([score for _, score in found], dtype=np.float64).reshape(-1, 17)
        return People(keypoints, seen, boxes_xyxy, scores)

    def _person(self, image_bgr: ImageBgr, box_xyxy: Array) -> tuple[Array, Array]:
        height, width = image_bgr.shape[:2]
        grown = box_xyxy + MARGIN * np.tile(box_xyxy[2:] - box_xyxy[:2], 2) * (-1, -1, 1, 1)
        low = np.floor(np.maximum(grown[:2], 0)).astype(int)
        high = np.ceil(np.minimum(grown[2:], (width, height))).astype(int)
        crop_rgb = np.ascontiguousarray(image_bgr[low[1] : high[1], low[0] : high[0], ::-1])
        answer = self._pose.process(crop_rgb).pose_landmarks
        if answer is None:
            return np.full((17, 2), np.nan), np.zeros(17)
        marks = [answer.landmark[index] for index in COCO_LANDMARKS]
        # Its 0 to 1 runs from edge to edge of the image.
        inside = np.array([(mark.x, mark.y) for mark in marks]) * (high - low) - 0.5
        return inside + low, np.array([mark.visibility for mark in marks])


def measure_accuracy(plan: Plan) -> dict[str, Any]:
    """AP with its 95 % interval of every peer with trained weights."""
    folder = shared_folder()
    if folder is None or not (folder / "data" / "coco" / "dev").is_dir():
        return {"rows": {}, "why": "the images are not on this machine"}
    scored: dict[str, Any] = {}
    for key, opener in OPENERS.items():
        logger.info(f"accuracy of {key}")
        try:
            scored[key] = score(opener(), folder / "data" / "coco" / "dev", plan)
        except AbsentError as reason:
            scored[key] = {"why": str(reason)}
    return {"set": "350 images of COCO val2017, 984 people", "rows": scored}


OPENERS: dict[str, Callable[[], PoseEstimator | DirectPeer]] = {
    "tinypose": lambda: open_peer(f"tinypose:{peer_file(TINYPOSE)}"),
    "yolov8_int8": lambda: open_peer(f"ultralytics:{peer_file(STAND_IN)}"),
    "mediapipe": MediaPipePeer,
}


def score(peer: PoseEstimator | DirectPeer, folder: Path, plan: Plan) -> dict[str, Any]:
    """One peer on the set, by the protocol of ``livepose eval coco``."""
    settings = EvaluationSettings(folder / "images.zip", folder / "annotations.json", speed=False)
    settings = replace(settings, limit=4) if plan.quick else settings
    data = open_set(settings, no_progress)
    scorer = CocoScorer(data)
    try:
        if isinstance(peer, PoseEstimator):
            scorer.run(peer, variants_of(settings), "peer")
        else:
            run_direct(scorer, peer)
    finally:
        data.images.close()
    [row] = scorer.measured().rows
    interval = row.intervals["ap"]
    return {"ap": row.figures["ap"], "low": interval.low, "high": interval.high}
