"""How long drawing takes (only with --benchmark-enable or --benchmark-only)."""

from typing import Any

import numpy as np
from drawing.people import standing

from livepose.drawing import Hud, draw_hud, draw_poses


def test_four_people_at_720p(benchmark: Any) -> None:
    image = np.full((720, 1280, 3), 128, dtype=np.uint8)
    poses = standing([(60 + 300 * place, 80, 300 + 300 * place, 680) for place in range(4)])
    benchmark(draw_poses, image, poses)


def test_four_people_with_uncertainty_at_720p(benchmark: Any) -> None:
    image = np.full((720, 1280, 3), 128, dtype=np.uint8)
    boxes = [(60.0 + 300 * place, 80.0, 300.0 + 300 * place, 680.0) for place in range(4)]
    benchmark(draw_poses, image, standing(boxes, sigma_px=12.0), show_uncertainty=True)


def test_the_hud_at_720p(benchmark: Any) -> None:
    image = np.full((720, 1280, 3), 128, dtype=np.uint8)
    stages = dict.fromkeys(("detect", "track", "crop", "network", "decode", "smooth"), 3.2)
    benchmark(draw_hud, image, Hud(30.0, 4, stages, 40.0, 60.0, 3, "dark"))
