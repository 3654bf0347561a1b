"""Smoothing: still people do not tremble, fast hands do not lag.

The public ``Smoother`` validates and keeps one state for each track; the filters themselves are
numba kernels in ``_kernels``, one call for all people of a frame.
"""

from livepose.smoothing.settings import METHODS, PRESETS, PRICES, SmoothingSettings
from livepose.smoothing.smoother import Smoother

__all__ = ["METHODS", "PRESETS", "PRICES", "Smoother", "SmoothingSettings"]
