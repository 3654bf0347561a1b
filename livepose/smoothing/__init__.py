"""Smoothing: still people do not tremble, fast hands do not lag.

The public ``Smoother`` validates and keeps one state for each track; ``filters`` are numba kernels,
which ``_kernels`` runs on all people of a frame in one call.
"""

from livepose.smoothing.smoother import METHODS, PRESETS, PRICES, Smoother, SmoothingSettings

__all__ = ["METHODS", "PRESETS", "PRICES", "Smoother", "SmoothingSettings"]
