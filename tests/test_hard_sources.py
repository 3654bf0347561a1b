"""What breaks others: a 4K picture with 16 people, and real clips of that kind."""

from itertools import islice
from pathlib import Path

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
