"""Filters tried on recordings: the real ``Smoother``, fed with what the network saw."""

import numpy as np
from numpy.typing import NDArray

from livepose.smoothing import Smoother, SmoothingSettings
from studies.jitter.recording import Recording

Floats = NDArray[np.float64]


def smooth(
    recording: Recording,
    method: str,
    settings: SmoothingSettings | None = None,
    lead_s: float = 0.0,
) -> Floats:
    """Keypoints (T, P, K, 2) of a recording after the filter; NaN where nobody was tracked."""
    smoother = Smoother(method, settings)
    smoother.lead_s = lead_s
    found = np.full_like(recording.keypoints_xy, np.nan)
    for index, time_s in enumerate(recording.times_s):
        here, poses = recording.poses_at(index)
        found[index, here] = smoother.apply(float(time_s), poses).keypoints_xy
    return found
