"""The way of a frame, with stand-ins for the two networks."""

from collections.abc import Callable

import numpy as np
import pytest
from fakes import STANDING_XY, FakeSource, make_pipeline, picture, walking

from livepose.errors import SourceError
from livepose.frame import Frame
from livepose.pipeline import PosePipeline

__all__ = ["make_pipeline"]
Make = Callable[..., PosePipeline]


def expected_xy(box: tuple[float, float, float, float]) -> np.ndarray:
    """Where the standing person of the stand-in lies in the picture, by the convention's words."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    crop_width = max(width, height * 96 / 128) * 1.25
    centre = np.array([(left + right - 1) / 2, (top + bottom - 1) / 2])
    return centre + (4 * STANDING_XY + 1.5 - np.array([47.5, 63.5])) * crop_width / 96


def test_a_still_picture_gives_keypoints_in_its_own_pixels(make_pipeline: Make) -> None:
    poses = make_pipeline().process(picture(100))
    assert poses.keypoints_xy.shape == (1, 17, 2)
    # The stand-in sees the rectangle's edges to a pixel of the crop.
    np.testing.assert_allclose(poses.keypoints_xy[0], expected_xy((100, 60, 160, 180)), atol=1.0)
    assert poses.track_ids.tolist() == [1]


def test_a_picture_without_people_gives_nobody(make_pipeline: Make) -> None:
    empty = np.zeros((240, 320, 3), np.uint8)
    assert len(make_pipeline().process(empty)) == 0
    assert len(make_pipeline().process(empty, 0.0)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_what_is_no_colour_picture_is_refused_with_its_shape(
    make_pipeline: Make, wrong: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(H, W, 3\), got"):
        make_pipeline().process(wrong)


def test_a_person_is_found_in_the_first_frame_and_keeps_the_id(make_pipeline: Make) -> None:
    ids = [poses.track_ids.tolist() for _, poses in make_pipeline().run(walking(40))]
    assert ids == [[1]] * 40


def test_the_detector_rests_between_detections_and_the_skeleton_stays_on(
    make_pipeline: Make,
) -> None:
    pipeline = make_pipeline(detect_every=10, smooth="none")
    for frame, poses in pipeline.run(walking(40)):
        left = 60 + 2 * frame.index
        truth = expected_xy((left, 60, left + 60, 180))
        # Between detections the box follows the keypoints of the frame before: 2 px a frame.
        assert np.abs(poses.keypoints_xy[0] - truth).max() < 8
    assert pipeline.detector.calls <= 6


def test_without_a_detector_the_whole_frame_is_one_person(make_pipeline: Make) -> None:
    pipeline = make_pipeline(detector="none")
    poses = pipeline.process(picture())
    assert poses.boxes_xyxy.tolist() == [[0, 0, 320, 240]]
    assert [len(found) for _, found in pipeline.run(walking(5))] == [1] * 5


def test_two_runs_of_one_pipeline_do_not_share_people(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    first = [poses.keypoints_xy for _, poses in pipeline.run(walking(10))]
    second = [poses.keypoints_xy for _, poses in pipeline.run(walking(10))]
    np.testing.assert_array_equal(first, second)


def test_pictures_of_a_folder_stand_for_themselves(make_pipeline: Make) -> None:
    frames = [Frame(picture(20), 0.0, 0), Frame(picture(200), 1.0, 1)]
    source = FakeSource(frames, kind="images")
    found = [poses.boxes_xyxy[0, 0] for _, poses in make_pipeline().run(source)]
    assert found == [20, 200]


def test_a_lost_source_is_reported_after_the_frames_before_it_and_is_closed(
    make_pipeline: Make,
) -> None:
    source = walking(7, error=SourceError("broke off after 7 frames"))
    seen = 0
    with pytest.raises(SourceError, match="broke off"):
        for _ in make_pipeline().run(source):
            seen += 1
    assert seen == 7
    assert source.closed


def test_the_chosen_decoding_is_the_one_that_runs(make_pipeline: Make) -> None:
    found = {
        method: make_pipeline(decode=method).process(picture(100)).keypoints_xy
        for method in ("argmax", "shift", "dark", "integral")
    }
    cells = found["argmax"] - found["argmax"][0, 0]
    pitch_px = 4 * 112.5 / 96
    np.testing.assert_allclose(cells / pitch_px, np.round(cells / pitch_px), atol=1e-6)
    for method in ("shift", "dark", "integral"):
        assert np.abs(found[method] - found["argmax"]).max() > 0.1


def test_the_clock_knows_every_stage(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    list(pipeline.run(walking(5)))
    assert set(pipeline.clock.names()) == {"detect", "track", "crop", "network", "decode", "smooth"}


def test_a_frame_that_changes_its_size_is_handled(make_pipeline: Make) -> None:
    frames = [Frame(picture(100), 0.0, 0), Frame(picture(100, (640, 480)), 0.1, 1)]
    shapes = [frame.size_wh for frame, _ in make_pipeline().run(FakeSource(frames))]
    assert shapes == [(320, 240), (640, 480)]
