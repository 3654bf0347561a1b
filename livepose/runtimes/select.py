"""Which runtime, on which device, in which precision; said in one line, never silently."""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.runtimes.activation_ranges import read_ranges
from livepose.runtimes.automatic import open_automatic
from livepose.runtimes.protocol import Runtime
from livepose.runtimes.verify import require_agreement
from livepose.settings import PRECISIONS, RUNTIMES
from livepose.weights import Card, find_weights, read_card
from livepose.weights.card import at_size, is_third_party, size_of

logger = logging.getLogger(__name__)

MISSING_CUDA = (
    "install a CUDA build of torch and its driver, or use --device cpu ('livepose doctor' helps)"
)


@dataclass(frozen=True)
class Candidate:
    """One way to run the network, and why it comes to mind."""

    runtime: str
    device: str
    precision: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.runtime}, {self.device}, {self.precision}"


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
    these weights and the processor gains by it (VNNI, and no AMX), else bf16 where the processor
    has it, else f32.

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
        Rows and columns of the input; None is the size of the weights. Another one is run by the
        same weights, checked and timed like theirs.
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
    for what, asked, known in (
        ("runtime", runtime, RUNTIMES),
        ("precision", precision, PRECISIONS),
    ):
        if asked not in known:
            raise UsageError(f"{what}: expected one of {', '.join(known)}, got {asked!r}")

    def open_one(path: Path) -> tuple[Runtime, str]:
        return _open_weights(path, input_hw, runtime, device, precision)

    if str(weights) == "auto":
        wishes = f"{runtime}, {device}, {precision}, {cuda_devices()} GPUs"
        wishes += "" if input_hw is None else f", {input_hw[0]}x{input_hw[1]}"
        made, line = open_automatic(open_one, wishes)
    else:
        made, line = open_one(find_weights(str(weights), offline=offline))
    logger.info(line)
    return made


def _open_weights(
    path: Path, input_hw: tuple[int, int] | None, runtime: str, device: str, precision: str
) -> tuple[Runtime, str]:
    """The first candidate that works, and the line that tells what it is."""
    own = read_card(path)
    card = at_size(own, input_hw)
    if is_third_party(path):
        candidates = _third_party_candidates(runtime, device, precision)
    else:
        candidates = _candidates(runtime, device, precision, partial(_has_int8, path, card))
    # The next one is thought of only when it is needed: finding it out may take time.
    candidate = next(candidates)
    while True:
        try:
            made = _open(path, card, candidate)
            break
        except DeviceError as error:
            following = next(candidates, None)
            if following is None:
                raise
            logger.warning(f"pose: not {candidate}: {error}")
            candidate = following
    why = f" ({candidate.why})" if candidate.why else ""
    made_for = "" if card == own else f", made and measured for {size_of(own)}"
    return made, (
        f"pose: {card.network} {size_of(card)} ({path.name}{made_for}) on {candidate}{why}"
    )


def _candidates(
    runtime: str, device: str, precision: str, has_int8: Callable[[], bool]
) -> Iterator[Candidate]:
    """Ways to run our own weights, best first, that fit what was asked for."""
    place = check_device(device)
    on_cpu, why = place in ("auto", "cpu"), ""
    if runtime == "openvino" and not on_cpu:
        raise UsageError(f"runtime openvino runs on the cpu, not on {place}")
    if precision == "int8" and (runtime == "torch" or not on_cpu):
        raise UsageError("precision int8 runs on openvino on the cpu; leave out the rest")
    if place == "auto" and runtime != "openvino" and precision != "int8" and cuda_devices():
        place, why = "cuda:0", "a CUDA GPU is there"
    if place not in ("auto", "cpu"):
        usual = "f16" if place.startswith("cuda") else "f32"
        yield Candidate("torch", place, usual if precision == "auto" else precision, why)
    if on_cpu and runtime == "torch":
        yield Candidate("torch", "cpu", "f32" if precision == "auto" else precision)
    elif on_cpu:
        reason = "no CUDA GPU here" if place == "auto" else ""
        yield from _on_cpu(precision, runtime, reason, has_int8)


def _on_cpu(
    precision: str, runtime: str, reason: str, has_int8: Callable[[], bool]
) -> Iterator[Candidate]:
    if precision == "f16":
        raise UsageError("precision f16 is for GPUs; use bf16 or f32 on the cpu")
    if precision == "int8":
        yield Candidate("openvino", "cpu", "int8")
        return
    quick = quick_precisions()
    if precision == "bf16" and "bf16" not in quick:
        raise DeviceError("precision bf16 was asked for, and this processor has none; use f32")
    if precision == "auto" and "int8" in quick and has_int8():
        yield Candidate("openvino", "cpu", "int8", _also(reason, "the processor has VNNI"))
    if "bf16" in quick and precision != "f32":
        yield Candidate("openvino", "cpu", "bf16", _also(reason, "the processor has bf16"))
    if precision != "bf16":
        yield Candidate("openvino", "cpu", "f32", reason)
    if runtime == "auto":
        usual = "f32" if precision == "auto" else precision
        yield Candidate("torch", "cpu", usual, _also(reason, "OpenVINO does not run"))


def _also(reason: str, more: str) -> str:
    return "; ".join(part for part in (reason, more) if part)


def _has_int8(path: Path, card: Card) -> bool:
    """Whether there are INT8 ranges for these weights."""
    try:
        return read_ranges(path, card.sha256) is not None
    except WeightsError as error:
        logger.warning(f"pose: not int8: {error}")
        return False


def _third_party_candidates(runtime: str, device: str, precision: str) -> Iterator[Candidate]:
    if runtime == "torch" or device not in ("auto", "cpu"):
        raise UsageError(
            f"ONNX and OpenVINO files run on openvino on the cpu, not on {runtime}, {device}"
        )
    if precision == "int8":
        raise UsageError(
            "precision int8 is for livepose's own weights; an ONNX or OpenVINO file that is "
            "quantised already runs as it is"
        )
    # There is no torch network to check bf16 against, and some networks do not bear it.
    usual = "f32" if precision == "auto" else precision
    yield from _on_cpu(usual, "openvino", "", lambda: False)


def _open(path: Path, card: Card, candidate: Candidate) -> Runtime:
    if candidate.runtime == "openvino":
        return _open_openvino(path, card, candidate.precision)
    _require_torch("runtime torch")
    from livepose.runtimes.torch import TorchRuntime, reference_heatmaps
    from livepose.weights import load_network

    network, _ = load_network(path)
    made = TorchRuntime(network, card, candidate.device, candidate.precision)
    if (made.device, made.precision) != ("cpu", "f32"):
        require_agreement(made, reference_heatmaps(network, card))
    return made


def _open_openvino(path: Path, card: Card, precision: str) -> Runtime:
    pose, is_own = _openvino_pose(), not is_third_party(path)
    try:
        made: Runtime = (pose.open_own if is_own else pose.open_third_party)(path, card, precision)
        return made
    except WeightsError:
        if is_own or card == read_card(path):
            raise
        raise UsageError(
            f"--input: {path.name} does not run at {size_of(card)}; it is an export of one size"
        ) from None


def _openvino_pose() -> ModuleType:
    try:
        from livepose.runtimes import openvino_pose
    except ImportError as error:
        raise DeviceError(
            f"OpenVINO cannot be imported ({error}); install it with 'pip install openvino', or "
            "use --runtime torch"
        ) from None
    return openvino_pose


def quick_precisions() -> tuple[str, ...]:
    """In what OpenVINO is quicker than in f32 on this processor; nothing where it is not there."""
    try:
        from livepose.runtimes import openvino
    except ImportError:
        return ()
    there = {"int8": openvino.gains_by_int8(), "bf16": openvino.has_bf16()}
    return tuple(name for name, is_there in there.items() if is_there)


def check_device(device: str) -> str:
    """The device itself, ``cuda`` as ``cuda:0``, if it is there; ``auto`` stays as it is.

    DeviceError when it is not. UsageError when it is no device at all.
    """
    if device in ("auto", "cpu"):
        return device
    if device == "mps":
        _require_torch("device mps")
        import torch

        if not torch.backends.mps.is_available():
            raise DeviceError("device mps was asked for and is not there; use --device cpu")
        return device
    kind, colon, number = device.partition(":")
    if kind != "cuda" or (colon and not (number.isascii() and number.isdigit())):
        raise UsageError(f"device: expected auto, cpu, cuda, cuda:N or mps, got {device!r}")
    _require_torch(f"device {device}")
    found = cuda_devices()
    if found == 0:
        raise DeviceError(f"CUDA was asked for, and torch sees no CUDA GPU here; {MISSING_CUDA}")
    if int(number or 0) >= found:
        last = f"cuda:{found - 1}" if found > 1 else "cuda:0 only"
        raise DeviceError(f"device {device} was asked for, and the GPUs here end at {last}")
    return f"cuda:{int(number or 0)}"


def has_torch() -> bool:
    """Whether torch is installed; it is not loaded."""
    return "torch" in sys.modules or find_spec("torch") is not None


def _require_torch(what: str) -> None:
    if not has_torch():
        raise DeviceError(
            f"{what} needs torch, which is not installed; install it with "
            "pip install 'livepose[torch]'"
        )


def cuda_devices() -> int:
    """CUDA GPUs that torch can use; torch is loaded only where a driver is."""
    if not has_torch() or ("torch" not in sys.modules and not _driver_is_there()):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _driver_is_there() -> bool:
    marks = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl")
    windows = sys.platform == "win32"
    return windows or bool(shutil.which("nvidia-smi")) or any(Path(m).exists() for m in marks)
