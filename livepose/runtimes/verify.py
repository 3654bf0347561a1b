"""The numerical self-check: a runtime has to see people where fp32 torch sees them.

Reduced precision, graph compilers and some GPU drivers can be wrong without any error. Each
runtime is given the same crops of four people as the reference; one whose keypoints lie elsewhere
is not used.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.errors import DeviceError
from livepose.heatmaps import decode
from livepose.runtimes.protocol import Crops, Heatmaps, Runtime
from livepose.weights import Card
from livepose.weights.card import STRIDE

PROBES = 4
SHEET = Path(__file__).with_name("probes.jpg")
"""Four people, 256x192 each: cut from images that tensorflow/tfjs-models, google-coral/
project-posenet and ambianic/ambianic-edge publish under the Apache licence 2.0."""
LIMITS_PX = {"f32": 0.05, "f16": 0.05, "bf16": 0.05, "int8": 0.3}
"""Largest median distance between a keypoint and the reference's, in pixels of the crop."""
TAIL = 10
"""So many times the limit may the nine tenths' quantile be: a few maps have two like peaks."""
SCORE_LIMIT = 0.1
"""Largest median difference of scores, as a part of the reference's."""


class Shift(NamedTuple):
    """How far keypoints lie from the reference's: pixels of the crop, and parts of the score."""

    median_px: float
    tail_px: float
    score: float


@cache
def people() -> NDArray[np.uint8]:
    """Four people, uint8 (4, 256, 192, 3)."""
    sheet = cv2.imread(str(SHEET))
    if sheet is None:
        raise DeviceError(f"{SHEET} is missing or damaged; install livepose again")
    return np.stack(np.split(np.asarray(sheet, dtype=np.uint8), PROBES, axis=1))


def probe_crops(card: Card) -> Crops:
    """Crops uint8 (4, h, w, 3) of four people; the same ones every time."""
    size_wh, smaller = card.input_hw[::-1], card.input_hw[0] <= people().shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    crops = [cv2.resize(person, size_wh, interpolation=how) for person in people()]
    return np.stack(crops).astype(np.uint8)


def keypoint_shift(heatmaps: Heatmaps, reference: Heatmaps, blur_kernel: int) -> Shift:
    """Keypoints of heatmaps (P, K, H, W) against those of the reference, decoded by DARK."""
    found, wanted = (decode(one, "dark", blur_kernel) for one in (heatmaps, reference))
    seen = np.isfinite(wanted.xy).all(axis=-1)
    moved_px = STRIDE * np.linalg.norm(found.xy - wanted.xy, axis=-1)[seen]
    # A keypoint that is lost has moved without end.
    moved_px = np.nan_to_num(moved_px, nan=np.inf, posinf=np.inf)
    off = np.abs(found.scores - wanted.scores)[seen] / np.maximum(wanted.scores[seen], 1e-12)
    if not len(moved_px):
        return Shift(np.inf, np.inf, np.inf)
    tail = np.quantile(moved_px, 0.9, method="higher")
    return Shift(float(np.median(moved_px)), float(tail), float(np.median(off)))


def require_agreement(runtime: Runtime, reference: Heatmaps) -> None:
    """DeviceError when the runtime's keypoints of the probes lie elsewhere than the reference's."""
    shift = keypoint_shift(runtime(probe_crops(runtime.card)), reference, runtime.card.blur_kernel)
    limit_px = LIMITS_PX[runtime.precision]
    limits = limit_px, TAIL * limit_px, SCORE_LIMIT
    if not all(value <= limit for value, limit in zip(shift, limits, strict=True)):  # NaN too
        raise DeviceError(
            f"{runtime.name} on {runtime.device} in {runtime.precision} finds other keypoints "
            f"than torch in f32 (moved by {shift.median_px:.2f} px of the crop in the median and "
            f"{shift.tail_px:.2f} px at nine tenths, scores by {shift.score:.0%}; at most "
            f"{limit_px:g} px, {TAIL * limit_px:g} px and {SCORE_LIMIT:.0%} expected); use "
            "--precision f32 or --device cpu"
        )
