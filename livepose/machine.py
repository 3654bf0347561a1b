"""What a figure was measured on."""

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livepose.pipeline import PosePipeline

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = ("livepose", "numpy", "numba", "opencv-python", "torch", "openvino", "ultralytics")


def describe_machine(pipeline: "PosePipeline") -> dict[str, Any]:
    """Processor, device, runtime, precision, weights and versions."""
    from livepose.weights.card import size_of

    runtime = pipeline.estimator.runtime
    card, device = runtime.card, runtime.device
    if device.startswith("cuda"):
        import torch

        device = f"{device}, {torch.cuda.get_device_name(device)}"
    return {
        **describe_system(),
        "device": device,
        "runtime": f"{runtime.name}, {runtime.precision}",
        "pose": f"{card.network} {size_of(card)}, {card.sha256[:12]}",
        "detector": "none" if pipeline.detector is None else pipeline.detector.name,
    }


def describe_system() -> dict[str, str]:
    """Processor, system and versions, whatever runs on them."""
    python = platform.python_version()
    return {
        "processor": processor_and_cores(),
        "system": f"{platform.system()} {platform.machine()}, Python {python}",
        "versions": ", ".join(f"{name} {known_version(name)}" for name in PACKAGES),
    }


def processor_and_cores() -> str:
    """``AMD EPYC, 2 cores``: those that this process may use."""
    text = CPUINFO.read_text(errors="replace") if CPUINFO.is_file() else ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    name = match[1] if match else platform.processor() or platform.machine()
    cores = usable_cores()
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than there are."""
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
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
