"""Weights as an estimator for measuring, opened exactly as the live pipeline opens them."""

from pathlib import Path

from livepose.estimator import PoseEstimator
from livepose.runtimes import open_runtime


def open_estimator(
    weights: str | Path,
    input_hw: tuple[int, int] | None = None,
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "auto",
) -> PoseEstimator:
    """The weights, at another size of their input if wanted (``open_runtime``)."""
    return PoseEstimator(open_runtime(weights, runtime, device, precision, input_hw=input_hw))
