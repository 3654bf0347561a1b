"""What breaks others, with the embedded networks as they are."""

from itertools import islice

import cv2
import numpy as np
import pytest

from livepose.pipeline import PosePipeline
from livepose.sources import open_source


@pytest.fixture(scope="module")
def pipeline():
    return PosePipeline(detector="embedded")


@pytest.mark.parametrize("name", ("4k_3s.mp4", "crowd.mp4"))
def test_a_hard_clip_plays_and_everybody_has_an_id_of_their_own(pipeline, shared, name):
    with open_source(shared / "video" / name) as source:
        frames = list(islice(source, 2))
    pipeline.reset()
    for frame in frames:
        poses = pipeline.process(frame.image_bgr, frame.time_s)
        assert len(set(poses.track_ids.tolist())) == len(poses) > 0
        assert np.isfinite(poses.boxes_xyxy).all()


def test_who_turns_over_in_the_air_is_shown_throughout_with_one_id(pipeline, shared):
    with open_source(shared / "video" / "sport" / "ball_juggling.mp4") as frames:
        image_bgr = next(islice(frames, 10, None)).image_bgr
    pipeline.reset()
    box_xyxy = pipeline.process(image_bgr).boxes_xyxy[0]
    for index in range(36):
        turned_over = min(max((index - 3) / 30, 0.0), 1.0)
        image = turned(image_bgr, box_xyxy, 360.0 * turned_over)
        poses = pipeline.process(image, index / 30)
        assert poses.track_ids.tolist() == [1], f"image {index}"


def turned(image_bgr, box_xyxy, degrees):
    """The disc around a box turned, the rest as it is."""
    low, high = box_xyxy[:2], box_xyxy[2:]
    centre, radius = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    height, width = image_bgr.shape[:2]
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), degrees, 1.0)
    rotated = cv2.warpAffine(image_bgr, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    y, x = np.ogrid[:height, :width]
    inside = np.hypot(x - centre[0], y - centre[1]) <= radius
    return np.where(inside[..., None], rotated, image_bgr)
