"""The self-check lets agreeing runtimes pass and stops the others."""

import numpy as np
import pytest

from livepose.errors import DeviceError
from livepose.heatmaps import encode_dark
from livepose.runtimes.verify import LIMITS_PX, require_agreement
from livepose.weights import Card

PLACES = np.random.default_rng(0).uniform(4, 20, (4, 17, 2))


def heatmaps(moved_px=0.0, scale=1.0):
    """What a network says that sees keypoints so many pixels of the crop to the right."""
    drawn = encode_dark(
        PLACES + np.array([moved_px / 4, 0]), np.ones((4, 17)), (32, 24), 1.0
    ).targets
    return (scale * drawn).astype(np.float32)


class Canned:
    """A runtime that always gives one answer."""

    name, device, card = "canned", "mps", Card("hrnet_w32", (128, 96))

    def __init__(self, answer, precision):
        self.answer, self.precision = answer, precision

    def __call__(self, crops_bgr):
        assert crops_bgr.shape == (4, 128, 96, 3)
        return self.answer


@pytest.mark.parametrize("precision", LIMITS_PX)
def test_small_differences_pass(precision):
    near = heatmaps(0.8 * LIMITS_PX[precision], scale=0.97)
    require_agreement(Canned(near, precision), heatmaps())


@pytest.mark.parametrize(
    ("precision", "answer"),
    [
        ("bf16", heatmaps(0.1)),
        ("int8", heatmaps(0.4)),
        ("f32", heatmaps(scale=1.2)),
        ("bf16", heatmaps()[:, ::-1]),
        ("int8", heatmaps() * (np.arange(17) > 3)[:, None, None]),
        ("bf16", heatmaps() * np.float32("nan")),
        ("f32", np.zeros_like(heatmaps())),
    ],
    ids=["moved", "moved far", "scores", "mixed up", "some lost", "nan", "all lost"],
)
def test_wrong_heatmaps_are_refused(precision, answer):
    with pytest.raises(DeviceError, match=f"canned on mps in {precision} finds other keypoints"):
        require_agreement(Canned(answer, precision), heatmaps())
