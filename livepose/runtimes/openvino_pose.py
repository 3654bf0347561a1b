"""The pose network in OpenVINO on the processor.

Fixed batch sizes run a third faster than a free one, so the network is compiled for a few and a
batch is cut into parts that fit.
"""

import logging
import math
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livepose.errors import WeightsError
from livepose.runtimes.activation_ranges import ActivationRanges, ranges_path, read_ranges
from livepose.runtimes.int8 import INT8_VERSION, insert_ranges
from livepose.runtimes.openvino import (
    StoredGraph,
    bytes_in,
    openvino,
    read_model,
)
from livepose.runtimes.openvino_graph import pose_graph
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops, empty_heatmaps
from livepose.runtimes.store import Store, content_hash
from livepose.runtimes.verify import PROBES, probe_crops, require_agreement
from livepose.settings import BEST_STEP_PX
from livepose.weights import Card
from livepose.weights.arrays import load_arrays
from livepose.weights.card import size_of

ov = openvino()

logger = logging.getLogger(__name__)

GRAPH_VERSION = "6"
"""Raised when ``openvino_graph`` changes, so that no old graph is taken for it."""
BATCH_SIZES = (1, 2, 3, 4, 8)
"""That may be compiled."""


class OpenVinoRuntime:
    """Runs a converted network on the CPU; one with INT8 convolutions computes the rest in f32."""

    name = "openvino"
    device = "cpu"

    def __init__(self, graph: StoredGraph, card: Card, precision: str, free: bool = True) -> None:
        self.card, self.precision = card, precision
        self._graph, self._sizes = graph, BATCH_SIZES if free else (1,)
        self._requests: dict[int, Any] = {}
        self.warm_up((1,))

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        heatmaps, start = empty_heatmaps(self.card, len(crops)), 0
        for size in parts_of(len(crops), list(self._requests)):
            request, part = self._requests[size], slice(start, start + size)
            # Both tensors are views: nothing is copied on the way in or out.
            request.set_input_tensor(ov.Tensor(crops[part], shared_memory=True))
            request.set_output_tensor(ov.Tensor(heatmaps[part], shared_memory=True))
            request.start_async()  # ``infer`` would copy what comes out
            request.wait()
            start += size
        return heatmaps

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Compiles what batches of these sizes need, and runs each once; from any thread.

        A size that was not warmed up is run in smaller parts; nothing is compiled meanwhile.
        """
        for count in sorted(set(batch_sizes)):
            size = max(size for size in self._sizes if size <= max(1, count))
            if size not in self._requests:
                shape = (size, *self.card.input_hw, 3)
                request = self._graph.compiled(shape, self.precision).create_infer_request()
                request.infer([np.zeros(shape, np.uint8)])
                self._requests[size] = request


def parts_of(count: int, sizes: Collection[int]) -> list[int]:
    """A batch in few parts of these sizes, even ones where it can be; ``sizes`` has to hold 1.

    One crop by itself takes nearly as long as two together, so that 5 are 3 and 2, not 4 and 1.

    >>> parts_of(5, [1, 2, 3, 4]), parts_of(7, [1, 2, 4])
    ([3, 2], [4, 2, 1])
    """
    parts: list[int] = []
    while left := count - sum(parts):
        even = math.ceil(left / math.ceil(left / max(sizes)))
        parts.append(even if even in sizes else max(size for size in sizes if size <= left))
    return parts


class PoseNetwork:
    """Our own weights as graphs for OpenVINO, and the right heatmaps of the probes.

    ``card`` may be that of another size of the input; those in ``BEST_STEP_PX`` share a graph.
    """

    def __init__(self, path: Path, card: Card) -> None:
        self.path, self.card = path, card
        self.store = Store(card.network, GRAPH_VERSION, ov.__version__, content_hash(path))
        self._free = not any(side % BEST_STEP_PX for side in card.input_hw)
        self._suffix = "" if self._free else f"-{size_of(card)}"
        self.plain = StoredGraph(self.store, f"graph{self._suffix}", self._converted, half=True)

    def graph(self, precision: str) -> StoredGraph:
        """The graph that computes in this precision; WeightsError where INT8 has no ranges."""
        if precision != "int8":
            return self.plain
        ranges = required_ranges(self.path, self.card)
        return StoredGraph(
            self.store,
            f"int8-{INT8_VERSION}-{ranges.digest}{self._suffix}",
            lambda: insert_ranges(self.plain.model, ranges.limits),
        )

    def reference(self) -> Heatmaps:
        """Heatmaps of the probes, (4, K, H, W): torch's, or OpenVINO's in f32 without torch."""
        by = "torch" if find_spec("torch") else "openvino"
        name = f"probes-{by}-{size_of(self.card)}"
        kept = self.store.read(name)
        if kept is not None:
            return np.frombuffer(kept, np.float32).reshape(empty_heatmaps(self.card, PROBES).shape)
        if by == "torch":
            from livepose.runtimes.torch import reference_heatmaps
            from livepose.weights import load_network

            made = reference_heatmaps(load_network(self.path)[0], self.card)
        else:
            made = OpenVinoRuntime(self.plain, self.card, "f32")(probe_crops(self.card))
        self.store.write(name, made.tobytes())
        return made

    def _converted(self) -> Any:
        logger.info("preparing the pose network for OpenVINO (only this once)")
        graph = pose_graph(load_arrays(self.path), self.card, self.path.name)
        model = with_bytes_in(graph, self.card, 0)
        if self._free:
            model.reshape([-1, -1, -1, 3])
        return model


def open_own(path: Path, card: Card, precision: str) -> OpenVinoRuntime:
    """Our own weights, compiled, and checked against fp32 torch.

    DeviceError when it finds keypoints elsewhere than torch does. WeightsError when INT8 was asked
    for and there are no ranges for these weights.
    """
    network = PoseNetwork(path, card)
    runtime = OpenVinoRuntime(network.graph(precision), card, precision)
    require_agreement(runtime, network.reference())
    return runtime


def required_ranges(path: Path, card: Card) -> ActivationRanges:
    """The INT8 ranges of these weights; WeightsError where there are none."""
    ranges = read_ranges(path, card.sha256)
    if ranges is None:
        raise WeightsError(
            f"precision int8 needs {ranges_path(path).name} beside {path.name}; make it with "
            f"'livepose quantise --weights {path}', or use --precision f32"
        )
    return ranges


def open_third_party(path: Path, card: Card, precision: str) -> OpenVinoRuntime:
    """Somebody else's ONNX or OpenVINO network, which takes normalised images (B, 3, h, w).

    It is compiled at each start. The batch is left free if the network allows it, else it is 1.
    With several outputs the first one of the right shape is taken. WeightsError when the file
    cannot be read, or its shapes are not what its model config says.
    """
    model = _third_party_model(path, card)
    free = bool(model.input(0).get_partial_shape()[0].is_dynamic)
    return OpenVinoRuntime(StoredGraph(None, "", lambda: model), card, precision, free)


def _third_party_model(path: Path, card: Card) -> Any:
    model = read_model(path)
    if len(model.inputs) != 1:
        raise WeightsError(f"{path.name} has {len(model.inputs)} inputs; one was expected")
    failure: Exception | None = None
    for batch in (-1, 1):
        try:
            model.reshape([batch, 3, *card.input_hw])
            return with_bytes_in(model, card, _heatmap_output(model, path, card))
        except (RuntimeError, WeightsError) as error:
            failure = error
    if isinstance(failure, WeightsError):
        raise failure
    raise WeightsError(
        f"{path.name} takes {model.input(0).get_partial_shape()}; its model config says "
        f"images of 1x3x{size_of(card)}"
    )


def _heatmap_output(model: Any, path: Path, card: Card) -> int:
    shapes = [output.get_partial_shape() for output in model.outputs]
    wanted = ov.PartialShape([-1, card.keypoints, *card.heatmap_hw])
    for index, shape in enumerate(shapes):
        if shape.rank.is_static and len(shape) == 4 and list(shape)[1:] == list(wanted)[1:]:
            return index
    rows, columns = card.heatmap_hw
    raise WeightsError(
        f"{path.name} puts out {', '.join(map(str, shapes))}; its model config says "
        f"{card.keypoints} heatmaps of {rows}x{columns}"
    )


def with_bytes_in(model: Any, card: Card, output: int) -> Any:
    """The network with normalisation before it, activation behind it, and that output alone."""
    for index, result in enumerate(model.get_results()):
        if index != output:
            model.remove_result(result)
    steps = bytes_in(model, card.mean, card.std, card.colour == "rgb")
    if card.activation == "softmax":
        steps.output().postprocess().custom(lambda maps: _softmax(maps, card))
    steps.output().tensor().set_element_type(ov.Type.f32)
    return steps.build()


def _softmax(maps: Any, card: Card) -> Any:
    """Log-heatmaps to heatmaps, as in ``torch.PoseGraph``."""
    ops = ov.opset13
    flat = ops.reshape(maps, np.array([0, 0, -1]), special_zero=True)
    scaled = ops.multiply(ops.softmax(flat, 2), np.float32(2 * np.pi * card.sigma**2))
    return ops.reshape(scaled, ops.shape_of(maps), special_zero=False).output(0)
