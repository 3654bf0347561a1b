"""Detection networks in OpenVINO, on the processor."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.detection.protocol import Predictions
from livepose.errors import WeightsError
from livepose.runtimes.openvino import CompiledShapes, StoredGraph, compile_options, core, openvino

ov = openvino()

LARGEST_BATCH = 8
SHAPES_REMEMBERED = 6
"""Compiled shapes; a stream needs one, or two."""


class OpenVinoEngine:
    """Runs the network in OpenVINO on the processor, compiled once for each shape.

    Parameters
    ----------
    graph : StoredGraph
        Takes pictures uint8 (B, h, w, 3), blue first.
    fixed_wh : (int, int), optional
        The one size of picture that it takes, one at a time.
    """

    name = "OpenVINO on the processor"

    def __init__(self, graph: StoredGraph, fixed_wh: tuple[int, int] | None = None) -> None:
        self.input_wh = fixed_wh
        self._batch = LARGEST_BATCH if fixed_wh is None else 1
        self._shapes = CompiledShapes(graph, compile_options(), SHAPES_REMEMBERED)
        self._lock = Lock()
        self._beside = ThreadPoolExecutor(1)
        self._preparing: dict[tuple[int, ...], Future[Any]] = {}

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for these pictures, see the module."""
        parts, start = [], 0
        while start < len(pictures_bgr):
            count = _chunk(len(pictures_bgr) - start, self._batch)
            part = np.ascontiguousarray(pictures_bgr[start : start + count])
            parts.append(np.array(self._shapes[part.shape](part)[0], dtype=np.float32))
            start += count
        return np.concatenate(parts)

    def prepare(self, input_wh: tuple[int, int]) -> bool:
        """Whether one picture of this size runs at once; else it is compiled for beside."""
        shape = (1, input_wh[1], input_wh[0], 3)
        if shape in self._shapes:
            return True
        with self._lock:
            before = self._preparing.get(shape)
            # What was compiled may have been forgotten since; what failed is not tried again.
            if before is None or (before.done() and before.exception() is None):
                self._preparing[shape] = self._beside.submit(self._shapes.__getitem__, shape)
        return False


def _chunk(left: int, largest: int) -> int:
    """A power of two, so that few shapes have to be compiled."""
    return min(largest, int(1 << (left.bit_length() - 1)))


def taking_bytes(model: Any) -> Any:
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
        model = core().read_model(path)
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


def exported_engine(path: Path, model: Any) -> OpenVinoEngine:
    """An engine of such a network; it is compiled at each start."""
    graph = StoredGraph(None, path.stem, lambda: taking_bytes(model))
    shape = graph.model.input().get_partial_shape()
    fixed = None if shape.is_dynamic else (shape[2].get_length(), shape[1].get_length())
    return OpenVinoEngine(graph, fixed)
