"""Pictures made to fit a recording that has one size, with even sides."""

import cv2
import numpy as np

from livepose.frame import ImageBgr


def even(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size rounded up to even sides, which H.264 with yuv420p needs."""
    return size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2


def fit(image_bgr: ImageBgr, size_wh: tuple[int, int]) -> ImageBgr:
    """The picture in ``size_wh``: as it is, with its edge repeated by a pixel, or scaled.

    Scaling keeps the shape and fills the rest with black.
    """
    height, width = image_bgr.shape[:2]
    if (width, height) == size_wh:
        return np.ascontiguousarray(image_bgr)
    if even((width, height)) == size_wh:
        missing = (0, size_wh[1] - height, 0, size_wh[0] - width)
        return np.asarray(cv2.copyMakeBorder(image_bgr, *missing, cv2.BORDER_REPLICATE))
    return _letterbox(image_bgr, size_wh)


def _letterbox(image_bgr: ImageBgr, size_wh: tuple[int, int]) -> ImageBgr:
    height, width = image_bgr.shape[:2]
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (size_wh[0] - inner_w) // 2, (size_wh[1] - inner_h) // 2
    framed = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    framed[top : top + inner_h, left : left + inner_w] = cv2.resize(
        image_bgr, (inner_w, inner_h), interpolation=method
    )
    return framed
