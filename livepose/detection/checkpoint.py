"""Detectors in torch: read from ultralytics' files, built by ultralytics, run, and written as ours.

Nothing of a file is run. ultralytics pickles whole Python objects; what such a file names in
ultralytics or ``torch.nn`` becomes an inert shell that only keeps what was stored in it, and a file
that names anything else is refused. Tensors, architecture and class names are taken out of the
shells, and a network is built from ultralytics' own layers alone.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.detection.detector import Engine, Predictions
from livepose.detection.files import DetectorInfo, StoredDetector, person_class, read_stored
from livepose.errors import WeightsError
from livepose.runtimes.torch import device_errors, one_thread
from livepose.weights.arrays import arrays_sha256, require_usable, save_arrays
from livepose.weights.torch_file import arrays_of, open_torch_file

FORMAT = "livepose-detector-1"
QUIET = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
_PERMITTED = ("ultralytics.", "torch.nn.", "torch.Size", "torch.device", "pathlib.", "builtins.set")
_HEADS = ("Detect", "v10Detect")
_LAYERS = {
    *("Conv", "DWConv", "C2", "C2f", "C3", "C3k2", "C2fCIB", "C2PSA", "A2C2f", "PSA", "SCDown"),
    *("SPPF", "SPPELAN", "ELAN1", "RepNCSPELAN4", "AConv", "ADown", "CBLinear", "CBFuse"),
    *("Concat", "nn.Identity", "nn.Upsample", *_HEADS),
}
"""Those of YOLO from v8 on: none of them fetches anything, or evaluates what it is given."""
_LARGEST_NUMBER = 8192
"""Of channels, repeats and classes."""
_LARGEST_MULTIPLE = 4
"""Of depth and width; the largest of ultralytics' own is 1.5."""


@cache
def ultralytics() -> Any:
    """The module ``ultralytics.nn.tasks``, imported without side effects.

    ultralytics' import writes a settings file, looks whether there is a network, sets
    OMP_NUM_THREADS to 1 (which would leave every library loaded later with one core), turns
    OpenCV's threads off, changes how NumPy and torch print, replaces ``torch.save`` and adds
    warning filters. The process is left as it was, and torchvision is never imported.
    """
    environment, threads, torch_save = dict(os.environ), cv2.getNumThreads(), torch.save
    numpy_prints, torch_prints = np.get_printoptions(), vars(torch._tensor_str.PRINT_OPTS).copy()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="livepose-") as folder:
        os.environ |= {**QUIET, "YOLO_CONFIG_DIR": folder}
        try:
            from ultralytics.nn import tasks
        finally:
            os.environ.clear()
            os.environ.update(environment)
            cv2.setNumThreads(threads)
            torch.save = torch_save
            np.set_printoptions(**numpy_prints)
            vars(torch._tensor_str.PRINT_OPTS).update(torch_prints)
    return tasks


class TorchEngine(Engine):
    """Runs the network in torch, in half precision on CUDA: on GPUs, and where OpenVINO cannot."""

    def __init__(self, model: nn.Module, device: str) -> None:
        self.name = f"torch on {device}"
        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        with device_errors(device, "while loading the detector"):
            self._model = model.to(self._device, self._dtype)

    def __call__(self, images_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for letterboxed images, uint8 (B, h, w, 3), blue first."""
        doing = f"while looking for people in {len(images_bgr)} images"
        with device_errors(str(self._device), doing), torch.inference_mode():
            images = torch.from_numpy(images_bgr).to(self._device)
            inputs = images.flip(3).permute(0, 3, 1, 2).to(self._dtype) / 255
            raw = self._model(inputs)
            predictions: Tensor = raw[0] if isinstance(raw, tuple) else raw
            return predictions.float().cpu().numpy()


def save_detector(path: Path, model: nn.Module, metadata: Mapping[str, str]) -> None:
    """Writes a detection model of ultralytics, not fused, as safetensors with its architecture.

    ``metadata`` are ``classes`` (as "person" or "person,bicycle"), ``input_px``, ``source`` and
    what else is to be told. Floating-point tensors are stored in half precision. WeightsError if
    it cannot be written.
    """
    arrays = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous().numpy()
        for name, value in model.state_dict().items()
    }
    told = {**metadata, "format": FORMAT, "architecture": json.dumps(model.yaml)}
    save_arrays(path, arrays, {**told, "sha256": arrays_sha256(arrays)})


def load_detector(path: Path) -> tuple[nn.Module, DetectorInfo]:
    """The network of a .safetensors file of ours or a .pt file of ultralytics: eval, f32, fused.

    WeightsError when the file is missing, broken, unsafe or no detector of persons.
    """
    stored = read_stored(path)
    check_architecture(stored.architecture, path)
    build: Any = ultralytics().DetectionModel
    try:
        state = {name: torch.as_tensor(value) for name, value in stored.tensors.items()}
        with one_thread():
            model: nn.Module = build(stored.architecture, ch=3, verbose=False)
            model.load_state_dict(state, strict=True)
            model.eval().requires_grad_(False)
            model.fuse(verbose=False)  # type: ignore[operator]
    except Exception as error:  # its builder raises whatever a damaged file makes it stumble over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path}: the tensors do not fit the architecture it names ({reason}); it may need "
            "another version of ultralytics"
        ) from None
    return model, stored.info


def check_architecture(architecture: Any, path: Path) -> None:
    """Refuses a description from which ultralytics would run, fetch or build anything odd.

    WeightsError: says what is wrong with it.
    """
    try:
        layers = [*architecture["backbone"], *architecture["head"]]
        modules = [str(layer[2]) for layer in layers]
        classes, activation = int(architecture["nc"]), architecture.get("activation")
        largest = _largest([*layers, architecture.get("reg_max", 0)])
        scales = [scale[:2] for scale in (architecture.get("scales") or {}).values()]
        multiples = [architecture.get(f"{of}_multiple", 1) for of in ("depth", "width")]
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise WeightsError(f"{path}: its architecture is not one of ultralytics") from None
    if strange := [name for name in (*modules, activation or "Conv") if name not in _LAYERS]:
        raise WeightsError(f"{path} asks for {strange[0]!r}, which no detector of YOLO has")
    last = modules[-1] if modules else "nothing"
    if last not in _HEADS or not 1 <= classes <= _LARGEST_NUMBER:
        raise WeightsError(f"{path} ends in {last}; a detection head was expected")
    if largest > _LARGEST_NUMBER or _largest([*scales, multiples]) > _LARGEST_MULTIPLE:
        raise WeightsError(f"{path} asks for layers larger than any detector's")


def _largest(value: Any) -> float:
    """The largest number in nested lists."""
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


class Shell:
    """Stands for an object of a class that is not to be run; keeps its state."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def read_pickled(path: Path) -> StoredDetector:
    """What a checkpoint of ultralytics holds; tensors are as they were stored.

    WeightsError when the file is not one, or names classes that are none of its business.
    """
    content: Any = open_torch_file(path, _PERMITTED, Shell)
    held = content if isinstance(content, dict) else {"model": content}
    models = [held.get(name) for name in ("ema", "model")]
    model = next((one for one in models if isinstance(one, Shell)), None)
    if model is None:
        raise WeightsError(
            f"{path} holds no ultralytics model; expected a file such as yolo11n.pt with the model "
            "inside, not only its tensors"
        )
    try:
        tensors = dict(_tensors(model))
        architecture, names = model.state["yaml"], model.state.get("names") or {}
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        classes = {int(index): str(name) for index, name in pairs}
        count = int(architecture["nc"])
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise WeightsError(f"{path} holds no model as ultralytics 8 pickles it: {e!r}") from None
    arrays = arrays_of(tensors, path)
    require_usable(arrays, path.name)
    info = DetectorInfo(person_class(classes, path), count)
    return StoredDetector(type(model).__name__, arrays, architecture, info)


def _tensors(shell: Shell, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Named tensors of a module's shell, as ``state_dict`` names them."""
    state = shell.state
    transient = state.get("_non_persistent_buffers_set") or ()
    own = {**(state.get("_parameters") or {}), **(state.get("_buffers") or {})}
    for name, value in own.items():
        if isinstance(value, Tensor) and name not in transient:
            yield prefix + name, value
    for name, inner in (state.get("_modules") or {}).items():
        if isinstance(inner, Shell):
            yield from _tensors(inner, f"{prefix}{name}.")
