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
from livepose.evaluation.predict import Variant, annotated_boxes, predict
from livepose.evaluation.settings import Loading
from livepose.evaluation.speed import measure_speeds
from livepose.evaluation.validation import validate_pose

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

FLIPPED = (Variant("dark", "aligned"), Variant("dark", "other"))
EVERY = (*(Variant(name) for name in ("dark", "shift", "argmax", "integral")), *FLIPPED)


def predicted(
    estimator: PoseEstimator, images: Path, path: Path, loading: Loading | None = None
) -> Any:
    sample = annotated_boxes(load_annotations(path), estimator.runtime.card.alignment)
    return predict(estimator, Archive(images), sample, EVERY, loading or Loading())


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


def test_the_spots_are_found_where_they_were_drawn_and_as_the_live_estimator_does(
    make_set: MakeSet, estimator: PoseEstimator
) -> None:
    images, path, _ = make_set(4)
    annotations = load_annotations(path)
    truth, _ = annotations.keypoints()
    found = predicted(estimator, images, path)
    error = {
        variant: np.linalg.norm(one.keypoints_xy - truth, axis=2).mean()
        for variant, one in found.items()
    }
    # A cell is 3.3 px of these images, and a shift by one column is half of that in the mean.
    assert error[Variant("dark")] < 0.25
    assert error[Variant("argmax")] > 0.6
    assert error[Variant("shift")] < error[Variant("argmax")]
    assert error[Variant("dark", "aligned")] < 0.25
    assert error[Variant("dark", "other")] > 1.0

    boxes = annotated_boxes(annotations, "pixel_centre")[0].boxes_xyxy
    live, dark = estimator.estimate(Archive(images).image_bgr("000.png"), boxes), Variant("dark")
    assert np.array_equal(found[dark].keypoints_xy[: len(boxes)], live.keypoints_xy)
    assert np.array_equal(found[dark].keypoint_scores[: len(boxes)], live.keypoint_scores)


def test_an_image_of_another_size_is_refused(make_set: MakeSet, estimator: PoseEstimator) -> None:
    images, path, _ = make_set(2)
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
    detect = lambda all_images: time.sleep(0.1)  # noqa: E731
    found = measure_speeds(PoseEstimator(runtime), store, sample, variants[:1], detect)
    assert found[variants[0]].end_to_end_ms > 130


def test_training_gets_its_figures_from_a_runtime(make_set: MakeSet) -> None:
    images, path, _ = make_set(3)
    figures = validate_pose(SpotRuntime(), images, path)
    assert figures["ap"] == pytest.approx(100.0)
    assert figures["oks"] > 0.98
    assert figures["people"] == 5
