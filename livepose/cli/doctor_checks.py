"""What the doctor concludes: each check turns findings into one line of the table."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from livepose.cli.doctor_probes import Probed
from livepose.errors import DeviceError, LiveposeError, WeightsError

OK, WARN, FAIL = "ok", "warn", "fail"
SMALLEST_FREE_BYTES = 500_000_000
_TELLING_FLAGS = {
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


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, how it is, what was found, and the command that mends it."""

    name: str
    status: str
    found: str
    mend: str = ""
    exit_code: int = LiveposeError.exit_code

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the exit code is the table's, not the line's."""
        return {key: value for key, value in asdict(self).items() if key != "exit_code"}


def exit_code(checks: Sequence[Check]) -> int:
    """0 when livepose is usable; else the code of the first check that failed."""
    return next((check.exit_code for check in checks if check.status == FAIL), 0)


def check_processor(name: str, cores: int, flags: set[str]) -> Check:
    """Name, usable cores, and the instructions that make networks quick."""
    known = [title for flag, title in _TELLING_FLAGS.items() if flag in flags]
    found = ", ".join([name or "unknown", f"{cores} cores" if cores != 1 else "1 core", *known])
    if flags and not flags & {"avx2", "asimd", "neon"}:
        mend = "use a machine with AVX2 (any x86 processor since 2015), or a GPU"
        return Check("processor", WARN, f"{found}; without AVX2 networks are slow", mend)
    return Check("processor", OK, found)


def check_device(asked: str, probed: Probed, nvidia_present: bool) -> Check:
    """Whether the device that was asked for is there; "auto" is content with the processor."""
    names, mps = probed.facts.get("cuda", []), probed.facts.get("mps", False)
    there = [
        "cpu",
        *(f"cuda:{n} {name}" for n, name in enumerate(names)),
        *(["mps"] if mps else []),
    ]
    found = ", ".join(there)
    kind, _, number = asked.partition(":")
    wanted = {"cpu": True, "auto": True, "cuda": len(names) > int(number or 0), "mps": mps}
    mend = _cuda_mend(probed, nvidia_present)
    if not wanted.get(kind, False):
        mend = mend if kind == "cuda" else "use --device cpu"
        missing = f"{asked} is not there, only {found}"
        return Check("device", FAIL, missing, mend, DeviceError.exit_code)
    if nvidia_present and not names and not probed.error and asked == "auto":
        return Check("device", WARN, f"{found}; an NVIDIA GPU is present but torch sees none", mend)
    return Check("device", OK, found)


def _cuda_mend(probed: Probed, nvidia_present: bool) -> str:
    if not nvidia_present:
        return "use --device cpu (no NVIDIA driver answers: try nvidia-smi)"
    if probed.facts.get("cuda_build") is None:
        return "pip install --force-reinstall torch  (a CUDA build: https://pytorch.org)"
    return "update the NVIDIA driver to one that knows CUDA " + str(probed.facts["cuda_build"])


def check_torch(probed: Probed, installed: Mapping[str, str]) -> Check:
    """The networks' reference; a light install does without it."""
    if "torch" not in installed:
        found = "not installed: no GPUs, no training; OpenVINO runs the embedded networks"
        return Check("torch", WARN, found, "pip install 'livepose[torch]'")
    if probed.error:
        mend = "pip install --force-reinstall torch"
        return Check("torch", FAIL, probed.error, mend, DeviceError.exit_code)
    return Check("torch", OK, f"{probed.facts['version']}, a convolution runs")


def check_openvino(probed: Probed) -> Check:
    """The fast runtime of processors; without it torch does the work, slower."""
    if probed.error:
        return Check("openvino", WARN, probed.error, "pip install --force-reinstall openvino")
    kinds = [kind for kind in probed.facts["capabilities"] if kind in ("FP16", "BF16", "INT8")]
    return Check("openvino", OK, ", ".join([f"{probed.facts['version']}, a model runs", *kinds]))


def check_opencv(probed: Probed, installed: Mapping[str, str]) -> Check:
    """One OpenCV, with windows; several share one folder and overwrite each other's files."""
    flavours = sorted(name for name in installed if name.startswith("opencv-"))
    found = ", ".join(f"{name} {installed[name]}" for name in flavours) or "OpenCV without a name"
    reinstall = "pip install --force-reinstall opencv-python"
    everything = f"pip uninstall -y {' '.join(flavours)} && {reinstall}" if flavours else reinstall
    if probed.error:
        return Check("opencv", FAIL, probed.error, everything)
    if len(flavours) > 1:
        return Check("opencv", WARN, f"{found}: several at once overwrite each other", everything)
    if any("headless" in name for name in flavours):
        return Check("opencv", WARN, f"{found}: it has no windows", everything)
    return Check("opencv", OK, found)


def check_window(probed: Probed) -> Check:
    """Whether pictures can be shown; without a window livepose runs headless."""
    if probed.error:
        mend = "apt-get install -y libxcb1 libx11-6 libgl1 libglib2.0-0"
        return Check("window", WARN, f"a window could not be opened: {probed.error}", mend)
    if not probed.facts["possible"]:
        mend = "start livepose from a desktop session (or ssh -X), or use --output"
        return Check("window", WARN, f"none: {probed.facts['reason']}", mend)
    return Check("window", OK, "opens")


def check_numba(probed: Probed, writable: bool) -> Check:
    """The compiler of the kernels, with this NumPy, and its cache."""
    if probed.error:
        return Check("numba", FAIL, probed.error, "pip install --upgrade numba numpy")
    facts = probed.facts
    mend = f"export NUMBA_CACHE_DIR={writable_place() / 'numba'}"
    found = f"{facts['version']} with NumPy {facts['numpy']}"
    if not writable:
        cache = f"its cache {facts['cache']} is not" if facts["cache"] else "no cache is"
        return Check("numba", WARN, f"{found}; {cache} writable, so each start compiles anew", mend)
    return Check("numba", OK, f"{found}, compiles and keeps what it compiled")


def check_torchvision(installed: Mapping[str, str], wants_torch: str | None) -> Check:
    """Whether torchvision fits torch; the live path does not load it, so this only warns.

    ``wants_torch`` is the version of torch that the installed torchvision names.
    """
    theirs, torch = installed.get("torchvision"), installed.get("torch")
    if theirs is None or torch is None:
        return Check("torchvision", OK, "not installed, not needed")
    found = f"{theirs} beside torch {torch}"
    mend = f"pip install torchvision=={_matching_torchvision(torch)}"
    if wants_torch is not None and wants_torch != torch.split("+")[0]:
        return Check("torchvision", WARN, f"{found}, wants torch {wants_torch} (not needed)", mend)
    if _build(theirs) != _build(torch):
        return Check("torchvision", WARN, f"{found}: different builds (not needed)", mend)
    return Check("torchvision", OK, found)


def _build(version: str) -> str:
    return version.partition("+")[2]


def _matching_torchvision(torch: str) -> str:
    """The release that came with this torch: 0.N with 2.(N - 15), from torch 2.0 on."""
    minor = re.match(r"2\.(\d+)", torch)
    release = f"0.{int(minor[1]) + 15}" if minor else "0"
    if not _build(torch):
        return f"{release}.*"
    return f"{release}.0+{_build(torch)}  (from where that build of torch came)"


def check_ultralytics(installed: Mapping[str, str]) -> Check:
    """The library of detectors other than the embedded one; a light install does without it."""
    if "ultralytics" not in installed:
        found = "not installed: no detectors but the embedded one"
        return Check("ultralytics", WARN, found, "pip install 'livepose[torch]'")
    return Check("ultralytics", OK, installed["ultralytics"])


def check_pyav(probed: Probed) -> Check:
    """Reading videos, and writing H.264."""
    if not probed.error:
        return Check("pyav", OK, f"{probed.facts['version']}, writes H.264 (libx264)")
    mend = "pip install --force-reinstall --only-binary av av"
    if "libx264" in probed.error:
        return Check("pyav", FAIL, "built without libx264, so no video can be written", mend)
    return Check("pyav", FAIL, probed.error, mend)


def check_cameras(probed: Probed) -> Check:
    """Cameras; files work without one."""
    if probed.error:
        return Check("cameras", WARN, probed.error, "livepose cameras")
    names, closed = probed.facts["names"], probed.facts["closed"]
    if closed:
        mend = "sudo usermod -aG video $USER  (then log in again)"
        return Check("cameras", WARN, f"no permission to read {', '.join(closed)}", mend)
    if not names:
        return Check("cameras", WARN, "none found", "plug one in, then: livepose cameras")
    return Check("cameras", OK, ", ".join(names))


def check_weights(name: str, probed: Probed) -> Check:
    """Weights that come with livepose: there, and unchanged."""
    mend = "pip install --force-reinstall --no-deps livepose"
    code = WeightsError.exit_code
    if probed.error:
        return Check(
            name, FAIL, probed.error.partition("WeightsError: ")[2] or probed.error, mend, code
        )
    facts = probed.facts
    if facts["path"] is None:
        return Check(name, FAIL, "missing from this installation", mend, code)
    if not facts["verified"]:
        return Check(name, FAIL, f"{facts['path']} is damaged: its hash is wrong", mend, code)
    return Check(name, OK, f"{facts['what']}, verified")


def check_cache(folder: Path, free_bytes: int | None) -> Check:
    """Where fetched weights go. ``free_bytes`` is None where nothing can be written."""
    mend = f"export LIVEPOSE_CACHE={writable_place() / 'livepose'}"
    if free_bytes is None:
        return Check("cache", WARN, f"{folder} cannot be written, so nothing can be fetched", mend)
    if free_bytes < SMALLEST_FREE_BYTES:
        return Check("cache", WARN, f"{folder}: only {free_bytes / 1e6:.0f} MB are free", mend)
    return Check("cache", OK, f"{folder}, {free_bytes / 1e9:.0f} GB free")


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
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return True
    except OSError:
        return False


def free_bytes(folder: Path) -> int | None:
    """Free space where a folder is or would be; None where it cannot be written."""
    if not writable(folder):
        return None
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    disk = os.statvfs(nearest) if hasattr(os, "statvfs") else None
    return disk.f_bavail * disk.f_frsize if disk is not None else SMALLEST_FREE_BYTES
