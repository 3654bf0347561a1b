"""Which runtime, on which device, in which precision; said in one line, never silently."""

from pathlib import Path

from livepose.errors import DeviceError, UsageError
from livepose.runtimes.protocol import Report, Runtime, silent
from livepose.weights import Card, find_weights, load_network, read_card

RUNTIMES = ("auto", "torch", "openvino", "cuda")
PRECISIONS = ("auto", "f32", "bf16", "f16")
FOREIGN = (".onnx", ".xml")


def open_runtime(
    weights: str | Path = "default",
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    report: Report = silent,
) -> Runtime:
    """The pose network of these weights, ready to run.

    Parameters
    ----------
    weights : str or Path
        ``default``, a known name, or a file: .safetensors, .onnx, .xml.
    runtime : {"auto", "torch", "openvino", "cuda"}
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision : {"auto", "f32", "bf16", "f16"}
    report : callable
        Told what was picked, and why.

    Raises
    ------
    WeightsError
        When the weights are missing, broken or of another kind.
    DeviceError
        When a device or runtime was asked for and is not there.
    UsageError
        When a name is unknown, or two choices exclude each other.
    """
    path = find_weights(str(weights))
    card = read_card(path)
    name, place, why = choose(path, runtime, device)
    made = _open(path, card, name, place, precision)
    rows, columns = card.input_hw
    what = f"{card.network} {rows}x{columns} ({path.name})"
    report(f"pose: {what} on {made.name}, {made.device}, {made.precision}{why}")
    return made


def choose(path: Path, runtime: str, device: str) -> tuple[str, str, str]:
    """Name of the runtime, device, and why (empty where it was asked for)."""
    if runtime not in RUNTIMES:
        raise UsageError(f"runtime: expected one of {', '.join(RUNTIMES)}, got {runtime!r}")
    if path.suffix in FOREIGN:
        return _choose_foreign(path, runtime, device)
    if runtime == "openvino" and device not in ("auto", "cpu"):
        raise UsageError(f"runtime openvino runs on the cpu, not on {device}")
    if runtime == "cuda" and device == "auto":
        device = "cuda"
    if device != "auto":
        place = check_device(device)
        return (runtime if runtime != "auto" else _usual(place)), place, ""
    if runtime != "auto":
        return runtime, "cpu", ""
    if cuda_devices() > 0:
        return "cuda", "cuda:0", " (a GPU is there)"
    return "openvino", "cpu", " (no GPU here)"


def _choose_foreign(path: Path, runtime: str, device: str) -> tuple[str, str, str]:
    if runtime not in ("auto", "openvino") or device not in ("auto", "cpu"):
        raise UsageError(f"{path.name} runs on openvino on the cpu, not on {runtime}, {device}")
    return "openvino", "cpu", ""


def _usual(place: str) -> str:
    return {"cpu": "openvino", "mps": "torch"}.get(place, "cuda")


def check_device(device: str) -> str:
    """The device itself, ``cuda`` as ``cuda:0``, if it is there.

    Raises
    ------
    DeviceError
        When it is not.
    """
    if device == "cpu":
        return device
    if device == "mps":
        import torch

        if not torch.backends.mps.is_available():
            raise DeviceError("device mps was asked for and is not there; use --device cpu")
        return device
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number == "" or number.isdigit()):
        raise UsageError(f"device: expected auto, cpu, cuda, cuda:N or mps, got {device!r}")
    found = cuda_devices()
    if found == 0:
        raise DeviceError(
            f"device {device} was asked for, and torch sees no CUDA GPU here; "
            "install a CUDA build of torch and its driver, or use --device cpu"
        )
    if int(number or 0) >= found:
        raise DeviceError(f"device {device} was asked for, and there are {found}: cuda:0 on")
    return f"cuda:{number or 0}"


def cuda_devices() -> int:
    """CUDA GPUs that torch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _open(path: Path, card: Card, name: str, device: str, precision: str) -> Runtime:
    if precision not in PRECISIONS:
        raise UsageError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    if name == "openvino":
        return _open_openvino(path, card, precision)
    from livepose.runtimes.torch_runtime import TorchRuntime

    network, _ = load_network(path)
    if name == "cuda" and precision != "f32":
        from livepose.runtimes.cuda_runtime import CudaRuntime

        return CudaRuntime(network, card, device)
    return TorchRuntime(network, card, device, "f32" if precision == "auto" else precision)


def _open_openvino(path: Path, card: Card, precision: str) -> Runtime:
    from livepose.runtimes import openvino_runtime as openvino

    if precision == "f16":
        raise UsageError("precision f16 is for GPUs; use bf16 or f32 on the cpu")
    if precision == "bf16" and not openvino.has_bf16():
        raise DeviceError("precision bf16 was asked for, and this processor has none; use f32")
    if precision == "auto":
        precision = "bf16" if openvino.has_bf16() else "f32"
    foreign = path.suffix in FOREIGN
    model = openvino.foreign_graph(path, card) if foreign else openvino.own_graph(path, card)
    return openvino.OpenVinoRuntime(model, card, precision)
