"""A whole set through the live estimator: every figure is the same however the work is cut."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from livepose.evaluation.predict import Boxed, Variant, annotated_boxes, predict
from livepose.evaluation.settings import Loading
from livepose.evaluation.speed import measure_speeds
from livepose.evaluation.validation import CallableRuntime, validate_pose
from livepose.runtimes import open_runtime

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

USUAL = Loading()
FLIPPED = (Variant("dark", "aligned"), Variant("dark", "other"))
EVERY = (*(Variant(name) for name in ("dark", "shift", "argmax", "integral")), *FLIPPED)


def predicted(estimator: PoseEstimator, images: Path, path: Path, loading: Loading = USUAL) -> Any:
    sample = annotated_boxes(load_annotations(path), estimator.runtime.card.alignment)
    return predict(estimator, Archive(images), sample, EVERY, loading)


def test_results_depend_neither_on_batch_size_nor_on_workers(make_set: MakeSet) -> None:
    images, path, _ = make_set(6, as_zip=True)
    answers = []
    for loading in (Loading(1, 1), Loading(3, 2), Loading(64, 5)):
        runtime = SpotRuntime()
        answers.append(predicted(PoseEstimator(runtime), images, path, loading))
        # Once for all decoders, and once for the mirrored crops.
        assert len(runtime.batches) == 2 * -(-11 // loading.batch)
        assert max(runtime.batches) == min(loading.batch, 11)
    for variant in EVERY:
        first = answers[0][variant]
        for other in answers[1:]:
            assert np.array_equal(first.keypoints_xy, other[variant].keypoints_xy)
            assert np.array_equal(first.keypoint_scores, other[variant].keypoint_scores)


def test_the_spots_are_found_where_they_were_drawn(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(4)
    truth, _ = load_annotations(path).keypoints()
    error = {
        variant: np.linalg.norm(one.keypoints_xy - truth, axis=2).mean()
        for variant, one in predicted(estimator, images, path).items()
    }
    # A cell is 3.3 px of these images, and a shift by one column is half of that in the mean.
    assert error[Variant("dark")] < 0.25
    assert error[Variant("argmax")] > 0.6
    assert error[Variant("shift")] < error[Variant("argmax")]
    assert error[Variant("dark", "aligned")] < 0.25
    assert error[Variant("dark", "other")] > 1.0


def test_every_row_is_what_the_live_estimator_says(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(1)
    sample = annotated_boxes(load_annotations(path), "pixel_centre")
    live = estimator.estimate(Archive(images).image_bgr("000.png"), sample[0].boxes_xyxy)
    found = predicted(estimator, images, path)[Variant("dark")]
    assert np.array_equal(found.keypoints_xy, live.keypoints_xy)
    assert np.array_equal(found.keypoint_scores, live.keypoint_scores)


def test_what_cannot_be_estimated_is_said(make_set: MakeSet, estimator: PoseEstimator) -> None:
    images, path, _ = make_set(2)
    image = load_annotations(path).images[0]
    with pytest.raises(DataError, match="not a single box"):
        empty = [Boxed(image, np.empty((0, 4)), np.empty(0))]
        predict(estimator, Archive(images), empty, EVERY)
    cv2.imwrite(str(images / "000.png"), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(DataError, match=r"160x120, but the image is 60x50"):
        predicted(estimator, images, path)


def test_what_rows_share_is_timed_once_and_the_detector_counts(make_set: MakeSet) -> None:
    images, path, _ = make_set(2)

    class Slow(SpotRuntime):
        def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
            time.sleep(0.03)
            return super().__call__(crops_bgr)

    runtime, store = Slow(), Archive(images)
    sample = annotated_boxes(load_annotations(path), "pixel_centre")
    variants = [Variant(name, flip) for name in ("dark", "argmax") for flip in ("none", "aligned")]
    speeds = measure_speeds(PoseEstimator(runtime), store, sample, variants)
    # Four rounds of a batch and two images, each warmed up: three forward passes a time.
    assert len(runtime.batches) == 3 * (4 + 2 + 2)
    for name in ("dark", "argmax"):
        plain, flipped = speeds[Variant(name)], speeds[Variant(name, "aligned")]
        assert 30 < plain.end_to_end_ms < flipped.end_to_end_ms - 15
        assert plain.crops_per_s > flipped.crops_per_s > 0
    detect = lambda all_images: time.sleep(0.3)  # noqa: E731
    found = measure_speeds(PoseEstimator(runtime), store, sample, variants[:1], detect)
    assert found[variants[0]].end_to_end_ms > 330


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
