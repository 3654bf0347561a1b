"""Making ranges for INT8 from real crops, and finding out what INT8 costs.

Post-training quantisation: the network stays as it is; only how finely it counts changes. Wide
limits of the numbers that enter a convolution make coarse steps, narrow ones cut the highest. Of a
histogram of what was seen on real crops, the limit with the least mean squared error is taken
(Banner et al., arXiv 1810.05723, section 3, by search over the histogram instead of a fitted
density).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, GateError
from livepose.estimator import PoseEstimator
from livepose.evaluation import Progress, no_progress
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset
from livepose.evaluation.predict import annotated_boxes, batches
from livepose.evaluation.validation import average_precision
from livepose.runtimes import Runtime, open_runtime
from livepose.runtimes.activation_ranges import ActivationRanges
from livepose.runtimes.int8 import STEPS, convolutions, entering, insert_ranges
from livepose.runtimes.openvino import StoredGraph, ov
from livepose.runtimes.openvino_pose import OpenVinoRuntime, PoseNetwork
from livepose.runtimes.verify import LIMITS_PX, keypoint_shift
from livepose.weights import Card, read_card

Crops = NDArray[np.uint8]
Limits = dict[str, tuple[float, float]]
PeopleSet = tuple[Dataset, Archive]

BATCH = 8
BINS = 2048
HEADROOM = 3.0
"""The histogram reaches so many times as far as the first batch; what is higher counts as top."""
EVERY = 5
"""Of large layers every fifth number is counted."""
LITTLE = 0.5
"""Below this part of the highest number, what is below 0 needs no room of its own."""
SHARES = np.linspace(0.3, 1.0, 71)
"""Parts of the highest number seen that are tried as limit."""
KEPT_AP = 0.99
"""The part of the AP that has to be left."""
SHIFT_CROPS = 32
"""Crops on which keypoints are compared with those of fp32 torch."""


def quantise(
    path: Path, data: PeopleSet, dev: PeopleSet, crops: int = 256, progress: Progress = no_progress
) -> ActivationRanges:
    """INT8 ranges for pose weights, from crops of ``data``, with what they cost on ``dev``.

    DataError when there are fewer people than one batch. GateError when INT8 leaves less than 99 %
    of the AP, or moves keypoints by more than 0.3 px of the crop in the median.
    """
    card = read_card(path)
    model = PoseNetwork(path, card).plain.model
    plain = _ready(model, card, "f32")
    seen = _real_crops(data, plain, crops)
    layers = list(convolutions(model))
    # The stem and the heatmap layer stay in f32.
    ends, advance = (layers[0], layers[-1]), progress("watching layers", len(seen))
    limits = measure_limits(model, seen, ends, advance)
    rounded = _ready(insert_ranges(model, limits), card, "int8")
    exact, people = open_runtime(path, "torch", "cpu"), len(dev[0].people)
    compared = _real_crops(dev, exact, SHIFT_CROPS)
    reference = exact(compared)
    measured: dict[str, float] = {
        "crops": len(seen),
        "shift_crops": len(compared),
        "people": people,
    }
    for runtime in (plain, rounded):
        name = runtime.precision
        shift = keypoint_shift(runtime(compared), reference, card.blur_kernel)
        measured[f"shift_px_{name}"] = round(shift.median_px, 4)
        measured[f"shift_px_{name}_p90"] = round(shift.tail_px, 4)
        advance = progress(f"AP in {name}", people)
        measured[f"ap_{name}"] = round(average_precision(runtime, *dev, advance), 2)
    require_kept(measured)
    return ActivationRanges(card.sha256, limits, measured)


def _ready(model: Any, card: Card, precision: str) -> OpenVinoRuntime:
    runtime = OpenVinoRuntime(StoredGraph(None, "", lambda: model), card, precision)
    runtime.warm_up((BATCH,))
    return runtime


def _real_crops(data: PeopleSet, runtime: Runtime, count: int) -> Crops:
    """Crops (N, h, w, 3) of annotated people as the live path cuts them, from mixed images."""
    dataset, images = data
    sample = annotated_boxes(dataset, runtime.card.alignment)
    mixed = [sample[i] for i in np.random.default_rng(0).permutation(len(sample))]
    found = np.empty((0, *runtime.card.input_hw, 3), np.uint8)
    for crops, _ in batches(PoseEstimator(runtime), images, mixed):
        found = np.concatenate([found, crops])
        if len(found) >= count:
            break
    if len(found) < BATCH:
        raise DataError(f"INT8 ranges need {BATCH} people or more to look at, got {len(found)}")
    return found[:count]


def require_kept(measured: Mapping[str, Any]) -> None:
    """GateError unless enough of the AP is left and the keypoints stay where they were."""
    whole, left, moved_px = (measured[n] for n in ("ap_f32", "ap_int8", "shift_px_int8"))
    most_px, found = LIMITS_PX["int8"], ""
    if left < KEPT_AP * whole:
        found = f"leaves {left:.2f} of {whole:.2f} AP, at least {KEPT_AP:.0%} of it"
    elif not moved_px <= most_px:
        found = f"moves keypoints by {moved_px:.2f} px of the crop (median), at most {most_px:g}"
    if found:
        raise GateError(
            f"INT8 {found} expected; nothing was written; look at more crops (--crops), or stay "
            "with f32"
        )


class Histogram:
    """Sizes of the numbers in one place of the network."""

    def __init__(self) -> None:
        self.lowest = self.highest = self._top = 0.0
        self._counts = np.zeros(BINS)

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts one batch."""
        self.lowest = min(self.lowest, float(values.min()))
        self.highest = max(self.highest, float(values.max()))
        self._top = self._top or HEADROOM * max(self.highest, -self.lowest) or 1.0
        sizes = np.abs(values.ravel()[::EVERY]) * (BINS / self._top)
        bins = np.minimum(sizes, BINS - 1).astype(np.int64)
        self._counts += np.bincount(bins, minlength=BINS)

    def limits(self) -> tuple[float, float]:
        """Lowest and highest number to keep; both sides alike where much is below 0."""
        signed = self.lowest < -LITTLE * self.highest
        most = max(self.highest, -self.lowest)
        if most == 0:
            return 0.0, 1.0  # nothing ever came: any range holds it
        steps = (STEPS - 2) / 2 if signed else STEPS - 1
        centres = (np.arange(BINS) + 0.5) * (self._top / BINS)

        def error(limit: float) -> float:
            """Sum of squares: of rounding inside the limit, of cutting outside."""
            inside = centres <= limit
            rounding = self._counts[inside].sum() * (limit / steps) ** 2 / 12
            cutting = (self._counts[~inside] * (centres[~inside] - limit) ** 2).sum()
            return float(rounding + cutting)

        top = float(f"{min(SHARES * most, key=error):.5g}")
        return (-top if signed else min(self.lowest, 0.0)), top


def measure_limits(
    model: Any, crops_bgr: Crops, left_out: Sequence[str], advance: Callable[[int], None]
) -> Limits:
    """Limits of what enters each convolution of a converted network, but for those ``left_out``.

    ``model`` takes crops (B, h, w, 3), B free; of ``crops_bgr`` (N, h, w, 3) what is left over from
    whole batches of 8 is not looked at. ``advance`` is told how many were seen.
    """
    model = model.clone()
    model.reshape([BATCH, *crops_bgr.shape[1:]])
    layers = {n: c for n, c in convolutions(model).items() if n not in left_out}
    sources = {name: one for layer in layers.values() for name, one in entering(layer).items()}
    results = [ov.opset13.result(source) for source in sources.values()]
    watching = ov.Model(results, model.get_parameters(), "watching")
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(watching, "CPU", options).create_infer_request()
    histograms = {name: Histogram() for name in sources}
    for start in range(0, len(crops_bgr) - BATCH + 1, BATCH):
        request.infer([np.ascontiguousarray(crops_bgr[start : start + BATCH])])
        for index, histogram in enumerate(histograms.values()):
            histogram.add(request.get_output_tensor(index).data)
        advance(BATCH)
    found = {name: histogram.limits() for name, histogram in histograms.items()}
    limits = {}
    for name, layer in layers.items():
        lows, highs = zip(*(found[source] for source in entering(layer)), strict=True)
        limits[name] = min(lows), max(highs)
    return limits
