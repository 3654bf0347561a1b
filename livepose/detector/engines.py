"""Running a detection network: bytes of letterboxed pictures in, raw predictions out.

Each engine takes uint8 (B, h, w, 3), blue first, and gives float32 (B, 4 + classes, N): centre,
size and scores of N candidates in input pixels; or (B, N, 6) from networks that need no NMS.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.errors import DeviceError, WeightsError
from livepose.runtimes.library import one_thread, openvino, torch_decoder
from livepose.weights.places import cache_folder

ov = openvino()

LARGEST_BATCH = 8
SHAPES_KEPT = 6
"""Compiled shapes that are remembered; a stream needs one."""
TRACED_PX = 64
"""Side of the picture that the network is traced with; any does, small is quick."""


class Engine(Protocol):
    """Something that runs a detection network."""

    name: str
    input_wh: tuple[int, int] | None
    """The one size it takes, None for any of whole strides."""

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Tensor:
        """Predictions for these pictures, see the module."""


class TorchEngine:
    """Runs the network in torch; in half precision on CUDA."""

    input_wh: tuple[int, int] | None = None

    def __init__(self, model: nn.Module, device: str) -> None:
        self.name = f"torch on {device}"
        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        try:
            self._model = model.to(self._device, self._dtype)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise DeviceError(f"the device {device} cannot run the detector: {reason}") from None

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Tensor:
        """Predictions for these pictures, see the module."""
        with torch.inference_mode():
            pictures = torch.from_numpy(pictures_bgr).to(self._device)
            inputs = pictures.flip(3).permute(0, 3, 1, 2).to(self._dtype) / 255
            raw = self._model(inputs)
            predictions: Tensor = raw[0] if isinstance(raw, tuple) else raw
            return predictions.float().cpu()


class OpenVinoEngine:
    """Runs the network in OpenVINO on the processor, compiled once for each shape."""

    def __init__(self, model: Any, name: str = "OpenVINO on the processor") -> None:
        self.name = name
        self._model = _taking_bytes(model)
        shape = self._model.input().get_partial_shape()
        self.input_wh = None if shape.is_dynamic else (shape[2].get_length(), shape[1].get_length())
        self._batch = 1 if shape.is_static else LARGEST_BATCH
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Tensor:
        """Predictions for these pictures, see the module."""
        parts, start = [], 0
        while start < len(pictures_bgr):
            count = _chunk(len(pictures_bgr) - start, self._batch)
            part = np.ascontiguousarray(pictures_bgr[start : start + count])
            parts.append(np.array(self._compile(part.shape)(part)[0], dtype=np.float32))
            start += count
        return torch.from_numpy(np.concatenate(parts))

    def _compile(self, shape: tuple[int, ...]) -> Any:
        if shape not in self._compiled:
            if self.input_wh is None:
                self._model.reshape(list(shape))
            self._compiled[shape] = _core().compile_model(
                self._model, "CPU", {"PERFORMANCE_HINT": "LATENCY"}
            )
            if len(self._compiled) > SHAPES_KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(shape)
        return self._compiled[shape]


def _chunk(left: int, largest: int) -> int:
    """A power of two, so that few shapes have to be compiled."""
    return min(largest, int(1 << (left.bit_length() - 1)))


@cache
def _core() -> Any:
    core = ov.Core()
    core.set_property({"CACHE_DIR": str(cache_folder() / "openvino")})
    return core


def _taking_bytes(model: Any) -> Any:
    """The model with the way from bytes, blue first, to its own input built in."""
    steps = ov.preprocess.PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.set_color_format(ov.preprocess.ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    preparing = steps.input().preprocess()
    preparing.convert_element_type(ov.Type.f32)
    preparing.convert_color(ov.preprocess.ColorFormat.RGB).scale(255.0)
    return steps.build()


def read_exported(path: Path) -> Any:
    """A network that ultralytics exported to OpenVINO (.xml) or ONNX.

    Raises
    ------
    WeightsError
        When it cannot be read, or answers in another form than such an export.
    """
    try:
        model = _core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"{path} cannot be read by OpenVINO: {reason}") from None
    outputs = [output.get_partial_shape() for output in model.outputs]
    plain = len(model.inputs) == 1 and len(outputs) == 1 and outputs[0].rank.get_length() == 3
    if not plain or outputs[0][1].is_dynamic:
        raise WeightsError(
            f"{path} is no detector exported by ultralytics: expected one output of candidates, "
            f"got {', '.join(str(output) for output in outputs)}"
        )
    return model


def convert(model: nn.Module, key: str, report: Callable[[str], None]) -> Any:
    """The network for OpenVINO, any batch and size; kept in the cache under ``key``."""
    kept = cache_folder() / "detectors" / key / "detector.xml"
    if kept.is_file():
        try:
            return _core().read_model(kept)
        except RuntimeError:
            report(f"the converted detector in {kept.parent} is broken; converting it again")
    else:
        report("converting the detector for OpenVINO (only this once)")
    converted = _traced(model)
    _keep(converted, kept)
    return converted


def _traced(model: nn.Module) -> Any:
    """The network for OpenVINO, by its frontend for torch.

    Not by ``ov.convert_model``, which reports its use to Intel over the network.
    """
    head: Any = list(model.children())[-1]
    head = head[-1]
    head.export, head.dynamic, head.format = True, True, "openvino"
    example = torch.zeros(1, 3, TRACED_PX, TRACED_PX)
    with torch.no_grad(), one_thread(), catch_warnings():
        simplefilter("ignore")  # the tracer warns of every shape that it sees
        trace: Any = torch.jit.trace
        traced = trace(model, example, check_trace=False)
        decoder = torch_decoder()(traced, example_input=example)
        frontend = ov.frontend.FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    parameter = converted.get_parameters()[0]
    parameter.set_element_type(ov.Type.f32)
    parameter.set_partial_shape(ov.PartialShape([-1, 3, -1, -1]))
    converted.validate_nodes_and_infer_types()
    return converted


def _keep(converted: Any, path: Path) -> None:
    """Writes the converted network in one move; without a place to write, it goes unkept."""
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent.parent) as draft:
            ov.save_model(converted, str(Path(draft) / path.name), compress_to_fp16=False)
            path.parent.mkdir(exist_ok=True)
            for suffix in (".bin", ".xml"):
                (Path(draft) / path.name).with_suffix(suffix).replace(path.with_suffix(suffix))
    except (OSError, RuntimeError):
        return
