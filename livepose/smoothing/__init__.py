"""Smoothing: still people do not tremble, fast hands do not lag.

The public ``Smoother`` validates and keeps one state for each track; ``imm`` filters all people of
a frame in one call.
"""

from livepose.smoothing.smoother import COSTS, Smoother

__all__ = ["COSTS", "Smoother"]
