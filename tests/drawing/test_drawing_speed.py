"""How long drawing takes (only with --benchmark-enable or --benchmark-only)."""

from typing import Any

import numpy as np
import pytest
from drawing.people import standing

from livepose.drawing import draw_poses


@pytest.mark.parametrize("show_uncertainty", [False, True])
def test_four_people_at_720p(benchmark: Any, show_uncertainty: bool) -> None:
    image = np.full((720, 1280, 3), 128, dtype=np.uint8)
    boxes = [(60.0 + 300 * place, 80.0, 300.0 + 300 * place, 680.0) for place in range(4)]
    poses = standing(boxes, sigma_px=12.0)
    benchmark(draw_poses, image, poses, show_uncertainty=show_uncertainty)
