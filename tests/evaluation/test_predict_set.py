"""A whole set through the live estimator: every figure is the same however the work is cut."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from livepose.evaluation.predict import Variant, annotated_boxes, predict
from livepose.evaluation.settings import Loading
from livepose.evaluation.speed import measure_speeds
from livepose.evaluation.validation import CallableRuntime, validate_pose
from livepose.runtimes import open_runtime

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

EVERY = tuple(Variant(name) for name in ("dark", "shift", "argmax", "integral"))
FLIPPED = (Variant("dark", "aligned"), Variant("dark", "other"))


def predicted(
    estimator: PoseEstimator, images: Path, path: Path, loading: Loading, variants: Any = EVERY
) -> Any:
    annotations = load_annotations(path)
    sample = annotated_boxes(annotations, estimator.runtime.card.alignment)
    return predict(estimator, Archive(images), sample, variants, loading)


def test_results_depend_neither_on_batch_size_nor_on_workers(make_set: MakeSet) -> None:
    images, path, _ = make_set(6, as_zip=True)
    cuts = (Loading(1, 1), Loading(3, 2), Loading(64, 5))
    variants = (*EVERY, *FLIPPED)
    answers = []
    for loading in cuts:
        runtime = SpotRuntime()
        answers.append(predicted(PoseEstimator(runtime), images, path, loading, variants))
        assert max(runtime.batches) == min(loading.batch, 11)
    for variant in variants:
        first = answers[0][variant]
        for other in answers[1:]:
            assert np.array_equal(first.keypoints_xy, other[variant].keypoints_xy)
            assert np.array_equal(first.keypoint_scores, other[variant].keypoint_scores)


def test_the_spots_are_found_where_they_were_drawn(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(4)
    truth, _ = load_annotations(path).keypoints()
    found = predicted(estimator, images, path, Loading(), (*EVERY, *FLIPPED))
    error = {
        variant: np.linalg.norm(one.keypoints_xy - truth, axis=2).mean()
        for variant, one in found.items()
    }
    # A cell is 3.3 px of these pictures, and a shift by one column is half of that in the mean.
    assert error[Variant("dark")] < 0.25
    assert error[Variant("argmax")] > 0.6
    assert error[Variant("shift")] < error[Variant("argmax")]
    assert error[Variant("dark", "aligned")] < 0.25
    assert error[Variant("dark", "other")] > 1.0


def test_every_row_is_what_the_live_estimator_says(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(1)
    annotations = load_annotations(path)
    sample = annotated_boxes(annotations, "pixel_centre")
    live = estimator.estimate(Archive(images).image_bgr("000.png"), sample[0].boxes_xyxy)
    found = predicted(estimator, images, path, Loading())[Variant("dark")]
    assert np.array_equal(found.keypoints_xy, live.keypoints_xy)
    assert np.array_equal(found.keypoint_scores, live.keypoint_scores)


def test_the_network_runs_once_for_all_decoders(make_set: MakeSet) -> None:
    images, path, _ = make_set(2)
    runtime = SpotRuntime()
    predicted(PoseEstimator(runtime), images, path, Loading())
    assert runtime.batches == [3]


def test_a_picture_of_another_size_than_annotated_is_refused(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    import cv2

    images, path, _ = make_set(2)
    cv2.imwrite(str(images / "000.png"), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(DataError, match=r"160x120, but the picture is 60x50"):
        predicted(estimator, images, path, Loading())


def test_pictures_without_a_box_are_said_not_to_be_estimable(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(1)
    annotations = load_annotations(path)
    sample = annotated_boxes(annotations, "pixel_centre")
    empty = [type(sample[0])(sample[0].picture, np.empty((0, 4)), np.empty(0))]
    with pytest.raises(DataError, match="not a single box"):
        predict(estimator, Archive(images), empty, EVERY)


def test_speed_is_measured_with_and_without_a_detector(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(3)
    sample = annotated_boxes(load_annotations(path), "pixel_centre")
    asked: list[int] = []
    store = Archive(images)
    variants = (Variant("dark"), Variant("argmax"), Variant("dark", "aligned"))
    plain = measure_speeds(estimator, store, sample, variants)
    detect = lambda pictures: asked.append(len(pictures))  # noqa: E731
    found = measure_speeds(estimator, store, sample, variants, detect)
    for speeds in (plain, found):
        assert tuple(speeds) == variants
        assert all(one.crops_per_s > 0 and one.end_to_end_ms > 0 for one in speeds.values())
    assert set(asked) == {1}


def test_what_rows_share_is_timed_once_for_all_of_them(make_set: MakeSet) -> None:
    images, path, _ = make_set(2)

    class Slow(SpotRuntime):
        def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
            time.sleep(0.03)
            return super().__call__(crops_bgr)

    runtime = Slow()
    sample = annotated_boxes(load_annotations(path), "pixel_centre")
    variants = [Variant(name, flip) for name in ("dark", "argmax") for flip in ("none", "aligned")]
    speeds = measure_speeds(PoseEstimator(runtime), Archive(images), sample, variants)
    # Four rounds of a batch and two pictures, each warmed up: three forward passes a time.
    assert len(runtime.batches) == 3 * (4 + 2 + 2)
    for name in ("dark", "argmax"):
        plain, flipped = speeds[Variant(name)], speeds[Variant(name, "aligned")]
        assert 30 < plain.end_to_end_ms < flipped.end_to_end_ms - 15


def test_training_gets_its_figures_from_a_runtime_or_a_plain_function(make_set: MakeSet) -> None:
    images, path, _ = make_set(3)
    runtime = SpotRuntime()
    figures = validate_pose(runtime, images, path)
    assert figures["ap"] == pytest.approx(100.0)
    assert figures["oks"] > 0.98
    assert figures["people"] == 5
    plain = CallableRuntime(runtime.__call__, runtime.card)
    assert validate_pose(plain, images, path, limit=1)["people"] == 2


@pytest.mark.slow
def test_the_embedded_weights_answer_the_same_however_the_work_is_cut(shared: Path) -> None:
    """A real network sums in another order in another batch: far below a hundredth of a pixel."""
    data = shared / "data" / "coco" / "dev"
    annotations = load_annotations(data / "annotations.json", 5)
    estimator = PoseEstimator(open_runtime("default", device="cpu", precision="f32"))
    sample = annotated_boxes(annotations, estimator.runtime.card.alignment)
    store, variant = Archive(data / "images.zip"), Variant("dark", "aligned")
    first, *others = (
        predict(estimator, store, sample, [variant], loading)[variant]
        for loading in (Loading(1, 1), Loading(7, 3), Loading(32, 2))
    )
    for other in others:
        assert np.allclose(first.keypoints_xy, other.keypoints_xy, atol=0.01, equal_nan=True)
        assert np.allclose(first.keypoint_scores, other.keypoint_scores, atol=1e-4)
