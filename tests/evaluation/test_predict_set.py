"""A whole set through the live estimator: every figure is the same however the work is cut."""

import math
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
from livepose.evaluation.speed import measure_speed
from livepose.evaluation.validation import gaussian_residual, validate_pose

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

FLIPPED = Variant("dark", flip=True)
EVERY = (*(Variant(name) for name in ("dark", "shift", "argmax", "integral")), FLIPPED)


def predicted(estimator: PoseEstimator, images: Path, path: Path, workers: int = 1) -> Any:
    sample = annotated_boxes(load_annotations(path), estimator.runtime.card.alignment)
    return predict(estimator, Archive(images), sample, EVERY, workers=workers)


def test_results_depend_neither_on_the_batch_nor_on_workers(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, path, _ = make_set(6, as_zip=True)
    answers = []
    for batch, workers in ((1, 1), (3, 4), (64, 2)):
        monkeypatch.setattr("livepose.evaluation.predict.BATCH", batch)
        runtime = SpotRuntime()
        answers.append(predicted(PoseEstimator(runtime), images, path, workers))
        # Once for all decoders, and once for the mirrored crops.
        assert len(runtime.batches) == 2 * -(-11 // batch)
        assert max(runtime.batches) == min(batch, 11)
    for variant in EVERY:
        for other in answers[1:]:
            for one, two in zip(answers[0][variant], other[variant], strict=True):
                assert np.array_equal(one, two)


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
    assert error[FLIPPED] < 0.25

    boxes = annotated_boxes(annotations, "pixel_centre")[0].boxes_xyxy
    live, dark = estimator.estimate(Archive(images).image_bgr("000.png"), boxes), Variant("dark")
    assert np.array_equal(found[dark].keypoints_xy[: len(boxes)], live.keypoints_xy)
    assert np.array_equal(found[dark].keypoint_scores[: len(boxes)], live.keypoint_scores)


def test_an_image_of_another_size_is_refused(make_set: MakeSet, estimator: PoseEstimator) -> None:
    images, path, _ = make_set(2)
    cv2.imwrite(str(images / "000.png"), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(DataError, match=r"160x120, but the image is 60x50"):
        predicted(estimator, images, path)


def test_the_flip_test_and_the_detector_take_their_time(make_set: MakeSet) -> None:
    images, path, _ = make_set(2)

    class Slow(SpotRuntime):
        def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
            time.sleep(0.005)
            return super().__call__(crops_bgr)

    work = PoseEstimator(Slow()), Archive(images)
    sample = annotated_boxes(load_annotations(path), "pixel_centre")
    plain, flipped = (measure_speed(*work, sample, one) for one in (EVERY[0], FLIPPED))
    assert plain.end_to_end_ms > 5 and flipped.end_to_end_ms > 10
    assert plain.crops_per_s > flipped.crops_per_s > 0
    slow = measure_speed(*work, sample, EVERY[0], lambda all_images: time.sleep(0.02))
    assert slow.end_to_end_ms > 25


def test_training_gets_its_figures_from_a_runtime(make_set: MakeSet) -> None:
    images, path, _ = make_set(3)
    assert validate_pose(SpotRuntime(), images, path)["ap"] == pytest.approx(100.0)


def test_a_gaussian_leaves_nothing_unexplained_and_another_peak_does() -> None:
    y, x = np.mgrid[:24, :18].astype(np.float32)
    distance2 = (x - 8.3) ** 2 + (y - 11.6) ** 2
    maps = np.stack([np.exp(-distance2 / 4.5), np.exp(-np.sqrt(distance2))])[None]
    assert gaussian_residual(maps, np.array([[True, False]])) < 0.1
    assert 10 < gaussian_residual(maps, np.array([[False, True]])) < 60
    assert math.isnan(
        gaussian_residual(np.zeros((1, 2, 24, 18), np.float32), np.full((1, 2), True))
    )
