"""Crops of a plan, cut on the CPU by the code that cuts them live (``livepose.crops``)."""

import numpy as np
from numpy.typing import NDArray

from livepose.crops import cut_crops
from livepose.frame import ImageBgr
from livepose.training.data import People
from livepose.training.plan import Plan


def render_crops(people: People, plan: Plan, input_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The crops of a plan as bytes, (B, h, w, 3) BGR; black where there is no picture."""
    crops = np.empty((len(plan), *input_hw, 3), dtype=np.uint8)
    for row, person in enumerate(plan.people):
        image = people.pictures.image_bgr(int(people.picture[person]))
        image, matrix = _window(image, plan.windows_xyxy[row], plan.matrices[row])
        cut_crops(image, matrix[None], input_hw, out=crops[row : row + 1])
    return crops


def _window(
    image: ImageBgr, window_xyxy: NDArray[np.float64], matrix: NDArray[np.float64]
) -> tuple[ImageBgr, NDArray[np.float64]]:
    """The part of a picture inside a window, and the matrix that starts from that part.

    Webcam cuts end at the bottom alone, so that the part is a view without a copy.
    """
    height, width = image.shape[:2]
    left, top = (max(0, round(float(edge) + 0.5)) for edge in window_xyxy[:2])
    right, bottom = (round(float(edge) + 0.5) for edge in window_xyxy[2:])
    left, top = min(left, width - 1), min(top, height - 1)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([left, top], dtype=np.float64)
    return part, moved
