"""The panel of live figures."""

import math

import numpy as np
import pytest

from livepose.drawing import Hud, draw_hud, hud

STAGES = {"detect": 6.2, "track": 0.2, "crop": 0.5, "network": 14.3, "decode": 0.05}


def full() -> Hud:
    return Hud(31.2, 2, dict(STAGES), 41.0, 67.0, 12, "dark", recording=True, notes=["paused"])


def written(shown: Hud) -> list[str]:
    return [f"{row.label} {row.value}".strip() for row in hud._fitting_rows(shown, 100)]


def test_everything_that_is_known_is_written() -> None:
    assert written(full()) == [
        "31.2 fps 2 people",
        "recording",
        "detect 6.2 ms",
        "track 0.2 ms",
        "crop 0.5 ms",
        "network 14.3 ms",
        "decode 0.1 ms",
        "age p50 / p95 41 / 67 ms",
        "dropped 12",
        "decoding dark",
        "paused",
    ]


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_what_is_not_known_yet_is_a_dash_or_left_out(unknown: float | None) -> None:
    rows = written(Hud(fps=unknown, stage_ms={"network": math.nan}, age_p50_ms=unknown))
    assert rows == ["- fps 0 people", "network - ms", "dropped 0"]
    draw_hud(np.zeros((240, 320, 3), np.uint8), Hud(fps=unknown, stage_ms={"network": math.nan}))


def test_the_panel_is_translucent_and_in_the_upper_left() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    before = image.copy()
    assert draw_hud(image, full()) is image
    ys, xs = np.nonzero((image != before).any(axis=2))
    assert xs.max() < 0.35 * 1280
    assert ys.max() < 0.55 * 720
    # What lies under an empty part of the panel is still seen through it.
    corner, under = image[14:20, 60:120].astype(float), before[14:20, 60:120].astype(float)
    assert np.corrcoef(corner.ravel(), under.ravel())[0, 1] > 0.9
    assert corner.mean() < 0.6 * under.mean()


def test_the_red_light_is_on_only_while_recording() -> None:
    for recording in (True, False):
        shown = full()
        shown.recording = recording
        image = draw_hud(np.zeros((720, 1280, 3), np.uint8), shown).astype(int)
        red = (image[..., 2] > 200) & (image[..., 1] < 90) & (image[..., 0] < 90)
        assert (red.sum() > 60) == recording


@pytest.mark.parametrize("size_hw", [(1, 1), (47, 2000), (48, 48), (60, 900), (900, 60), (0, 0)])
def test_no_image_is_too_small_or_too_narrow(size_hw: tuple[int, int]) -> None:
    draw_hud(np.zeros((*size_hw, 3), np.uint8), full())


def test_in_a_low_image_the_stages_are_left_out_first() -> None:
    rows = [row.label for row in hud._fitting_rows(full(), 7)]
    assert rows == ["31.2 fps", "recording", "age p50 / p95", "dropped", "decoding", "paused"]
    assert [row.label for row in hud._fitting_rows(full(), 0)] == ["31.2 fps"]
