"""Runtimes: the pose network on torch, OpenVINO or CUDA, behind one small protocol."""

from livepose.runtimes.protocol import Crops, Heatmaps, Runtime
from livepose.runtimes.select import open_runtime

__all__ = ["Crops", "Heatmaps", "Runtime", "open_runtime"]
