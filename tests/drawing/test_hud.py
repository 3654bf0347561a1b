"""The panel of live figures."""

import numpy as np
import pytest

from livepose.drawing import Hud, draw_hud

STAGES = {"detect": 6.2, "track": 0.2, "crop": 0.5, "network": 14.3, "decode": 0.05}


def full() -> Hud:
    return Hud(31.2, 2, dict(STAGES), 41.0, 67.0, 12, "dark", recording=True, notes=["paused"])


def test_the_panel_is_translucent_and_in_the_upper_left() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    before = image.copy()
    assert draw_hud(image, full()) is image
    ys, xs = np.nonzero((image != before).any(axis=2))
    assert xs.max() < 0.35 * 1280 and ys.max() < 0.55 * 720
    # What lies under an empty part of the panel is still seen through it.
    corner, under = image[14:20, 60:120].astype(float), before[14:20, 60:120].astype(float)
    assert np.corrcoef(corner.ravel(), under.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("size_hw", [(1, 1), (47, 2000), (900, 60), (0, 0)])
def test_no_image_is_too_small_or_too_narrow(size_hw: tuple[int, int]) -> None:
    draw_hud(np.zeros((*size_hw, 3), np.uint8), full())
    unknown = Hud(fps=None, stage_ms={"network": np.nan}, age_p50_ms=np.nan)
    draw_hud(np.zeros((*size_hw, 3), np.uint8), unknown)
