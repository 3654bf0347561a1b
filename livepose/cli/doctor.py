"""``livepose doctor``: looks at this machine, and prints what is wrong and how to mend it.

A broken library can take its process along (an abort, an illegal instruction, a hang), so each
check of ``CHECKS`` runs in its own: ``python -m livepose.cli.doctor NAME`` prints what it found.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from livepose.cli.options import command
from livepose.errors import DeviceError, LiveposeError, SinkError, WeightsError
from livepose.machine import processor_and_cores
from livepose.settings import option

OK, WARN, FAIL = "ok", "warn", "fail"
AT_ONCE, TIMEOUT_S = 2, 120.0
SMALLEST_FREE_BYTES = 500_000_000
AGAIN = "pip install --force-reinstall"
Found = tuple[str, str]
"""What was found, and the command that mends it; "" where all is well."""


def _torch() -> Found:
    if find_spec("torch") is None:
        found = "not installed: no GPUs, no training; OpenVINO runs the embedded networks"
        return found, "pip install 'livepose[torch]'"
    import torch

    torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(1, 3, 3, 3))
    cuda, build = torch.cuda, torch.version.cuda
    gpus = [f"cuda:{one} {cuda.get_device_name(one)}" for one in range(cuda.device_count())]
    devices = ", ".join(["cpu", *gpus, *["mps"] * torch.backends.mps.is_available()])
    found = f"{torch.__version__}, computes; devices: {devices}"
    if gpus or shutil.which("nvidia-smi") is None:
        return found, ""
    advice = f"update the NVIDIA driver to one that knows CUDA {build}"
    if build is None:
        advice = f"{AGAIN} torch  (a CUDA build: https://pytorch.org)"
    return f"{found}; an NVIDIA driver is there, but torch sees no GPU", advice


def _openvino() -> Found:
    modules: dict[str, Any] = sys.modules
    modules["openvino_telemetry"] = None  # it need talk to nobody
    import numpy as np
    import openvino

    core, numbers = openvino.Core(), openvino.opset13.parameter([1, 4], np.float32)
    model = openvino.Model([openvino.opset13.add(numbers, numbers)], [numbers], "tiny")
    core.compile_model(model, "CPU")(np.ones((1, 4), np.float32))
    return f"{openvino.__version__.split('-')[0]}, a model runs", ""


def _numba() -> Found:
    import numba
    import numpy as np

    numba.njit(lambda values: values + values)(np.ones(3))
    from livepose.drawing._kernels import paint_capsules

    found = f"{numba.__version__} with NumPy {np.__version__}"
    cache = paint_capsules.stats.cache_path
    if cache and _is_writable(Path(cache)):
        return f"{found}, compiles and keeps what it compiled", ""
    advice = f"export NUMBA_CACHE_DIR={Path(tempfile.gettempdir()) / 'numba'}"
    return f"{found}; its cache is not writable, each start compiles anew", advice


def _opencv() -> Found:
    """Its distributions share one folder and overwrite each other's files."""
    import cv2
    import numpy as np

    cv2.resize(np.zeros((8, 8, 3), np.uint8), (4, 4))
    names = sorted({f"{one.metadata['Name']}".lower() for one in metadata.distributions()})
    names = [name for name in names if name.startswith("opencv-")]
    found = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    if len(names) < 2 and "headless" not in found:
        return found or "OpenCV without a name", ""
    advice = f"pip uninstall -y {' '.join(names)} && {AGAIN} opencv-python"
    return f"{found}: only opencv-python alone has windows and whole files", advice


def _window() -> Found:
    import numpy as np

    from livepose.window import Window

    possible, reason = Window.available()
    if not possible:
        advice = "start livepose from a desktop session (or ssh -X), or use --output"
        return f"none: {reason}", advice
    with Window("livepose doctor") as window:
        window.show(np.zeros((32, 32, 3), np.uint8))
        window.poll()
    return "opens", ""


def _pyav() -> Found:
    import av

    if "libx264" not in av.codecs_available:
        raise SinkError("built without libx264, so no video can be written")
    return f"{av.__version__}, writes H.264 (libx264)", ""


def _weights() -> Found:
    from livepose.weights.arrays import load_arrays
    from livepose.weights.places import DEFAULT_DETECTOR, find_weights

    paths = [find_weights(name) for name in ("default", DEFAULT_DETECTOR)]
    for path in paths:
        load_arrays(path)
    return f"{', '.join(path.stem for path in paths)}, verified", ""


def _cameras() -> Found:
    from livepose.sources.camera import list_cameras

    found = list_cameras()
    there = [one.path for one in found if Path(one.path).exists()]
    if closed := [path for path in there if not os.access(path, os.R_OK | os.W_OK)]:
        advice = "sudo usermod -aG video $USER  (then log in again)"
        return f"no permission to read {', '.join(closed)}", advice
    if not found:
        return "none found", "plug one in, then: livepose cameras"
    return ", ".join(f"{one.index}: {one.name}" for one in found), ""


def _cache() -> Found:
    from livepose.weights.places import cache_folder

    folder = cache_folder()
    advice = f"export LIVEPOSE_CACHE={Path(tempfile.gettempdir()) / 'livepose'}"
    if not _is_writable(folder):
        return f"{folder} cannot be written, so nothing can be fetched", advice
    free = shutil.disk_usage(folder).free
    return f"{folder}, {free / 1e9:.1f} GB free", "" if free > SMALLEST_FREE_BYTES else advice


def _is_writable(folder: Path) -> bool:
    """Tried with a file: permission bits say nothing of a read-only disk, or to root."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


class Check(NamedTuple):
    """Who looks; where that fails: what mends it, and the exit code, 0 if livepose runs without."""

    run: Callable[[], Found]
    advice: str = ""
    exit_code: int = 0


BROKEN, WEIGHTS, DEVICE = (one.exit_code for one in (LiveposeError, WeightsError, DeviceError))
CHECKS = {
    "processor": Check(lambda: (processor_and_cores(), "")),
    "torch": Check(_torch, f"{AGAIN} torch", DEVICE),
    "openvino": Check(_openvino, f"{AGAIN} openvino"),
    "numba": Check(_numba, "pip install --upgrade numba numpy", BROKEN),
    "opencv": Check(_opencv, f"{AGAIN} opencv-python", BROKEN),
    "window": Check(_window, "apt-get install -y libxcb1 libx11-6 libgl1 libglib2.0-0"),
    "pyav": Check(_pyav, f"{AGAIN} --only-binary av av", BROKEN),
    "weights": Check(_weights, f"{AGAIN} --no-deps livepose", WEIGHTS),
    "cameras": Check(_cameras, "livepose cameras"),
    "cache": Check(_cache),
}


class Verdict(NamedTuple):
    """How something is, what was found, and the command that mends it."""

    status: str
    found: str
    advice: str = ""


def probe(name: str, timeout_s: float = TIMEOUT_S, **how: Any) -> Verdict:
    """Runs a check in a process of its own; what ends that process is a finding too."""
    command = [sys.executable, "-m", "livepose.cli.doctor", name]
    how |= {"timeout": timeout_s, "capture_output": True, "text": True}
    try:
        done = subprocess.run(command, check=False, **how)
    except subprocess.TimeoutExpired:
        said = [f"did not answer within {timeout_s:g} s"]
    else:
        if done.returncode == 0:
            # A library may chatter on stdout; what was found is the last line.
            found, advice = json.loads(done.stdout.splitlines()[-1])
            return Verdict(WARN if advice else OK, found, advice)
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-1:]
        if done.returncode < 0:
            said = [f"died of {signal.Signals(-done.returncode).name}", *said]
        said = said or [f"ended with exit code {done.returncode}"]
    check = CHECKS[name]
    return Verdict(FAIL if check.exit_code else WARN, ": ".join(said), check.advice)


@command("Checks this machine, and says how to mend it.")
def doctor(json_: bool = option(False, "print the findings as JSON", flag="--json")) -> int:
    """Examines, prints, and returns 0 if livepose is usable, else the first failure's code."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(CHECKS, pool.map(probe, CHECKS), strict=True))
    failed = [name for name, one in found.items() if one.status == FAIL]
    code = CHECKS[failed[0]].exit_code if failed else 0
    if json_:
        checks = [{"name": name, **one._asdict()} for name, one in found.items()]
        print(json.dumps({"usable": code == 0, "exit_code": code, "checks": checks}, indent=2))
        return code
    for name, one in found.items():
        print(f"{one.status:4}  {name:9}  {one.found}")
    for name, one in found.items():
        if one.advice:
            print(f"\n{name}: {one.advice}")
    print(f"\nnot usable yet: {', '.join(failed)}" if failed else "\nlivepose is usable here")
    return code


if __name__ == "__main__":
    try:
        print(json.dumps(CHECKS[sys.argv[1]].run()))
    except LiveposeError as error:
        sys.exit(str(error))
