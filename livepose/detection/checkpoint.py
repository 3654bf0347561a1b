"""Detectors as files: our own (safetensors with the architecture beside the tensors), and .pt.

Metadata of our own: ``architecture`` (ultralytics' model description as JSON), ``classes`` (names,
comma-separated), ``input_px`` (longer side it was trained for), ``source``, and what else the
writer adds. Nothing in it is run: an architecture is only built from ultralytics' own layers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from livepose.detection.library import ultralytics
from livepose.detection.pickled import read_pickled
from livepose.detection.protocol import DetectorInfo, person_class
from livepose.errors import WeightsError
from livepose.runtimes.openvino import one_thread
from livepose.weights.arrays import require_stated, tensors_sha256

FORMAT = "livepose-detector-1"
HEADS = ("Detect", "v10Detect")
LARGEST_NUMBER = 8192
"""Of channels, repeats and classes."""
REFUSED = ("TorchVision",)
"""Layers that would fetch something."""
ACTIVATION = re.compile(r"(torch\.)?nn\.[A-Za-z0-9]+\((\w+=[\w.]+(, ?\w+=[\w.]+)*)?\)")


@dataclass(frozen=True)
class Loaded:
    """A network that is ready: in eval, float32, fused."""

    model: nn.Module
    info: DetectorInfo


def save_detector(
    path: Path,
    model: nn.Module,
    metadata: Mapping[str, str],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Writes a detection model of ultralytics as safetensors, with its architecture.

    Parameters
    ----------
    path : Path
        File to write.
    model : ultralytics DetectionModel
        Not fused.
    metadata : mapping of str to str
        At least ``classes`` (as "person" or "person,bicycle"), ``input_px`` and ``source``.
    dtype : torch.dtype
        How floating-point tensors are stored.

    Raises
    ------
    ValueError
        When metadata are missing.
    """
    missing = {"classes", "input_px", "source"} - set(metadata)
    if missing:
        raise ValueError(f"metadata: expected also {', '.join(sorted(missing))}")
    architecture: Any = model.yaml
    tensors = {
        name: value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype)
        for name, value in model.state_dict().items()
    }
    tensors = {name: value.clone().contiguous() for name, value in tensors.items()}
    told = {**metadata, "format": FORMAT, "architecture": json.dumps(architecture)}
    told["sha256"] = tensors_sha256(tensors)
    save_file(tensors, path, metadata=told)


def load_detector(path: Path) -> Loaded:
    """A detector from a .safetensors file of ours or a .pt file of ultralytics.

    Raises
    ------
    WeightsError
        When the file is missing, broken, unsafe or something else than a detector of persons.
    """
    return _load_pickled(path) if path.suffix == ".pt" else _load_own(path)


def _load_own(path: Path) -> Loaded:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        architecture = json.loads(metadata["architecture"])
        names = dict(enumerate(metadata["classes"].split(",")))
        input_px = int(metadata["input_px"])
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as a detector: {error}") from None
    except (KeyError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path} holds no detector: its metadata lack or garble {error}; a pose network goes "
            "to --weights"
        ) from None
    require_stated(tensors, metadata.get("sha256", ""), path)
    return _finish(path, architecture, tensors, names, input_px)


def _load_pickled(path: Path) -> Loaded:
    stored = read_pickled(path)
    if stored.kind not in ("DetectionModel", "YOLOv10DetectionModel"):
        raise WeightsError(
            f"{path} is a {stored.kind} of ultralytics; a detection model is wanted, such as "
            "yolo11n.pt"
        )
    require_stated(stored.tensors, "", path)
    return _finish(path, stored.architecture, stored.tensors, stored.names, None)


def _finish(
    path: Path,
    architecture: Any,
    tensors: dict[str, Tensor],
    names: dict[int, str],
    input_px: int | None,
) -> Loaded:
    check_architecture(architecture, path)
    person = person_class(names, path)
    try:
        with one_thread():
            model: Any = ultralytics().DetectionModel(architecture, ch=3, verbose=False)
            model.load_state_dict(_as_float(tensors), strict=True)
            model.eval().requires_grad_(False)
            model.fuse(verbose=False)
    except (RuntimeError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: the tensors do not fit the architecture it names ({reason}); it may need "
            f"another version of ultralytics than {ultralytics().version}"
        ) from None
    return Loaded(model, DetectorInfo(person, int(architecture["nc"]), input_px))


def _as_float(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in tensors.items()
    }


def check_architecture(architecture: Any, path: Path) -> None:
    """Refuses a description from which ultralytics would run, fetch or build anything odd.

    Raises
    ------
    WeightsError
        Says what is wrong with it.
    """
    try:
        layers = [*architecture["backbone"], *architecture["head"]]
        modules = [str(layer[2]) for layer in layers]
        classes, activation = int(architecture["nc"]), architecture.get("activation")
        largest = _largest(layers)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise WeightsError(f"{path}: its architecture is not one of ultralytics") from None
    strange = [name for name in modules if not _is_layer(name)]
    if activation is not None and not ACTIVATION.fullmatch(str(activation)):
        strange.append(str(activation))
    if strange:
        raise WeightsError(
            f"{path} asks for the layer {strange[0]!r}, which ultralytics {ultralytics().version} "
            "does not have or which is not safe to build"
        )
    if not modules or modules[-1] not in HEADS or not 1 <= classes <= LARGEST_NUMBER:
        last = modules[-1] if modules else "nothing"
        raise WeightsError(f"{path} ends in {last}; a detection head was expected")
    if largest > LARGEST_NUMBER:
        raise WeightsError(f"{path} asks for layers larger than any detector's")


def _largest(value: Any) -> float:
    """The largest number in nested lists."""
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def _is_layer(name: str) -> bool:
    home: Any = torch.nn if name.startswith("nn.") else ultralytics().tasks
    found = getattr(home, name.removeprefix("nn."), None)
    return name not in REFUSED and isinstance(found, type) and issubclass(found, nn.Module)
