"""``livepose doctor``: looks at this machine, and prints what is wrong and how to mend it.

``CHECKS`` is its table. A broken library can take its process along (an abort, an illegal
instruction, a hang), and that is to be a finding and not the end of the doctor: who loads one looks
in a process of its own, ``python -m livepose.cli.doctor NAME``, which prints one line of JSON.
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
TELLING_FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16"),
    *("asimd", "asimddp", "bf16"),
)
"""Instructions that make networks quick, by the kernel's names."""
REINSTALL = "pip install --force-reinstall --no-deps livepose"
OPENCV = "pip install --force-reinstall opencv-python"


class Verdict(NamedTuple):
    """How something is, what was found, and the command that mends it."""

    status: str
    found: str
    advice: str = ""
    properties: Mapping[str, Any] | None = None
    """What torch knows of devices; None where it was not asked."""


def _processor() -> Verdict:
    flags = processor_flags()
    found = ", ".join([processor_and_cores(), *(flag for flag in TELLING_FLAGS if flag in flags)])
    if flags and not flags & {"avx2", "asimd", "neon"}:
        advice = "use a machine with AVX2 (any x86 processor since 2015), or a GPU"
        return Verdict(WARN, f"{found}; without AVX2 networks are slow", advice)
    return Verdict(OK, found)


def _torch_runs() -> Verdict:
    import torch

    torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(1, 3, 3, 3))
    cuda = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    mps = torch.backends.mps.is_available()
    properties = {"cuda_build": torch.version.cuda, "cuda": cuda, "mps": mps}
    return Verdict(OK, f"{torch.__version__}, a convolution runs", properties=properties)


def _device(asked: str, properties: Mapping[str, Any]) -> Verdict:
    """Whether the device that was asked for is there; "auto" is content with the processor."""
    names, mps, build = (
        properties.get("cuda", []),
        properties.get("mps", False),
        properties.get("cuda_build"),
    )
    cards = [f"cuda:{number} {name}" for number, name in enumerate(names)]
    found = ", ".join(["cpu", *cards, *(["mps"] if mps else [])])
    nvidia = "GPU" in answer_of("nvidia-smi", "-L")
    kind, _, number = asked.partition(":")
    there = {"cpu": True, "auto": True, "cuda": len(names) > int(number or 0), "mps": mps}
    if there[kind] and not (asked == "auto" and nvidia and properties and not names):
        return Verdict(OK, found)
    if kind == "mps":
        advice = "use --device cpu"
    elif not nvidia:
        advice = "use --device cpu (no NVIDIA driver answers: try nvidia-smi)"
    elif build is None:
        advice = "pip install --force-reinstall torch  (a CUDA build: https://pytorch.org)"
    else:
        advice = f"update the NVIDIA driver to one that knows CUDA {build}"
    if there[kind]:
        return Verdict(WARN, f"{found}; an NVIDIA GPU is present but torch sees none", advice)
    return Verdict(FAIL, f"{asked} is not there, only {found}", advice)


def _openvino_runs() -> Verdict:
    modules: dict[str, Any] = sys.modules
    modules["openvino_telemetry"] = None  # it need talk to nobody
    import numpy as np
    import openvino

    core, numbers = openvino.Core(), openvino.opset13.parameter([1, 4], np.float32)
    model = openvino.Model([openvino.opset13.add(numbers, numbers)], [numbers], "tiny")
    core.compile_model(model, "CPU")(np.ones((1, 4), np.float32))
    kinds = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    telling = [kind for kind in kinds if kind in ("FP16", "BF16", "INT8")]
    return Verdict(OK, ", ".join([f"{openvino.__version__.split('-')[0]}, a model runs", *telling]))


def _numba_compiles() -> Verdict:
    import numba
    import numpy as np

    numba.njit(lambda values: values + values)(np.ones(3))
    from livepose.drawing._kernels import paint_capsules

    cache = paint_capsules.stats.cache_path
    found = f"{numba.__version__} with NumPy {np.__version__}"
    if cache and _writable(Path(cache)):
        return Verdict(OK, f"{found}, compiles and keeps what it compiled")
    place = f"its cache {cache} is not" if cache else "no cache is"
    advice = f"export NUMBA_CACHE_DIR={Path(tempfile.gettempdir()) / 'numba'}"
    return Verdict(WARN, f"{found}; {place} writable, so each start compiles anew", advice)


def _opencv_loads() -> Verdict:
    """Its distributions share one folder and overwrite each other's files."""
    import cv2
    import numpy as np

    cv2.resize(np.zeros((8, 8, 3), np.uint8), (4, 4))
    installed = {f"{each.metadata['Name']}".lower(): each for each in metadata.distributions()}
    there = sorted(name for name in installed if name.startswith("opencv-"))
    found = ", ".join(f"{name} {installed[name].version}" for name in there)
    advice = f"pip uninstall -y {' '.join(there)} && {OPENCV}"
    if len(there) > 1:
        return Verdict(WARN, f"{found}: several at once overwrite each other", advice)
    if "headless" in found:
        return Verdict(WARN, f"{found}: it has no windows", advice)
    return Verdict(OK, found or "OpenCV without a name")


def _window_opens() -> Verdict:
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


def _pyav_encodes() -> Verdict:
    import io

    import av
    import numpy as np

    with av.open(io.BytesIO(), "w", format="mp4") as container:
        try:
            stream = container.add_stream("libx264", rate=30)
        except ValueError:
            sys.exit("built without libx264, so no video can be written")
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        image = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
        container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    return Verdict(OK, f"{av.__version__}, writes H.264 (libx264)")


def _intact(name: str) -> Verdict:
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
    closed = [path for path in there if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        advice = "sudo usermod -aG video $USER  (then log in again)"
        return Verdict(WARN, f"no permission to read {', '.join(closed)}", advice)
    if not found:
        return Verdict(WARN, "none found", "plug one in, then: livepose cameras")
    return Verdict(OK, ", ".join(f"{one.index}: {one.name}" for one in found))


def _cache() -> Verdict:
    from livepose.weights.places import cache_folder

    folder, advice = (
        cache_folder(),
        f"export LIVEPOSE_CACHE={Path(tempfile.gettempdir()) / 'livepose'}",
    )
    if not _writable(folder):
        return Verdict(WARN, f"{folder} cannot be written, so nothing can be fetched", advice)
    free = shutil.disk_usage(_nearest(folder)).free
    if free < SMALLEST_FREE_BYTES:
        return Verdict(WARN, f"{folder}: only {free / 1e6:.0f} MB are free", advice)
    return Verdict(OK, f"{folder}, {free / 1e9:.0f} GB free")


def _writable(folder: Path) -> bool:
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
    """Who looks, and what is said where that fails."""

    run: Callable[[], Verdict]
    broken: str = ""
    """How bad it is; "" where nothing is loaded, so that it need not look alone."""
    advice: str = ""
    exit_code: int = LiveposeError.exit_code
    without: str = ""
    """What a light install, which does without the package of this name, has not."""


WEIGHTS, DEVICE = WeightsError.exit_code, DeviceError.exit_code
GPUS = "no GPUs, no training; OpenVINO runs the embedded networks"
DETECTORS = "no detectors but the embedded one"
LIBRARIES = "apt-get install -y libxcb1 libx11-6 libgl1 libglib2.0-0"
PYAV = "pip install --force-reinstall --only-binary av av"
CHECKS = {
    "processor": Check(_processor),
    "torch": Check(_torch_runs, FAIL, "pip install --force-reinstall torch", DEVICE, GPUS),
    "device": Check(lambda: _device("auto", {}), exit_code=DEVICE),
    "openvino": Check(_openvino_runs, WARN, "pip install --force-reinstall openvino"),
    "numba": Check(_numba_compiles, FAIL, "pip install --upgrade numba numpy"),
    "opencv": Check(_opencv_loads, FAIL, OPENCV),
    "window": Check(_window_opens, WARN, LIBRARIES),
    "pyav": Check(_pyav_encodes, FAIL, PYAV),
    "ultralytics": Check(lambda: Verdict(OK, metadata.version("ultralytics")), without=DETECTORS),
    "pose weights": Check(partial(_intact, "default"), FAIL, REINSTALL, WEIGHTS),
    "detector weights": Check(partial(_intact, "person_yolo11n"), FAIL, REINSTALL, WEIGHTS),
    "cameras": Check(_cameras, WARN, "livepose cameras"),
    "cache": Check(_cache),
}


def examine(device: str) -> dict[str, Verdict]:
    """What every check finds, in the order of the table."""
    found = {
        name: Verdict(WARN, f"not installed: {check.without}", "pip install 'livepose[torch]'")
        for name, check in CHECKS.items()
        if check.without and find_spec(name) is None
    }
    alone = [name for name, check in CHECKS.items() if check.broken and name not in found]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found |= zip(alone, pool.map(probe, alone), strict=True)
    found["device"] = _device(device, found["torch"].properties or {})
    return {name: found.get(name) or check.run() for name, check in CHECKS.items()}


def probe(
    name: str, environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> Verdict:
    """Looks in a process of its own; what ends that process is a finding too."""
    check, command = CHECKS[name], [sys.executable, "-m", "livepose.cli.doctor", name]
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
    found = examine(device)
    failed = [name for name, one in found.items() if one.status == FAIL]
    code = CHECKS[failed[0]].exit_code if failed else 0
    if json_:
        keys = ("name", "status", "found", "advice")
        lines = [dict(zip(keys, (name, *one), strict=False)) for name, one in found.items()]
        print(json.dumps({"usable": code == 0, "exit_code": code, "checks": lines}, indent=2))
    else:
        verdict = f"not usable yet: {', '.join(failed)}" if failed else "livepose is usable here"
        _print_table(found, verdict)
    return code


def _print_table(found: Mapping[str, Verdict], verdict: str) -> None:
    """The table, and below it the commands, to be copied."""
    for name, one in found.items():
        print(f"{one.status:4}  {name:16}  {one.found}")
    for name, one in found.items():
        if one.advice:
            print(f"\n{name}: {one.advice}")
    print(f"\n{verdict}")


if __name__ == "__main__":
    try:
        print(json.dumps(CHECKS[sys.argv[1]].run()))
    except LiveposeError as error:
        sys.exit(str(error))
