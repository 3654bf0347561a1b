"""Numba kernel from heatmaps to keypoints in the picture, all of it in one call.

Between the network and this nothing of Python or NumPy is in the processor's caches, and each
call from one to the other costs more than what it does.
"""

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.crops._kernels import to_image
from livepose.heatmaps._kernels import Real, decode_dark_maps
from livepose.weights._kernels import calibrate

Floats = NDArray[np.float64]
Triple = tuple[float, float, float]


@njit(cache=True, nogil=True, error_model="numpy")
def decode_to_image(
    maps: Real,
    taps: Floats,
    boxes_xyxy: Floats,
    placing: tuple[Triple, Triple, tuple[float, float]],
    intercept: Floats,
    slopes: tuple[float, float, float, float],
    image_xy: Floats,
    scores: Floats,
    covariance_px2: Floats,
) -> None:
    """Keypoints (P, K, 2), scores (P, K) and covariances (P, K, 2, 2) of maps (P, K, H, W).

    By DARK, for the boxes (P, 4) of the crops. ``placing`` is ``CropGeometry.placing``;
    ``intercept`` (K,) and ``slopes`` are those of the calibration, (0,) without one.
    """
    heatmap_xy, covariance = np.empty(image_xy.shape), np.empty(covariance_px2.shape)
    decode_dark_maps(maps, taps, heatmap_xy, scores, covariance)
    for p in range(scores.shape[0]):
        for k in range(scores.shape[1]):
            scores[p, k] = min(scores[p, k], 1.0)  # a peak may be higher; a score may not
    if len(intercept) > 0:
        calibrate(covariance, scores, intercept, slopes, covariance)
    to_image(heatmap_xy, covariance, boxes_xyxy, placing, image_xy, covariance_px2)
