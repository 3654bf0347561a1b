"""One box for each person, by the rules of ultralytics."""

import numpy as np
import pytest
import torch

from livepose.detection.detector import suppress
from livepose.detection.library import ultralytics


def candidates(seed: int, classes: int, count: int = 300) -> np.ndarray:
    """Boxes that crowd around a few places, (4 + classes, N)."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(50, 350, (8, 2))[rng.integers(8, size=count)]
    sizes = rng.uniform(40, 120, (count, 2))
    xywh = np.concatenate([places + rng.normal(0, 12, (count, 2)), sizes], axis=1)
    scores = rng.beta(0.6, 1.5, (count, classes))
    return np.concatenate([xywh, scores], axis=1).T.astype(np.float32)


@pytest.mark.parametrize("classes", (1, 3))
@pytest.mark.parametrize("seed", range(6))
def test_the_same_boxes_stay_as_in_ultralytics(seed: int, classes: int) -> None:
    predictions, person = candidates(seed, classes), classes - 1
    (theirs,) = ultralytics().non_max_suppression(
        torch.from_numpy(predictions[None]).clone(),
        conf_thres=0.25,
        iou_thres=0.7,
        classes=[person],
        max_det=20,
        nc=classes,
    )
    ours = suppress(predictions, person, classes, 0.25, 0.7, 20)
    assert len(ours) > 5
    np.testing.assert_allclose(ours, theirs.numpy()[:, :5], atol=1e-3)


def test_networks_that_need_no_suppression_are_taken_at_their_word() -> None:
    rows = np.array([[0, 0, 9, 9, 0.5, 1], [1, 1, 9, 9, 0.9, 0], [1, 1, 9, 9, 0.95, 0]], "f4")
    found = suppress(np.concatenate([rows, rows * 0]), 0, 80, 0.25, 0.7, 300)
    np.testing.assert_allclose(found, [[1, 1, 9, 9, 0.95], [1, 1, 9, 9, 0.9]], atol=1e-6)


def test_nobody_is_nobody() -> None:
    assert suppress(np.zeros((5, 40), np.float32), 0, 1, 0.25, 0.7, 300).shape == (0, 5)
