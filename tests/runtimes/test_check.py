"""The self-check lets agreeing runtimes pass and stops the others."""

import numpy as np
import pytest

from livepose.errors import DeviceError
from livepose.runtimes.check import probe_crops, relative_error, require_agreement
from livepose.runtimes.protocol import Crops, Heatmaps
from livepose.weights import Card

CARD = Card("hrnet_w32", (128, 96))
REFERENCE = np.random.default_rng(0).normal(size=(2, 17, 32, 24)).astype(np.float32)


class Canned:
    """A runtime that always gives one answer."""

    name, device, card = "canned", "mps", CARD

    def __init__(self, answer: Heatmaps, precision: str) -> None:
        self.answer, self.precision = answer, precision

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        assert crops_bgr.shape == (2, 128, 96, 3)
        return self.answer

    def warm_up(self, batch_sizes: object) -> None:
        """Nothing to do."""


def test_probes_are_the_same_every_time_and_have_contents() -> None:
    first, second = probe_crops(CARD), probe_crops(CARD)
    assert np.array_equal(first, second)
    assert first.dtype == np.uint8
    assert first.std(axis=(1, 2, 3)).min() > 20
    assert not np.array_equal(first[0], first[1])


def test_the_error_is_relative_and_does_not_hide_nan() -> None:
    assert relative_error(REFERENCE, REFERENCE) == 0
    assert relative_error(REFERENCE * 1.01, REFERENCE) == pytest.approx(0.01, rel=0.01)
    assert relative_error(REFERENCE * 1.01 * 1000, REFERENCE * 1000) == pytest.approx(
        0.01, rel=0.01
    )
    assert np.isnan(relative_error(REFERENCE * np.float32("nan"), REFERENCE))


@pytest.mark.parametrize(("precision", "scale"), [("f32", 1.005), ("f16", 1.02), ("bf16", 1.02)])
def test_small_differences_pass(precision: str, scale: float) -> None:
    require_agreement(Canned(REFERENCE * np.float32(scale), precision), REFERENCE)


@pytest.mark.parametrize(
    ("precision", "answer"),
    [
        ("f32", REFERENCE * np.float32(1.02)),
        ("f16", REFERENCE * np.float32(1.05)),
        ("bf16", REFERENCE[:, ::-1]),
        ("bf16", REFERENCE * np.float32("nan")),
        ("f32", np.zeros_like(REFERENCE)),
    ],
)
def test_wrong_heatmaps_are_refused(precision: str, answer: Heatmaps) -> None:
    with pytest.raises(DeviceError, match=f"canned on mps in {precision} computes other heatmaps"):
        require_agreement(Canned(answer, precision), REFERENCE)
