"""Crops of a plan, cut from the pictures on the CPU."""

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.frame import ImageBgr
from livepose.training.geometry import shrink
from livepose.training.people import People
from livepose.training.plan import Plan

ANTIALIAS_FROM = 2.2  # picture px per input px from which bilinear sampling alone would alias
ANTIALIAS_TO = 1.5


def render_crops(people: People, plan: Plan, input_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The crops of a plan as bytes, (B, h, w, 3) BGR; black where there is no picture."""
    crops = np.empty((len(plan), *input_hw, 3), dtype=np.uint8)
    factors = shrink(plan.matrices)
    for row, person in enumerate(plan.people):
        image = people.pictures.image_bgr(int(people.picture[person]))
        image, matrix = _window(image, plan.windows_xyxy[row], plan.matrices[row])
        if factors[row] > ANTIALIAS_FROM:
            image, matrix = _shrunk(image, matrix, ANTIALIAS_TO / float(factors[row]))
        crops[row] = cv2.warpAffine(
            image, matrix, input_hw[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
    return crops


def _window(
    image: ImageBgr, window_xyxy: NDArray[np.float64], matrix: NDArray[np.float64]
) -> tuple[ImageBgr, NDArray[np.float64]]:
    """The part of a picture inside a window, and the matrix that starts from that part."""
    height, width = image.shape[:2]
    left, top = (max(0, round(float(edge) + 0.5)) for edge in window_xyxy[:2])
    right, bottom = (round(float(edge) + 0.5) for edge in window_xyxy[2:])
    left, top = min(left, width - 1), min(top, height - 1)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([left, top], dtype=np.float64)
    return part, moved


def _shrunk(
    image: ImageBgr, matrix: NDArray[np.float64], factor: float
) -> tuple[ImageBgr, NDArray[np.float64]]:
    """A smaller picture by area averaging, and the matrix that starts from it."""
    height, width = image.shape[:2]
    size_wh = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    step = np.array([width / size_wh[0], height / size_wh[1]])
    moved = matrix.copy()
    moved[:, :2] = matrix[:, :2] * step
    moved[:, 2] += matrix[:, :2] @ (0.5 * step - 0.5)
    return np.asarray(small, dtype=np.uint8), moved
