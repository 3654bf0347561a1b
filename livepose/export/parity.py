"""Whether an exported file finds, on real people, what livepose finds there."""

from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from livepose.errors import GateError
from livepose.export.graph import heatmap_to_crop
from livepose.heatmaps import decode
from livepose.poses import WEAK_SCORE
from livepose.runtimes.openvino import openvino
from livepose.runtimes.verify import probe_crops
from livepose.weights import Card
from livepose.weights.calibration import calibration_of

LIMIT_PX = 0.05
"""So far may a keypoint lie from livepose's, in pixels of the crop."""
Floats = NDArray[np.float64]


def require_parity(path: Path, card: Card, heatmaps: NDArray[np.float32]) -> float:
    """The largest distance of a keypoint from livepose's, px of the crop.

    ``heatmaps`` are what livepose's reference says to the probes. Keypoints that score too little
    to be drawn are left out, unless all do. GateError when it is above ``LIMIT_PX``.
    """
    expected, found = expected_keypoints(heatmaps, card), run(path, probe_crops(card))
    there = np.isfinite(expected[..., 0])
    sure = there & (expected[..., 2] >= WEAK_SCORE)
    counted = sure if sure.any() else there
    moved_px = np.linalg.norm(found[..., :2] - expected[..., :2], axis=-1)[counted]
    worst_px = float(np.nan_to_num(moved_px, nan=np.inf).max(initial=0.0))
    if worst_px > LIMIT_PX:
        raise GateError(
            f"the exported file finds keypoints {worst_px:.3g} px of the crop from where livepose "
            f"finds them (at most {LIMIT_PX:g} expected); it is deleted. Leave out --half"
        )
    return worst_px


def expected_keypoints(heatmaps: NDArray[np.float32], card: Card) -> Floats:
    """What livepose's own decoding makes of heatmaps (N, K, H, W): float64 (N, K, 6)."""
    decoded, calibration = decode(heatmaps, "dark", card.blur_kernel), calibration_of(card)
    covariance = decoded.covariance
    if calibration is not None:
        covariance = calibration.apply(covariance, decoded.scores)
    scale, offset = (np.array(pair) for pair in heatmap_to_crop(card))
    covariance = covariance * np.outer(scale, scale)
    spread = covariance[..., [0, 0, 1], [0, 1, 1]]
    xy = decoded.xy * scale + offset
    return np.concatenate([xy, decoded.scores[..., None], spread], axis=-1)


def run(path: Path, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Keypoints that an exported file finds."""
    if path.suffix == ".pt":
        import torch

        with torch.inference_mode(), catch_warnings():
            simplefilter("ignore")  # torch would rather have its newer form
            load: Any = torch.jit.load
            out = load(path)(torch.from_numpy(crops_bgr))
        keypoints: NDArray[np.float32] = (out[0] if isinstance(out, tuple) else out).numpy()
        return keypoints
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    return np.array(openvino().Core().compile_model(path, "CPU", options)(crops_bgr)[0])
