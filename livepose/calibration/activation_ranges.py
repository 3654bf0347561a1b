"""Within which limits the numbers that enter each convolution are rounded for INT8.

Wide limits make coarse steps, narrow ones cut the highest numbers. Of a histogram of what was
seen on real crops, the limit with the least mean squared error is taken (Banner et al.,
arXiv 1810.05723, section 3, by search over the histogram instead of a fitted density).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.runtimes.int8 import STEPS, convolutions, entering
from livepose.runtimes.openvino import openvino

ov = openvino()

Crops = NDArray[np.uint8]
Limits = dict[str, tuple[float, float]]

BATCH = 8
BINS = 2048
HEADROOM = 3.0
"""The histogram reaches so many times as far as the first batch; what is higher counts as top."""
EVERY = 5
"""Of large layers every fifth number is counted."""
SHARES = np.linspace(0.3, 1.0, 71)
"""Parts of the highest number seen that are tried as limit."""


class Histogram:
    """Sizes of the numbers in one place of the network."""

    def __init__(self) -> None:
        self.lowest = 0.0
        self.highest = 0.0
        self._top = 0.0
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
        """Lowest and highest number to keep; with numbers below 0 both sides alike."""
        signed = self.lowest < 0
        most = max(self.highest, -self.lowest)
        if most == 0:
            return 0.0, 1.0  # nothing ever came: any range holds it
        steps = (STEPS - 2) / 2 if signed else STEPS - 1
        errors = [self._error(share * most, steps) for share in SHARES]
        top = float(f"{SHARES[int(np.argmin(errors))] * most:.5g}")
        return (-top if signed else 0.0), top

    def _error(self, limit: float, steps: float) -> float:
        """Sum of squares: of rounding inside the limit, of cutting outside."""
        centres = (np.arange(BINS) + 0.5) * (self._top / BINS)
        inside = centres <= limit
        rounding = self._counts[inside].sum() * (limit / steps) ** 2 / 12
        cutting = (self._counts[~inside] * (centres[~inside] - limit) ** 2).sum()
        return float(rounding + cutting)


def measure_limits(
    model: Any, crops_bgr: Crops, left_out: Sequence[str], advance: Callable[[int], None]
) -> Limits:
    """Limits of what enters each convolution of a converted network.

    Parameters
    ----------
    model : openvino.Model
        Crops uint8 (B, h, w, 3) to heatmaps, B free.
    crops_bgr : uint8 (N, h, w, 3)
        N of at least 8; what is left over from whole batches of 8 is not looked at.
    left_out : sequence of str
        Convolutions that shall stay as they are.
    advance : callable
        Told how many crops were seen.
    """
    model = model.clone()
    model.reshape([BATCH, *crops_bgr.shape[1:]])
    layers = {n: c for n, c in convolutions(model).items() if n not in left_out}
    sources = {_name(entering(layer)): entering(layer) for layer in layers.values()}
    request = _watching(model, list(sources.values()))
    histograms = {name: Histogram() for name in sources}
    for start in range(0, len(crops_bgr) - BATCH + 1, BATCH):
        request.infer([np.ascontiguousarray(crops_bgr[start : start + BATCH])])
        for index, histogram in enumerate(histograms.values()):
            histogram.add(request.get_output_tensor(index).data)
        advance(BATCH)
    found = {name: histogram.limits() for name, histogram in histograms.items()}
    return {name: found[_name(entering(layer))] for name, layer in layers.items()}


def _watching(model: Any, sources: list[Any]) -> Any:
    """The network with these places as outputs."""
    results = [ov.opset13.result(source) for source in sources]
    watching = ov.Model(results, model.get_parameters(), "watching")
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    return ov.Core().compile_model(watching, "CPU", options).create_infer_request()


def _name(source: Any) -> str:
    return str(source.get_node().get_friendly_name())
