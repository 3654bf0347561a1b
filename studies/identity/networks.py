"""The real detector and pose network look at made scenes."""

from livepose.pipeline import PosePipeline
from livepose.poses import Poses
from livepose.tracking import Tracked
from studies.identity.contest import Material
from studies.identity.scenes import Scene

LEAST_SCORE = 0.1
"""Boxes from here on are handed to the trackers, as ultralytics does when it tracks."""


def seen_material(scene: Scene, pipeline: PosePipeline) -> Material:
    """What the pipeline's networks see in each frame of a scene."""
    images_bgr = [scene.image(index) for index in range(scene.frame_count)]
    detector = pipeline.detector
    if detector is None:
        raise ValueError("pipeline: expected one with a detector")

    def look(index: int, tracked: Tracked) -> Poses:
        if not len(tracked):
            return Poses.empty(pipeline.skeleton)
        found = pipeline.estimator.estimate(images_bgr[index], tracked.boxes_xyxy)
        return Poses(
            found.keypoints_xy, found.keypoint_scores, tracked.boxes_xyxy, tracked.scores,
            tracked.track_ids, found.covariance_px2, pipeline.skeleton,
        )  # fmt: skip

    detections = [detector([image])[0] for image in images_bgr]
    return Material(scene, detections, look, images_bgr.__getitem__)
