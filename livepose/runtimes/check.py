"""The numerical self-check: a runtime has to say what fp32 torch says.

Reduced precision, graph compilers and some GPU drivers can be wrong without any error. Each
runtime is given the same made-up crops as the reference; one that differs is not used.
"""

import numpy as np

from livepose.errors import DeviceError
from livepose.runtimes.protocol import Crops, Heatmaps, Runtime
from livepose.weights import Card

PROBES = 2
LIMITS = {"f32": 0.01, "f16": 0.03, "bf16": 0.03}
"""Largest root mean square difference, as a part of the reference's standard deviation.

At 0.03 keypoints of photographs move by about a tenth of a crop pixel, at 0.01 by 0.04.
"""


def probe_crops(card: Card) -> Crops:
    """Crops uint8 (2, h, w, 3) of soft coloured blots; the same ones every time."""
    height, width = card.input_hw
    random = np.random.default_rng(20_260_101)
    rows, columns = np.arange(height)[:, None] / height, np.arange(width)[None, :] / width
    pictures = np.full((PROBES, height, width, 3), 110.0)
    for picture in pictures:
        for _ in range(24):
            x, y, size = random.uniform(0, 1, 3)
            blot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (0.002 + 0.03 * size))
            picture += blot[..., None] * random.uniform(-130, 130, 3)
    crops: Crops = np.clip(pictures, 0, 255).astype(np.uint8)
    return crops


def relative_error(heatmaps: Heatmaps, reference: Heatmaps) -> float:
    """Root mean square difference over the reference's standard deviation; NaN stays NaN."""
    difference = np.sqrt(np.mean(np.square(heatmaps.astype(np.float64) - reference)))
    return float(difference / max(float(np.std(reference.astype(np.float64))), 1e-12))


def require_agreement(runtime: Runtime, reference: Heatmaps) -> None:
    """Raises DeviceError unless the runtime gives the reference's heatmaps for the probes."""
    error = relative_error(runtime(probe_crops(runtime.card)), reference)
    limit = LIMITS[runtime.precision]
    if not error <= limit:  # also where it is NaN
        raise DeviceError(
            f"{runtime.name} on {runtime.device} in {runtime.precision} computes other heatmaps "
            f"than torch in f32 (difference {error:.1%}, at most {limit:.1%} expected); use "
            "--precision f32 or --device cpu"
        )
