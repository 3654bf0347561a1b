"""What breaks others: a 4K image with 16 people, and real clips of that kind."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.benchmark.scene import WalkingPeople
from livepose.detection import Detections
from livepose.drawing import draw_poses
from livepose.frame import Frame
from livepose.pipeline import PosePipeline
from livepose.player import Player
from livepose.poses import Poses
from livepose.sources import open_source


@pytest.fixture(scope="module")
def pipeline() -> PosePipeline:
    """The embedded networks as they are."""
    return PosePipeline(detector="embedded")


def test_sixteen_people_in_4k_are_all_posed_and_drawn(
    pipeline: PosePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = WalkingPeople(16, 3, size_wh=(3840, 2160))
    known = iter(range(3))

    def detector(images: list[np.ndarray]) -> list[Detections]:
        boxes = scene.boxes_xyxy(next(known))
        return [Detections(boxes, np.full(len(boxes), 0.9)) for _ in images]

    monkeypatch.setattr(pipeline, "detector", detector)
    for frame, poses in pipeline.run(scene):
        assert len(poses) >= 15  # one may be taken for another's double
        inside = (poses.keypoints_xy >= -300) & (poses.keypoints_xy <= 4200)
        assert (inside | np.isnan(poses.keypoints_xy)).all()
        assert draw_poses(frame.image_bgr.copy(), poses).shape == (2160, 3840, 3)


@pytest.mark.parametrize("name", ("4k_3s.mp4", "crowd.mp4"))
def test_a_hard_clip_plays_and_everybody_has_an_id_of_their_own(
    pipeline: PosePipeline, shared: Path, name: str
) -> None:
    source = open_source(shared / "video" / name)
    seen = 0
    run = pipeline.run(source)
    for _, poses in islice(run, 2):
        assert len(set(poses.track_ids.tolist())) == len(poses)
        assert np.isfinite(poses.boxes_xyxy).all()
        seen += len(poses)
    run.close()
    assert seen > 0


def test_a_crowd_is_played_on_a_budget_that_is_far_too_small(shared: Path) -> None:
    source = open_source(shared / "video" / "crowd.mp4")
    pipeline = PosePipeline(detector="embedded", target_fps=1000)
    frames: list[int] = []

    def count(frame: Frame, poses: Poses, fps: float) -> None:
        frames.append(len(poses))
        if len(frames) == 8:
            player._stopped = True

    player = Player(pipeline, source, progress=count)
    summary = player.play()
    assert summary.frames == 8
    assert summary.dropped_work


def test_who_turns_over_in_the_air_is_shown_throughout_with_one_id(
    pipeline: PosePipeline, shared: Path
) -> None:
    with open_source(shared / "video" / "sport" / "ball_juggling.mp4") as frames:
        image_bgr = next(islice(frames, 10, None)).image_bgr
    pipeline.reset()
    box_xyxy = pipeline.process(image_bgr).boxes_xyxy[0]
    for index in range(60):
        turned_over = min(max((index - 15) / 30, 0.0), 1.0)
        image = turned(image_bgr, box_xyxy, 360.0 * turned_over)
        poses = pipeline.process(image, index / 30)
        assert poses.track_ids.tolist() == [1], f"image {index}"


def turned(image_bgr: np.ndarray, box_xyxy: np.ndarray, degrees: float) -> np.ndarray:
    """The disc around a box turned, the rest as it is."""
    low, high = box_xyxy[:2], box_xyxy[2:]
    centre, radius = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    height, width = image_bgr.shape[:2]
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), degrees, 1.0)
    rotated = cv2.warpAffine(image_bgr, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    y, x = np.ogrid[:height, :width]
    inside = np.hypot(x - centre[0], y - centre[1]) <= radius
    return np.where(inside[..., None], rotated, image_bgr)
