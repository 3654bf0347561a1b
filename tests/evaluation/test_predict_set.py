"""A whole set through the live estimator: every figure is the same however the work is cut."""

import math
import time
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
from livepose.evaluation.validation import gaussian_residual

FLIPPED = Variant("dark", flip=True)
EVERY = (*(Variant(name) for name in ("dark", "shift", "argmax", "integral")), FLIPPED)


def predicted(estimator: PoseEstimator, images: Path, path: Path, workers: int = 1) -> Any:
    sample = annotated_boxes(load_annotations(path), estimator.runtime.card.alignment)
    return predict(estimator, Archive(images), sample, EVERY, workers=workers)


def test_results_depend_neither_on_the_batch_nor_on_workers(make_set, monkeypatch):
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
        xy, scores = zip(*(found[variant] for found in answers), strict=True)
        assert all(np.array_equal(xy[0], one) for one in xy)
        assert all(np.array_equal(scores[0], one) for one in scores)


def test_spots_are_found_where_they_were_drawn_as_the_live_estimator_finds_them(make_set):
    (images, path, _), estimator = make_set(4), PoseEstimator(SpotRuntime())
    annotations = load_annotations(path)
    truth, _ = annotations.keypoints()
    found = predicted(estimator, images, path)
    error = [np.linalg.norm(one.keypoints_xy - truth, axis=2).mean() for one in found.values()]
    dark, shift, argmax, _, flipped = error  # px; a cell is 3.3 px of these images
    assert max(dark, flipped) < 0.25 and shift < argmax > 0.6

    boxes = annotated_boxes(annotations, "pixel_centre")[0].boxes_xyxy
    live = estimator.estimate(Archive(images).image_bgr("000.png"), boxes)
    assert np.array_equal(found[EVERY[0]].keypoints_xy[: len(boxes)], live.keypoints_xy)
    assert np.array_equal(found[EVERY[0]].keypoint_scores[: len(boxes)], live.keypoint_scores)


def test_an_image_of_another_size_is_refused(make_set):
    images, path, _ = make_set(2)
    cv2.imwrite(str(images / "000.png"), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(DataError, match=r"160x120, but the image is 60x50"):
        predicted(PoseEstimator(SpotRuntime()), images, path)


def test_the_flip_test_and_the_detector_take_their_time(make_set):
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


def test_a_gaussian_leaves_nothing_unexplained_and_another_peak_does():
    y, x = np.mgrid[:24, :18].astype(np.float32)
    distance2 = (x - 8.3) ** 2 + (y - 11.6) ** 2
    maps = np.stack([np.exp(-distance2 / 4.5), np.exp(-np.sqrt(distance2))])[None]
    assert gaussian_residual(maps, np.array([[True, False]])) < 0.1
    assert 10 < gaussian_residual(maps, np.array([[False, True]])) < 60
    assert math.isnan(gaussian_residual(np.zeros_like(maps), np.array([[True, True]])))
