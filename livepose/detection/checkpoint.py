"""Detectors in torch: built of a stored file by ultralytics, and written as a file of ours.

Nothing of a file is run: an architecture is only built from ultralytics' own layers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from livepose.detection.library import ultralytics
from livepose.detection.protocol import DetectorInfo
from livepose.detection.stored import read_stored
from livepose.errors import WeightsError
from livepose.runtimes.openvino import one_thread
from livepose.weights.arrays import tensors_sha256

FORMAT = "livepose-detector-1"
KINDS = ("DetectionModel", "YOLOv10DetectionModel")
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
    """Writes a detection model of ultralytics, not fused, as safetensors with its architecture.

    ``metadata`` are at least ``classes`` (as "person" or "person,bicycle"), ``input_px`` and
    ``source``: ValueError when one is missing. Floating-point tensors are stored as ``dtype``.
    """
    missing = {"classes", "input_px", "source"} - set(metadata)
    if missing:
        raise ValueError(f"metadata: expected also {', '.join(sorted(missing))}")
    tensors = {
        name: value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype)
        for name, value in model.state_dict().items()
    }
    tensors = {name: value.clone().contiguous() for name, value in tensors.items()}
    told = {**metadata, "format": FORMAT, "architecture": json.dumps(model.yaml)}
    told["sha256"] = tensors_sha256(tensors)
    save_file(tensors, path, metadata=told)


def load_detector(path: Path) -> Loaded:
    """A detector from a .safetensors file of ours or a .pt file of ultralytics.

    WeightsError when the file is missing, broken, unsafe or something else than a detector of
    persons.
    """
    stored = read_stored(path)
    if stored.kind not in KINDS:
        raise WeightsError(
            f"{path} is a {stored.kind} of ultralytics; a detection model is wanted, such as "
            "yolo11n.pt"
        )
    check_architecture(stored.architecture, path)
    info = stored.info(path)
    tensors = {name: torch.as_tensor(value) for name, value in stored.tensors.items()}
    floats = {n: value.float() for n, value in tensors.items() if value.is_floating_point()}
    try:
        with one_thread():
            model: Any = ultralytics().DetectionModel(stored.architecture, ch=3, verbose=False)
            model.load_state_dict({**tensors, **floats}, strict=True)
            model.eval().requires_grad_(False)
            model.fuse(verbose=False)
    except (RuntimeError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: the tensors do not fit the architecture it names ({reason}); it may need "
            f"another version of ultralytics than {ultralytics().version}"
        ) from None
    return Loaded(model, info)


def check_architecture(architecture: Any, path: Path) -> None:
    """Refuses a description from which ultralytics would run, fetch or build anything odd.

    WeightsError: says what is wrong with it.
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
