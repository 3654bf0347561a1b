"""``livepose doctor``: looks at this machine, and prints what is wrong and how to mend it.

A broken library can take its process along (an abort, an illegal instruction, a hang), so each
check of ``CHECKS`` runs in its own: ``python -m livepose.cli.doctor NAME`` prints its verdict.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from livepose.cli.options import command
from livepose.errors import DeviceError, LiveposeError, WeightsError
from livepose.machine import answer_of, processor_and_cores, processor_flags
from livepose.settings import option

OK, WARN, FAIL = "ok", "warn", "fail"
AT_ONCE, TIMEOUT_S = 2, 120.0
SMALLEST_FREE_BYTES = 500_000_000
QUICK = ("avx2", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "asimd", "asimddp", "bf16")
"""Instructions that make networks quick, by the kernel's names."""


class Verdict(NamedTuple):
    """How something is, what was found, and the command that mends it."""

    status: str
    found: str
    advice: str = ""


def _processor() -> Verdict:
    flags = processor_flags()
    found = ", ".join([processor_and_cores(), *(flag for flag in QUICK if flag in flags)])
    if flags and not flags & {"avx2", "asimd", "neon"}:
        advice = "use a machine with AVX2 (any x86 processor since 2015), or a GPU"
        return Verdict(WARN, f"{found}; without AVX2 networks are slow", advice)
    return Verdict(OK, found)


def _torch() -> Verdict:
    import torch

    torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(1, 3, 3, 3))
    return Verdict(OK, f"{torch.__version__}, a convolution runs")


def _device(asked: str = "auto") -> Verdict:
    """Whether the device that was asked for is there; "auto" is content with the processor."""
    devices, build, has_torch = ["cpu"], None, find_spec("torch") is not None
    if has_torch:
        import torch

        build = torch.version.cuda
        numbers = range(torch.cuda.device_count())
        devices += [f"cuda:{one} {torch.cuda.get_device_name(one)}" for one in numbers]
        if torch.backends.mps.is_available():
            devices.append("mps")
    found = ", ".join(devices)
    has_driver = "GPU" in answer_of("nvidia-smi", "-L")
    if not has_driver:
        advice = "use --device cpu (no NVIDIA driver answers: try nvidia-smi)"
    elif build is None:
        advice = "pip install --force-reinstall torch  (a CUDA build: https://pytorch.org)"
    else:
        advice = f"update the NVIDIA driver to one that knows CUDA {build}"
    wanted = {"auto": "cpu", "cuda": "cuda:0"}.get(asked, asked)
    if wanted not in [device.partition(" ")[0] for device in devices]:
        return Verdict(FAIL, f"{asked} is not there, only {found}", advice)
    if asked == "auto" and has_torch and has_driver and "cuda" not in found:
        return Verdict(WARN, f"{found}; an NVIDIA GPU is present but torch sees none", advice)
    return Verdict(OK, found)


def _openvino() -> Verdict:
    modules: dict[str, Any] = sys.modules
    modules["openvino_telemetry"] = None  # it need talk to nobody
    import numpy as np
    import openvino

    core, numbers = openvino.Core(), openvino.opset13.parameter([1, 4], np.float32)
    model = openvino.Model([openvino.opset13.add(numbers, numbers)], [numbers], "tiny")
    core.compile_model(model, "CPU")(np.ones((1, 4), np.float32))
    return Verdict(OK, f"{openvino.__version__.split('-')[0]}, a model runs")


def _numba() -> Verdict:
    import numba
    import numpy as np

    numba.njit(lambda values: values + values)(np.ones(3))
    from livepose.drawing._kernels import paint_capsules

    found = f"{numba.__version__} with NumPy {np.__version__}"
    cache = paint_capsules.stats.cache_path
    if cache and _is_writable(Path(cache)):
        return Verdict(OK, f"{found}, compiles and keeps what it compiled")
    advice = f"export NUMBA_CACHE_DIR={Path(tempfile.gettempdir()) / 'numba'}"
    return Verdict(WARN, f"{found}; its cache is not writable, each start compiles anew", advice)


def _opencv() -> Verdict:
    """Its distributions share one folder and overwrite each other's files."""
    import cv2
    import numpy as np

    cv2.resize(np.zeros((8, 8, 3), np.uint8), (4, 4))
    names = sorted({f"{one.metadata['Name']}".lower() for one in metadata.distributions()})
    names = [name for name in names if name.startswith("opencv-")]
    found = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    if len(names) > 1 or "headless" in found:
        why = "only opencv-python alone has windows and whole files"
        return Verdict(WARN, f"{found}: {why}", f"pip uninstall -y {' '.join(names)} && {OPENCV}")
    return Verdict(OK, found or "OpenCV without a name")


def _window() -> Verdict:
    import numpy as np

    from livepose.window import Window

    possible, reason = Window.available()
    if not possible:
        advice = "start livepose from a desktop session (or ssh -X), or use --output"
        return Verdict(WARN, f"none: {reason}", advice)
    with Window("livepose doctor") as window:
        window.show(np.zeros((32, 32, 3), np.uint8))
        window.poll()
    return Verdict(OK, "opens")


def _pyav() -> Verdict:
    import av

    if "libx264" not in av.codecs_available:
        return Verdict(FAIL, "built without libx264, so no video can be written", PYAV)
    return Verdict(OK, f"{av.__version__}, writes H.264 (libx264)")


def _weights(name: str) -> Verdict:
    from livepose.weights.arrays import verify
    from livepose.weights.places import find_weights

    path = find_weights(name)
    if not verify(path):
        return Verdict(FAIL, f"{path} is damaged: its hash is wrong", REINSTALL)
    return Verdict(OK, f"{path.stem}, verified")


def _cameras() -> Verdict:
    from livepose.sources.camera import list_cameras

    found = list_cameras()
    there = [one.path for one in found if Path(one.path).exists()]
    if closed := [path for path in there if not os.access(path, os.R_OK | os.W_OK)]:
        advice = "sudo usermod -aG video $USER  (then log in again)"
        return Verdict(WARN, f"no permission to read {', '.join(closed)}", advice)
    if not found:
        return Verdict(WARN, "none found", "plug one in, then: livepose cameras")
    return Verdict(OK, ", ".join(f"{one.index}: {one.name}" for one in found))


def _cache() -> Verdict:
    from livepose.weights.places import cache_folder

    folder = cache_folder()
    advice = f"export LIVEPOSE_CACHE={Path(tempfile.gettempdir()) / 'livepose'}"
    if not _is_writable(folder):
        return Verdict(WARN, f"{folder} cannot be written, so nothing can be fetched", advice)
    free = shutil.disk_usage(_nearest(folder)).free
    status = OK if free > SMALLEST_FREE_BYTES else WARN
    return Verdict(status, f"{folder}, {free / 1e9:.1f} GB free", "" if status == OK else advice)


def _is_writable(folder: Path) -> bool:
    """Tried with a file: permission bits say nothing of a read-only disk, or to root."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return True
    except OSError:
        return False


def _nearest(folder: Path) -> Path:
    """The folder, or the lowest one above it that is there."""
    return next((place for place in (folder, *folder.parents) if place.exists()), folder)


class Check(NamedTuple):
    """Who looks, and how bad it is and what is said where that fails."""

    run: Callable[..., Verdict]
    broken: str = WARN
    advice: str = ""
    exit_code: int = LiveposeError.exit_code
    without: str = ""
    """What an install without the package of this name has not; "" where it cannot be without."""


WEIGHTS, DEVICE = WeightsError.exit_code, DeviceError.exit_code
REINSTALL = "pip install --force-reinstall --no-deps livepose"
TORCH = "pip install --force-reinstall torch"
OPENCV = "pip install --force-reinstall opencv-python"
PYAV = "pip install --force-reinstall --only-binary av av"
LIBRARIES = "apt-get install -y libxcb1 libx11-6 libgl1 libglib2.0-0"
GPUS = "no GPUs, no training; OpenVINO runs the embedded networks"
CHECKS = {
    "processor": Check(_processor),
    "torch": Check(_torch, FAIL, TORCH, DEVICE, GPUS),
    "device": Check(_device, WARN, TORCH, DEVICE),
    "openvino": Check(_openvino, WARN, "pip install --force-reinstall openvino"),
    "numba": Check(_numba, FAIL, "pip install --upgrade numba numpy"),
    "opencv": Check(_opencv, FAIL, OPENCV),
    "window": Check(_window, WARN, LIBRARIES),
    "pyav": Check(_pyav, FAIL, PYAV),
    "pose weights": Check(partial(_weights, "default"), FAIL, REINSTALL, WEIGHTS),
    "detector weights": Check(partial(_weights, "person_yolo11n"), FAIL, REINSTALL, WEIGHTS),
    "cameras": Check(_cameras, WARN, "livepose cameras"),
    "cache": Check(_cache),
}


def probe(
    name: str,
    *told: str,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Verdict:
    """Runs a check in a process of its own; what ends that process is a finding too."""
    check = CHECKS[name]
    if check.without and find_spec(name) is None:
        return Verdict(WARN, f"not installed: {check.without}", "pip install 'livepose[torch]'")
    command = [sys.executable, "-m", "livepose.cli.doctor", name, *told]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict(check.broken, f"did not answer within {timeout_s:g} s", check.advice)
    if done.returncode == 0:
        # A library may chatter on stdout; the verdict is the last line.
        return Verdict(*json.loads(done.stdout.splitlines()[-1]))
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-1:]
    if done.returncode < 0:
        said = [f"died of {signal.Signals(-done.returncode).name}", *said]
    found = ": ".join(said) or f"ended with exit code {done.returncode}"
    return Verdict(check.broken, found, check.advice)


def _device_name(text: str) -> str:
    """Need not be there."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", text):
        raise ValueError(text)
    return text


@command("Checks this machine, and says how to mend it.")
def doctor(
    json_: bool = option(False, "print the findings as JSON", flag="--json"),
    device: str = option(
        "auto", "fail without it: cpu, cuda, cuda:N or mps",
        metavar="D", parse=_device_name, expects="auto, cpu, cuda, cuda:N or mps",
    ),
) -> int:  # fmt: skip
    """Examines, prints, and returns 0 if livepose is usable, else the first failure's code."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {name: (name, device) if name == "device" else (name,) for name in CHECKS}
        probing = {name: pool.submit(probe, *words) for name, words in asked.items()}
    found = {name: one.result() for name, one in probing.items()}
    failed = [name for name, one in found.items() if one.status == FAIL]
    code = CHECKS[failed[0]].exit_code if failed else 0
    if json_:
        checks = [{"name": name, **one._asdict()} for name, one in found.items()]
        print(json.dumps({"usable": code == 0, "exit_code": code, "checks": checks}, indent=2))
        return code
    for name, one in found.items():
        print(f"{one.status:4}  {name:16}  {one.found}")
    for name, one in found.items():
        if one.advice:
            print(f"\n{name}: {one.advice}")
    print(f"\nnot usable yet: {', '.join(failed)}" if failed else "\nlivepose is usable here")
    return code


if __name__ == "__main__":
    try:
        print(json.dumps(CHECKS[sys.argv[1]].run(*sys.argv[2:])))
    except LiveposeError as error:
        sys.exit(str(error))
