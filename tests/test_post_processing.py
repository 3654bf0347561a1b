"""What a frame costs besides the networks: decode, track and smooth four people."""

import copy
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import CARD, STANDING_XY

from livepose.detection import Detections
from livepose.estimator import PoseEstimator
from livepose.heatmaps import encode_dark
from livepose.poses import Poses
from livepose.smoothing import Smoother
from livepose.tracking import Tracker

PEOPLE, STEP_S = 4, 1 / 30
LEFTS_PX = np.array([20.0, 180.0, 340.0, 500.0])


@pytest.fixture(scope="module")
def heatmaps():
    rng = np.random.default_rng(0)
    joints = STANDING_XY + rng.normal(0, 0.3, (PEOPLE, 17, 2))
    maps = encode_dark(joints, np.ones((PEOPLE, 17)), (32, 24), 1.5).targets
    return maps + rng.uniform(0, 0.01, maps.shape).astype(np.float32)


def boxes_at(index):
    left = LEFTS_PX + 20 * np.sin(index * STEP_S + np.arange(PEOPLE))
    return np.stack([left, np.full(PEOPLE, 60.0), left + 90, np.full(PEOPLE, 300.0)], axis=1)


class Stream:
    """The way of a frame from heatmaps to smoothed poses, over and over."""

    def __init__(self, heatmaps):
        self.estimator = PoseEstimator(SimpleNamespace(card=CARD, name="none"))
        self.heatmaps = heatmaps
        self.tracker, self.smoother = Tracker(), Smoother()
        self.counter = itertools.count()
        self.detections = 0

    def frame(self):
        index = next(self.counter)
        time_s, found = index * STEP_S, None
        if self.tracker.needs_detection(time_s):
            found = Detections(boxes_at(index), np.full(PEOPLE, 0.9))
            self.detections += 1
        tracked = self.tracker.update(time_s, found)
        # The network would see where people are: heatmaps stand still within true boxes.
        order = np.abs(tracked.boxes_xyxy[:, :1] - boxes_at(index)[:, 0]).argmin(axis=1)
        seen = self.estimator.decode(self.heatmaps, boxes_at(index)[order])
        of_boxes = tracked.boxes_xyxy, tracked.scores, tracked.track_ids
        poses = Poses(seen.keypoints_xy, seen.keypoint_scores, *of_boxes, seen.covariance_px2)
        poses = self.tracker.observe(time_s, poses)
        return self.smoother.apply(time_s, poses).in_frame((640, 480))


def test_four_people_are_followed_while_the_detector_rests(heatmaps):
    stream = Stream(heatmaps)
    ids = {tuple(stream.frame().track_ids) for _ in range(90)}
    assert len(ids) == 1 and len(ids.pop()) == PEOPLE
    assert stream.detections < 45


def test_what_is_handed_out_is_nobody_elses_memory(heatmaps):
    stream = Stream(heatmaps)
    first = stream.frame()
    kept = copy.deepcopy(first)
    for _ in range(5):
        stream.frame()
    assert first == kept
