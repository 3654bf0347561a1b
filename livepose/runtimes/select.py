"""Which runtime, on which device, in which precision; said in one line, never silently.

The way of a weights file: it is found, ``_candidates`` selects how it may run, the first one that
opens and that ``verify`` finds right is taken.
"""

import logging
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.runtimes.activation_ranges import RangesError, ranges_path, read_ranges
from livepose.runtimes.protocol import Runtime
from livepose.runtimes.store import Store, content_hash
from livepose.runtimes.verify import probe_crops
from livepose.settings import PRECISIONS, RUNTIMES
from livepose.weights import Card, find_weights, read_card
from livepose.weights.card import at_size, is_third_party, size_of
from livepose.weights.manifest import BEST, find_known
from livepose.weights.places import SUFFIX, cached_weights_folder

logger = logging.getLogger(__name__)

MOST_MS = 0.75 * 1e3 / 25
"""So long may the best weights take for one person: three quarters of a frame at 25 a second."""
_ROUNDS = 7


def open_runtime(
    weights: str | Path = "default",
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    *,
    input_hw: tuple[int, int] | None = None,
    offline: bool = False,
) -> Runtime:
    """The pose network of these weights, ready to run.

    ``auto`` takes the first that is there and that finds people where fp32 torch finds them: torch
    on a CUDA GPU, OpenVINO, torch on the CPU. In OpenVINO it takes INT8 where there are ranges for
    these weights and the processor has dot products of bytes (VNNI), else bf16 where it has that,
    else f32.

    Parameters
    ----------
    weights : str or Path
        ``default``, ``auto`` (the best published where they are here and hold 25 frames a second
        for one person, else the embedded), a known name, a file (.safetensors, .onnx, .xml), or
        ``hf://OWNER/REPO/FILE``.
    runtime : {"auto", "torch", "openvino"}
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision : {"auto", "f32", "bf16", "f16", "int8"}
    input_hw : (int, int), optional
        Rows and columns of the input, where they are not those of the weights.
    offline : bool
        Whether nothing may be fetched; so too with LIVEPOSE_OFFLINE set.

    Raises
    ------
    WeightsError
        When the weights are missing, broken or of another kind.
    DeviceError
        When a device or runtime was asked for and is not there, or computes wrongly.
    UsageError
        When a name is unknown, two wishes exclude each other, or the network does not bear the
        size.
    """
    for what, name, known in (("runtime", runtime, RUNTIMES), ("precision", precision, PRECISIONS)):
        if name not in known:
            raise UsageError(f"{what}: expected one of {', '.join(known)}, got {name!r}")

    def open_one(path: Path) -> Runtime:
        return _open_first(path, input_hw, runtime, device, precision)

    if str(weights) == "auto":
        machine = platform.node(), str(cuda_devices())
        return open_automatic(open_one, runtime, device, precision, str(input_hw), *machine)
    return open_one(find_weights(str(weights), offline=offline))


def open_automatic(open_one: Callable[[Path], Runtime], *asked: str) -> Runtime:
    """The best weights where they are here and quick enough, else the embedded ones; says which.

    Their time is measured once, and kept for what was ``asked``.
    """
    best, embedded = automatic_files()
    why = "better ones come by 'livepose weights fetch best'"
    if best.is_file():
        open_best = cache(lambda: open_one(best))
        try:
            kept = Store("speed", content_hash(best), *asked)
            took_ms = kept.fact("ms a person", lambda: _person_ms(open_best()))
            if took_ms <= MOST_MS:
                results = known.results if (known := find_known(BEST)) else ""
                logger.info(f"weights: {BEST} ({results}; {took_ms:.1f} ms a person)")
                return open_best()
            why = f"{BEST} would take {took_ms:.1f} ms a person, over {MOST_MS:g}"
        except (WeightsError, DeviceError) as error:
            why = f"not {BEST}: {error}"
    logger.info(f"weights: {embedded.stem}, embedded ({_measured_ap(embedded)}); {why}")
    return open_one(embedded)


def automatic_files() -> list[Path]:
    """The best weights, which need not be here, and the embedded ones."""
    return [cached_weights_folder() / (BEST + SUFFIX), find_weights("default")]


def _person_ms(runtime: Runtime) -> float:
    """Milliseconds for one crop, the median of a few."""
    logger.info(f"timing {BEST} (only this once)")
    crop, took_ms = probe_crops(runtime.card)[:1], []
    for _ in range(1 + _ROUNDS):
        start_s = time.perf_counter()
        runtime(crop)
        took_ms.append(1e3 * (time.perf_counter() - start_s))
    return round(median(took_ms[1:]), 2)


def _measured_ap(path: Path) -> str:
    """``AP 34.6 on 984 people``, as it was measured with the ranges beside the weights."""
    try:
        measured = read_ranges(path, read_card(path).sha256).measured
        return f"AP {measured['ap_f32']:.1f} on {measured['people']} people"
    except (WeightsError, LookupError):
        return "AP not measured"


class Candidate(NamedTuple):
    """One way to run the network, and why it comes to mind."""

    runtime: str
    device: str
    precision: str
    why: str = ""

    def __str__(self) -> str:
        return ", ".join(self[:3])


def _candidates(path: Path, runtime: str, device: str, precision: str) -> list[Candidate]:
    """Ways to run these weights that fit what was asked for, best first; one at least."""
    place, own, any_precision = check_device(device), not is_third_party(path), precision == "auto"
    on_cpu, why, ways = place in ("auto", "cpu"), "", list[Candidate]()
    if place == "auto" and runtime != "openvino" and cuda_devices():
        place, why = "cuda:0", "a CUDA GPU is there"
    if place not in ("auto", "cpu") and own and precision != "int8":
        usual = "f32" if place == "mps" else "f16"
        ways.append(Candidate("torch", place, usual if any_precision else precision, why))
    if on_cpu:
        quick = () if runtime == "torch" else quick_precisions()
        if own and (precision == "int8" or ("int8" in quick and ranges_path(path).is_file())):
            ways.append(Candidate("openvino", "cpu", "int8", "the processor has VNNI"))
        # There is no torch network to check others' bf16 against, and some do not bear it.
        if "bf16" in quick and (own or not any_precision):
            ways.append(Candidate("openvino", "cpu", "bf16", "the processor has bf16"))
        ways.append(Candidate("openvino", "cpu", "f32"))
        if own:
            slowly = "bf16" if (runtime, precision) == ("torch", "bf16") else "f32"
            why = "OpenVINO does not run" if runtime == "auto" else ""
            ways.append(Candidate("torch", "cpu", slowly, why))
    fitting = [way for way in ways if runtime in ("auto", way.runtime)]
    fitting = [way for way in fitting if precision in ("auto", way.precision)]
    if not fitting and precision == "bf16" and on_cpu:
        raise DeviceError("precision bf16 was asked for, and this processor has none; use f32")
    if not fitting:
        raise UsageError(
            f"{path.name} does not run on runtime {runtime}, device {device} in {precision}: "
            "openvino is for the cpu, in int8, bf16 or f32; torch is for livepose's own weights, "
            "in f32 or bf16, and on GPUs in f16 as well; others' files bear no int8"
        )
    return fitting


def _open_first(path: Path, input_hw: tuple[int, int] | None, *asked: str) -> Runtime:
    """The first candidate that works."""
    own = read_card(path)
    card = at_size(own, input_hw)
    made_for = "" if card == own else f", made and measured for {size_of(own)}"
    title = f"{card.network} {size_of(card)} ({path.name}{made_for})"
    *others, last = _candidates(path, *asked)
    for way in others:
        try:
            return _open(path, card, way, title)
        except (DeviceError, RangesError) as error:
            logger.warning(f"pose: not {way}: {error}")
    return _open(path, card, last, title)


def _open(path: Path, card: Card, way: Candidate, title: str) -> Runtime:
    """The network run this way; it was seen to find people where it should, and is told of."""
    made: Runtime
    try:
        if way.runtime == "torch":
            from livepose.runtimes.torch import open_torch

            made = open_torch(path, card, way.device, way.precision)
        else:
            from livepose.runtimes.openvino_pose import open_openvino

            made = open_openvino(path, card, way.precision)
    except ImportError as error:
        raise DeviceError(
            f"runtime {way.runtime} cannot be imported ({error}); pip install openvino, or "
            "'livepose[torch]' for torch, or choose another --runtime"
        ) from None
    logger.info(f"pose: {title} on {way}" + (f" ({way.why})" if way.why else ""))
    return made


def quick_precisions() -> tuple[str, ...]:
    """In what OpenVINO is quicker than in f32 on this processor; nothing where it is not there."""
    with suppress(ImportError):
        from livepose.runtimes.openvino import has_bf16, has_vnni

        return ("int8",) * has_vnni() + ("bf16",) * has_bf16()
    return ()


def check_device(device: str) -> str:
    """The device itself, ``cuda`` as ``cuda:0``, if it is there; ``auto`` stays as it is.

    DeviceError when it is not. UsageError when it is no device at all.
    """
    if device in ("auto", "cpu"):
        return device
    if not re.fullmatch(r"mps|cuda(:[0-9]+)?", device):
        raise UsageError(f"device: expected auto, cpu, cuda, cuda:N or mps, got {device!r}")
    found, index = cuda_devices(), int(device.partition(":")[2] or 0)
    if device == "mps" and find_spec("torch"):
        import torch

        found = int(torch.backends.mps.is_available())
    if index >= found:
        raise DeviceError(
            f"device {device} was asked for, and torch sees {found} such GPUs here; install a "
            "build of torch and a driver for it ('livepose doctor' helps), or use --device cpu"
        )
    return device if device == "mps" else f"cuda:{index}"


def cuda_devices() -> int:
    """CUDA GPUs that torch can use; torch, which takes seconds, is loaded only with a driver."""
    nvidia = "/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl"
    marks = (*nvidia, "/dev/kfd")  # the last is AMD's
    has_driver = sys.platform == "win32" or any(Path(mark).exists() for mark in marks)
    if not find_spec("torch") or not (has_driver or shutil.which("nvidia-smi")):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
