"""What the doctor looks at: ``ROWS`` is its table.

A library that is broken can take its process along (an abort, an illegal instruction, a hang), and
that is to be a finding and not the end of the doctor: ``python -m livepose.cli.doctor_checks NAME``
looks alone. It prints one line of JSON; when it fails, the last line on stderr says why.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from livepose.errors import DeviceError, LiveposeError, WeightsError
from livepose.machine import answer_of, processor_flags, processor_name, usable_cores

OK, WARN, FAIL = "ok", "warn", "fail"
SMALLEST_FREE_BYTES = 500_000_000
TELLING_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "bf16",
    "amx_bf16": "AMX",
    "asimd": "NEON",
    "asimddp": "dot product",
    "bf16": "bf16",
}
REINSTALL = "pip install --force-reinstall --no-deps livepose"


class Verdict(NamedTuple):
    """How something is, what was found, and the command that mends it."""

    status: str
    found: str
    mend: str = ""
    facts: dict[str, Any] | None = None
    """What other checks want to know; None where looking failed."""


def installed_packages() -> dict[str, str]:
    """Every installed distribution, in lower case, with its version."""
    found = ((each.metadata["Name"], each.version) for each in metadata.distributions())
    return {str(name).lower(): version for name, version in found if name}


def nvidia_present() -> bool:
    """Whether NVIDIA's driver answers."""
    return "GPU" in answer_of("nvidia-smi", "-L")


@dataclass(frozen=True)
class Machine:
    """What is known before anything is loaded."""

    device: str = "auto"
    """What was asked for."""
    installed: Mapping[str, str] = field(default_factory=installed_packages)
    nvidia: bool = field(default_factory=nvidia_present)
    torch: Verdict | None = None

    @property
    def opencvs(self) -> list[str]:
        """Distributions of OpenCV, which share one folder and overwrite each other's files."""
        return sorted(name for name in self.installed if name.startswith("opencv-"))


def processor(machine: Machine) -> Verdict:
    """Name, usable cores, and the instructions that make networks quick."""
    name, cores, flags = processor_name(), usable_cores(), processor_flags()
    known = [title for flag, title in TELLING_FLAGS.items() if flag in flags]
    found = ", ".join([name or "unknown", f"{cores} cores" if cores != 1 else "1 core", *known])
    if flags and not flags & {"avx2", "asimd", "neon"}:
        mend = "use a machine with AVX2 (any x86 processor since 2015), or a GPU"
        return Verdict(WARN, f"{found}; without AVX2 networks are slow", mend)
    return Verdict(OK, found)


def torch_runs(machine: Machine) -> Verdict:
    """A tiny convolution, and which devices torch sees."""
    import torch

    weight = torch.ones(1, 3, 3, 3)
    answer = float(torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), weight).sum())
    if answer != 27.0 * 36:
        raise ArithmeticError(f"a convolution gave {answer}, expected {27.0 * 36}")
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    facts = {
        "cuda_build": torch.version.cuda,
        "cuda": names if torch.cuda.is_available() else [],
        "mps": torch.backends.mps.is_available(),
    }
    return Verdict(OK, f"{torch.__version__}, a convolution runs", facts=facts)


def device(machine: Machine) -> Verdict:
    """Whether the device that was asked for is there; "auto" is content with the processor."""
    asked, torch = machine.device, machine.torch
    facts = (torch and torch.facts) or {}
    names, mps = facts.get("cuda", []), facts.get("mps", False)
    cards = [f"cuda:{number} {name}" for number, name in enumerate(names)]
    found = ", ".join(["cpu", *cards, *(["mps"] if mps else [])])
    if not machine.nvidia:
        mend = "use --device cpu (no NVIDIA driver answers: try nvidia-smi)"
    elif (build := facts.get("cuda_build")) is None:
        mend = "pip install --force-reinstall torch  (a CUDA build: https://pytorch.org)"
    else:
        mend = f"update the NVIDIA driver to one that knows CUDA {build}"
    kind, _, number = asked.partition(":")
    there = {"cpu": True, "auto": True, "cuda": len(names) > int(number or 0), "mps": mps}
    if not there[kind]:
        mend = mend if kind == "cuda" else "use --device cpu"
        return Verdict(FAIL, f"{asked} is not there, only {found}", mend)
    if machine.nvidia and facts and not names and asked == "auto":
        return Verdict(WARN, f"{found}; an NVIDIA GPU is present but torch sees none", mend)
    return Verdict(OK, found)


def openvino_runs(machine: Machine) -> Verdict:
    """A tiny model, compiled for the processor and run."""
    modules: dict[str, Any] = sys.modules
    modules["openvino_telemetry"] = None  # a process of its own: it need talk to nobody
    import numpy as np
    import openvino

    numbers = openvino.opset13.parameter([1, 4], np.float32)
    model = openvino.Model([openvino.opset13.add(numbers, numbers)], [numbers], "tiny")
    core = openvino.Core()
    answer = core.compile_model(model, "CPU")(np.ones((1, 4), np.float32))[0]
    if not np.array_equal(answer, np.full((1, 4), 2.0, np.float32)):
        raise ArithmeticError(f"1 + 1 gave {answer.tolist()}")
    kinds = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    telling = [kind for kind in kinds if kind in ("FP16", "BF16", "INT8")]
    version = openvino.__version__.split("-")[0]
    return Verdict(OK, ", ".join([f"{version}, a model runs", *telling]))


def numba_compiles(machine: Machine) -> Verdict:
    """A tiny function, compiled and run, and whether compiled kernels are kept."""
    import numba
    import numpy as np

    doubled = numba.njit(lambda values: values + values)
    if float(doubled(np.ones(3)).sum()) != 6.0:
        raise ArithmeticError("a compiled 1 + 1 was not 2")
    from livepose.drawing._kernels import paint_capsules

    cache = paint_capsules.stats.cache_path
    found = f"{numba.__version__} with NumPy {np.__version__}"
    if cache and writable(Path(cache)):
        return Verdict(OK, f"{found}, compiles and keeps what it compiled")
    place = f"its cache {cache} is not" if cache else "no cache is"
    mend = f"export NUMBA_CACHE_DIR={writable_place() / 'numba'}"
    return Verdict(WARN, f"{found}; {place} writable, so each start compiles anew", mend)


def opencv_loads(machine: Machine) -> Verdict:
    """One OpenCV, with windows."""
    import cv2
    import numpy as np

    cv2.resize(np.zeros((8, 8, 3), np.uint8), (4, 4))
    named = ", ".join(f"{name} {machine.installed[name]}" for name in machine.opencvs)
    found = named or "OpenCV without a name"
    if len(machine.opencvs) > 1:
        wrong = f"{found}: several at once overwrite each other"
        return Verdict(WARN, wrong, mend_opencv(machine))
    if "headless" in named:
        return Verdict(WARN, f"{found}: it has no windows", mend_opencv(machine))
    return Verdict(OK, found)


def mend_opencv(machine: Machine) -> str:
    """One OpenCV in the place of all that are there."""
    reinstall, there = "pip install --force-reinstall opencv-python", " ".join(machine.opencvs)
    return f"pip uninstall -y {there} && {reinstall}" if there else reinstall


def window_opens(machine: Machine) -> Verdict:
    """Opens a window for the blink of an eye; without one livepose runs headless."""
    import numpy as np

    from livepose.window import Window

    possible, reason = Window.available()
    if not possible:
        mend = "start livepose from a desktop session (or ssh -X), or use --output"
        return Verdict(WARN, f"none: {reason}", mend)
    with Window("livepose doctor") as window:
        window.show(np.zeros((32, 32, 3), np.uint8))
        window.poll()
    return Verdict(OK, "opens")


def pyav_encodes(machine: Machine) -> Verdict:
    """Encodes two pictures as H.264 into memory."""
    import io

    import av
    import numpy as np

    with av.open(io.BytesIO(), "w", format="mp4") as container:
        try:
            stream = container.add_stream("libx264", rate=30)
        except ValueError:
            sys.exit("built without libx264, so no video can be written")
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in (0, 200):
            picture = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return Verdict(OK, f"{av.__version__}, writes H.264 (libx264)")


def torchvision(machine: Machine) -> Verdict:
    """Whether torchvision fits torch; the live path does not load it, so this only warns."""
    theirs, torch = machine.installed.get("torchvision"), machine.installed.get("torch")
    if theirs is None or torch is None:
        return Verdict(OK, "not installed, not needed")
    found, build = f"{theirs} beside torch {torch}", torch.partition("+")[2]
    # Release 0.N comes with torch 2.(N - 15), from torch 2.0 on.
    minor = re.match(r"2\.(\d+)", torch)
    release = f"0.{int(minor[1]) + 15}" if minor else "0"
    exact = f"{release}.0+{build}  (from where that build of torch came)"
    mend = f"pip install torchvision=={exact if build else f'{release}.*'}"
    wants = torch_wanted_by_torchvision()
    if wants is not None and wants != torch.split("+")[0]:
        return Verdict(WARN, f"{found}, wants torch {wants} (not needed)", mend)
    if theirs.partition("+")[2] != build:
        return Verdict(WARN, f"{found}: different builds (not needed)", mend)
    return Verdict(OK, found)


def torch_wanted_by_torchvision() -> str | None:
    """The version of torch that torchvision's metadata names; torchvision is not loaded."""
    try:
        requirements = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return None
    found = (re.fullmatch(r"torch\s*\(?==\s*([\w.]+)\)?", line) for line in requirements)
    return next((match[1] for match in found if match), None)


def pose_weights(machine: Machine) -> Verdict:
    """The embedded pose network: there, and unchanged."""
    from livepose.weights import find_weights, read_card

    path = find_weights("default")
    card = read_card(path)
    return verified(path, f"{card.network} {card.input_hw[0]}x{card.input_hw[1]}")


def detector_weights(machine: Machine) -> Verdict:
    """The embedded person detector: there, and unchanged."""
    from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file

    path = embedded_file(DEFAULT_DETECTOR + SUFFIX)
    if path is None:
        return Verdict(FAIL, "missing from this installation", REINSTALL)
    return verified(path, DEFAULT_DETECTOR)


def verified(path: Path, what: str) -> Verdict:
    """Whether the tensors of a file have their hash."""
    from livepose.weights.arrays import verify

    if not verify(path):
        return Verdict(FAIL, f"{path} is damaged: its hash is wrong", REINSTALL)
    return Verdict(OK, f"{what}, verified")


def cameras(machine: Machine) -> Verdict:
    """Cameras, and whether we may read them; files work without one."""
    from livepose.sources.camera import list_cameras

    found = list_cameras()
    there = [one.path for one in found if Path(one.path).exists()]
    closed = [path for path in there if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        mend = "sudo usermod -aG video $USER  (then log in again)"
        return Verdict(WARN, f"no permission to read {', '.join(closed)}", mend)
    if not found:
        return Verdict(WARN, "none found", "plug one in, then: livepose cameras")
    return Verdict(OK, ", ".join(f"{one.index}: {one.name}" for one in found))


def cache(machine: Machine) -> Verdict:
    """Where fetched weights go."""
    from livepose.weights.places import cache_folder, is_cache_lasting

    folder, mend = cache_folder(), f"export LIVEPOSE_CACHE={writable_place() / 'livepose'}"
    if not (is_cache_lasting() and writable(folder)):
        return Verdict(WARN, f"{folder} cannot be written, so nothing can be fetched", mend)
    free = shutil.disk_usage(nearest(folder)).free
    if free < SMALLEST_FREE_BYTES:
        return Verdict(WARN, f"{folder}: only {free / 1e6:.0f} MB are free", mend)
    return Verdict(OK, f"{folder}, {free / 1e9:.0f} GB free")


def writable_place() -> Path:
    """A folder that this user can write: the home's cache, else where temporary files go."""
    try:
        home = Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry in passwd
        return Path(tempfile.gettempdir())
    return home if writable(home) else Path(tempfile.gettempdir())


def writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or, where that is missing, the folder itself.

    A file is really made: permission bits say nothing of a read-only disk, or to root. Nothing
    is left behind, not even a folder.
    """
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)):
            return True
    except OSError:
        return False


def nearest(folder: Path) -> Path:
    """The folder, or the lowest one above it that is there."""
    return next((place for place in (folder, *folder.parents) if place.exists()), folder)


@dataclass(frozen=True)
class Row:
    """One line of the table: who looks, and what is said where that fails."""

    look: Callable[[Machine], Verdict]
    broken: str = ""
    """How bad it is; "" where nothing is loaded, so that it need not look alone."""
    mend: str | Callable[[Machine], str] = ""
    says: str = "{}"
    exit_code: int = LiveposeError.exit_code
    without: str = ""
    """What a light install, which does without the package of this name, has not."""

    def failed(self, error: str, machine: Machine | None = None) -> Verdict:
        """The verdict where looking ended with an error."""
        mend = self.mend if isinstance(self.mend, str) else self.mend(machine or Machine())
        return Verdict(self.broken, self.says.format(error), mend)


GPUS = "no GPUs, no training; OpenVINO runs the embedded networks"
DETECTORS = "no detectors but the embedded one"
LIBRARIES = "apt-get install -y libxcb1 libx11-6 libgl1 libglib2.0-0"
WEIGHTS = WeightsError.exit_code
DEVICE = DeviceError.exit_code
ROWS = {
    "processor": Row(processor),
    "torch": Row(
        torch_runs, FAIL, "pip install --force-reinstall torch",
        exit_code=DEVICE, without=GPUS,
    ),
    "device": Row(device, exit_code=DEVICE),
    "openvino": Row(openvino_runs, WARN, "pip install --force-reinstall openvino"),
    "numba": Row(numba_compiles, FAIL, "pip install --upgrade numba numpy"),
    "opencv": Row(opencv_loads, FAIL, mend_opencv),
    "window": Row(window_opens, WARN, LIBRARIES, "a window could not be opened: {}"),
    "pyav": Row(pyav_encodes, FAIL, "pip install --force-reinstall --only-binary av av"),
    "ultralytics": Row(
        lambda machine: Verdict(OK, machine.installed["ultralytics"]), without=DETECTORS
    ),
    "torchvision": Row(torchvision),
    "pose weights": Row(pose_weights, FAIL, REINSTALL, exit_code=WEIGHTS),
    "detector weights": Row(detector_weights, FAIL, REINSTALL, exit_code=WEIGHTS),
    "cameras": Row(cameras, WARN, "livepose cameras"),
    "cache": Row(cache),
}  # fmt: skip


def main() -> None:
    """Looks at the row that the command line names."""
    try:
        print(json.dumps(ROWS[sys.argv[1]].look(Machine(nvidia=False))))
    except LiveposeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
