"""The One Euro filter, which the product's is compared with.

G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy
Input in Interactive Systems", CHI 2012. https://doi.org/10.1145/2207676.2208639
"""

import numpy as np
from numpy.typing import NDArray

from studies.jitter.recording import Floats, Recording

SPEED_CUTOFF_HZ = 2.0
SCALE_CUTOFF_HZ = 0.5  # of the body scale, in which speeds are measured


def one_euro(recording: Recording, rest_hz: float = 1.0, rise: float = 10.0) -> Floats:
    """Keypoints (T, P, K, 2) of a recording after the filter; after a gap it begins anew.

    ``rest_hz`` is the cut-off for a keypoint at rest, ``rise`` what a body scale a second adds.
    """
    measured = np.where(recording.keypoint_scores[..., None] > 0, recording.keypoints_xy, np.nan)
    wh = recording.boxes_xyxy[..., 2:] - recording.boxes_xyxy[..., :2]
    scales_px = np.sqrt(wh.prod(axis=-1))[..., None, None]
    found, speed, scale_px = measured.copy(), np.zeros_like(measured[0]), scales_px[0].copy()
    for index, dt_s in enumerate(np.diff(recording.times_s), start=1):
        now, before = measured[index], measured[index - 1]
        grown_px = scale_px + _share(SCALE_CUTOFF_HZ, dt_s) * (scales_px[index] - scale_px)
        scale_px = np.where(np.isfinite(grown_px), grown_px, scales_px[index])
        # Between measurements: against the smoothed place it would count the lag as speed.
        change = (now - before) / (dt_s * scale_px) - speed
        goes_on = np.isfinite(change)
        speed = np.where(goes_on, speed + _share(SPEED_CUTOFF_HZ, dt_s) * change, 0.0)
        cutoff_hz = rest_hz + rise * np.linalg.norm(speed, axis=-1, keepdims=True)
        smoothed = found[index - 1] + _share(cutoff_hz, dt_s) * (now - found[index - 1])
        found[index] = np.where(goes_on, smoothed, now)
    return found


def _share(cutoff_hz: float | NDArray[np.float64], dt_s: float) -> NDArray[np.float64]:
    """Share of the new sample in a first-order low-pass after ``dt_s`` seconds."""
    turn = 2.0 * np.pi * np.asarray(cutoff_hz) * dt_s
    return np.asarray(turn / (turn + 1.0))
