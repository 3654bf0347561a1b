"""What a figure was measured on."""

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from livepose.pipeline import PosePipeline
from livepose.weights.card import size_of

PACKAGES = ("livepose", "numpy", "numba", "opencv-python", "torch", "openvino", "ultralytics")


def describe_machine(pipeline: PosePipeline) -> dict[str, Any]:
    """Processor, device, runtime, precision, weights and versions."""
    runtime = pipeline.estimator.runtime
    card = runtime.card
    system = describe_system()
    return {
        "processor": system["processor"],
        "device": device_name(runtime.device),
        "runtime": f"{runtime.name}, {runtime.precision}",
        "pose": f"{card.network} {size_of(card)}, {card.sha256[:12]}",
        "detector": "none" if pipeline.detector is None else pipeline.detector.name,
        "system": system["system"],
        "versions": system["versions"],
    }


def device_name(device: str) -> str:
    """The device, and which card it is."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device}, {torch.cuda.get_device_name(device)}"


def describe_system() -> dict[str, str]:
    """Processor, system and versions, whatever runs on them."""
    return {
        "processor": f"{processor_name()}, {usable_cores()} cores",
        "system": system_name(),
        "versions": known_versions(),
    }


def system_name() -> str:
    """Operating system, architecture and Python."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def known_versions() -> str:
    """The packages that speed depends on, with their versions."""
    return ", ".join(f"{name} {known_version(name)}" for name in PACKAGES)


def processor_name() -> str:
    """The processor as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def known_version(package: str) -> str:
    """Version of an installed package, or "absent"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
