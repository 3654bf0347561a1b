"""How the shape and the height of a heatmap's peak become an expected error.

The covariance that DARK reads off a heatmap is that of the drawn Gaussian, not of the error: the
network's score says more. So for keypoint k::

    log sigma = intercept[k] + shape * log(sigma of the heatmap) + height * log(score)

in heatmap pixels, with ``flat`` added where the heatmap has no covariance. The numbers come from
``livepose calibrate``, belong to one set of weights, and lie in ``calibration.toml`` beside it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.errors import WeightsError
from livepose.weights import _kernels
from livepose.weights.card import Card
from livepose.weights.places import embedded_file

FILE = "calibration.toml"
LEAST_SCORE = 0.02
RADII = (0.85, 2.27)
"""In sigmas, what 39 and 86 % of the errors are within: one and two, were they normal. Their tails
are heavier, whatever the weights; ``livepose calibrate`` prints what the two hold."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What ``livepose calibrate`` found for one set of weights of K keypoints."""

    intercept: tuple[float, ...]
    shape: float
    height: float
    flat: float

    def apply(self, covariance: Floats, scores: Floats) -> Floats:
        """Covariances (P, K, 2, 2) of the expected error: their shape kept, their size set."""
        expected = np.array(covariance, order="C")
        peaks = expected, np.ascontiguousarray(scores)
        _kernels.calibrate(*peaks, self.intercepts, self.slopes, expected)
        return expected

    @cached_property
    def intercepts(self) -> Floats:
        """``intercept`` as kernels take it, (K,)."""
        return np.array(self.intercept, dtype=np.float64)

    @property
    def slopes(self) -> tuple[float, float, float, float]:
        """All else as kernels take it: shape, height, flat, and the least score."""
        return self.shape, self.height, self.flat, LEAST_SCORE


def calibration_of(card: Card) -> Calibration | None:
    """The calibration of these weights, else that of the embedded ones; None if neither fits."""
    path = embedded_file(FILE)
    known = {} if path is None else read_calibrations(path)
    found = known.get(card.sha256) or known.get("default")
    return found if found is not None and len(found.intercept) == card.keypoints else None


def read_calibrations(path: Path) -> dict[str, Calibration]:
    """The calibrations of a file by the hash of their weights; ``default`` is for all others.

    WeightsError if the file is not what ``livepose calibrate`` writes.
    """
    try:
        return {
            name: Calibration(
                tuple(map(float, entry["intercept"])),
                *(float(entry[slope]) for slope in ("shape", "height", "flat")),
            )
            for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path} is not a calibration ({error}); write it with 'livepose calibrate'"
        ) from error


def written(entries: Mapping[str, Calibration]) -> str:
    """The file's text."""
    parts = ["# Written by `livepose calibrate`: see livepose/weights/calibration.py."]
    for name, one in entries.items():
        numbers = ", ".join(f"{value:.4f}" for value in one.intercept)
        parts.append(
            f'\n["{name}"]\nintercept = [{numbers}]\nshape = {one.shape:.4f}\n'
            f"height = {one.height:.4f}\nflat = {one.flat:.4f}"
        )
    return "\n".join(parts) + "\n"
