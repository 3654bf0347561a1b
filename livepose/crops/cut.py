"""From a frame to the crops that a network takes, in one pass."""

import numpy as np
from numpy.typing import NDArray

from livepose.crops import _kernels

MOST_SAMPLES = 4
"""Samples along one axis of an output pixel, at most."""


def cut_crops(
    image_bgr: NDArray[np.uint8],
    matrices: NDArray[np.float64],
    input_hw: tuple[int, int],
) -> NDArray[np.uint8]:
    """Cut people out of a frame: uint8 (P, h, w, 3), blue first, black outside the frame.

    An output pixel is the bilinear interpolation of the frame at its centre, rounded to the
    nearest byte. Where people are much larger than the crop, that skips source pixels and fine
    texture turns into false patterns. So an output pixel that spans more than 2 source pixels
    along an axis is the mean of n samples along it, ``n = ceil(span / 2)``, at most 4.

    Parameters
    ----------
    image_bgr : uint8 (H, W, 3)
        Any memory layout; what is not contiguous is copied.
    matrices : float64 (P, 2, 3)
        Affine maps from image to input pixels, integers at pixel centres, as
        ``CropGeometry.matrices`` gives them. One that is singular or not finite (the box was
        NaN) gives a black crop.
    input_hw : (int, int)
        Rows and columns of a crop.

    Raises
    ------
    ValueError
        When shapes or types are not as described.

    Examples
    --------
    >>> import numpy as np
    >>> image_bgr = np.full((4, 4, 3), 100, dtype=np.uint8)
    >>> shift_by_half = np.array([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    >>> cut_crops(image_bgr, shift_by_half, (1, 6))[0, 0, :, 0].tolist()
    [50, 100, 100, 100, 50, 0]
    """
    image = np.asarray(image_bgr)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise ValueError(
            "image_bgr: expected uint8 of shape (height, width, 3) with at least one pixel, "
            f"got {image.dtype} of shape {image.shape}"
        )
    maps = np.ascontiguousarray(matrices, dtype=np.float64)
    if maps.ndim != 3 or maps.shape[1:] != (2, 3):
        raise ValueError(f"matrices: expected shape (people, 2, 3), got {maps.shape}")
    if len(input_hw) != 2 or min(input_hw) < 1:
        raise ValueError(f"input_hw: expected two positive integers, got {input_hw!r}")
    crops = np.empty((len(maps), int(input_hw[0]), int(input_hw[1]), 3), dtype=np.uint8)
    flat = np.ascontiguousarray(image).reshape(image.shape[0], image.shape[1] * 3)
    if _kernels.cut_all(flat, maps, MOST_SAMPLES, crops):
        _kernels.cut_turned_ones(flat, maps, MOST_SAMPLES, crops)
    return crops
