"""People who are small in the image go through a smaller input of the same network."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from livepose.errors import DeviceError
from livepose.estimator import Estimates, PoseEstimator
from livepose.weights import Card
from livepose.weights.card import at_size

CARD = Card("hrnet_w32", (128, 96), alignment="pixel_centre", sha256="nobody's")
IMAGE_BGR = np.zeros((480, 640, 3), np.uint8)
SMALL, TALL, WIDE = [10.0, 20.0, 40.0, 90.0], [100.0, 50.0, 250.0, 450.0], [300.0, 0, 600.0, 60.0]


class Peaks:
    """Says of every crop that everything is one cell right of and below its middle."""

    name, device, precision = "peaks", "cpu", "f32"

    def __init__(self, card: Card, opening: Callable[[], None] = lambda: None) -> None:
        self.card, self._opening = card, opening
        self.batches: list[int] = []
        self.smaller: list[Peaks] = []

    def at_size(self, input_hw: tuple[int, int]) -> "Peaks":
        self._opening()
        self.smaller.append(Peaks(at_size(self.card, input_hw)))
        return self.smaller[-1]

    def warm_up(self, batch_sizes: object) -> None:
        pass

    def __call__(self, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert crops_bgr.shape[1:3] == self.card.input_hw
        self.batches.append(len(crops_bgr))
        height, width = self.card.heatmap_hw
        y, x = np.mgrid[:height, :width]
        square = (x - (width + 1) / 2) ** 2 + (y - (height + 1) / 2) ** 2
        shape = (len(crops_bgr), 17, height, width)
        return np.ascontiguousarray(np.broadcast_to(np.exp(-square / 2.0), shape), np.float32)


def estimate(estimator: PoseEstimator, *boxes: list[float]) -> Estimates:
    return estimator.estimate(IMAGE_BGR, np.array(boxes).reshape(-1, 4))


def test_each_size_has_its_batch_and_everybody_keeps_their_place() -> None:
    runtime = Peaks(CARD)
    estimator = PoseEstimator(runtime, small_people_px=96.0)
    found = estimate(estimator, SMALL, TALL, SMALL, WIDE)
    (smaller,) = runtime.smaller
    assert smaller.card.input_hw == (96, 64)
    assert (runtime.batches, smaller.batches) == ([2], [2])
    usual = estimate(PoseEstimator(Peaks(CARD)), SMALL, TALL, SMALL, WIDE)
    alone = estimate(PoseEstimator(Peaks(at_size(CARD, (96, 64)))), SMALL)
    for name in ("keypoints_xy", "keypoint_scores", "covariance_px2"):
        assert np.array_equal(getattr(found, name)[[1, 3]], getattr(usual, name)[[1, 3]])
        assert np.array_equal(getattr(found, name)[[0, 2]], getattr(alone, name)[[0, 0]])


def test_a_live_image_does_not_wait_for_the_smaller_input(said: list[str]) -> None:
    may_open = threading.Event()
    runtime = Peaks(CARD, lambda: may_open.wait(5.0) and None)
    estimator = PoseEstimator(runtime, small_people_px=96.0)
    estimator.wait = False
    estimate(estimator, SMALL, TALL)
    assert runtime.batches == [2]
    may_open.set()
    assert estimator.small_people is not None
    assert estimator.small_people.estimator(wait=True) is not None
    estimate(estimator, SMALL, TALL)
    assert runtime.batches == [2, 1]
    assert said == ["people below 96 px go through a smaller input from now on"]


def test_where_it_cannot_be_had_the_usual_input_goes_on(said: list[str]) -> None:
    def fail() -> None:
        raise DeviceError("no room")

    runtime = Peaks(CARD, fail)
    estimator = PoseEstimator(runtime, small_people_px=96.0)
    estimate(estimator, TALL)
    assert said == []  # nothing is opened before somebody small comes
    for _ in range(2):
        assert len(estimate(estimator, SMALL).keypoints_xy) == 1
    assert runtime.batches == [1, 1, 1]
    assert said == ["small people go through the usual input: no room"]


@pytest.mark.parametrize(
    ("input_hw", "noted", "asked", "below_px"),
    [
        ((128, 96), {}, None, None),
        ((128, 96), {"small_people_px": "80"}, None, 80.0),
        ((128, 96), {"small_people_px": "80"}, 0.0, None),
        ((192, 160), {"small_people_px": "80"}, None, None),
    ],
    ids=["nothing noted", "noted", "not wanted", "another input"],
)
def test_the_weights_say_for_whom_unless_something_else_is_asked_for(
    input_hw: tuple[int, int], noted: dict[str, str], asked: float | None, below_px: float | None
) -> None:
    card = at_size(replace(CARD, notes=noted), input_hw)
    small_people = PoseEstimator(Peaks(card), small_people_px=asked).small_people
    assert (small_people and small_people.below_px) == below_px
