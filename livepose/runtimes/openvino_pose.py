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
from livepose.runtimes.activation_ranges import read_ranges
from livepose.runtimes.int8 import INT8_VERSION, insert_ranges
from livepose.runtimes.openvino import StoredGraph, bytes_in, ov, read_model
from livepose.runtimes.openvino_graph import pose_graph
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops, empty_heatmaps
from livepose.runtimes.store import Store, content_hash
from livepose.runtimes.verify import PROBES, probe_crops, require_agreement
from livepose.weights import Card
from livepose.weights.arrays import load_arrays
from livepose.weights.card import is_third_party, size_of

logger = logging.getLogger(__name__)

GRAPH_VERSION = "7"
"""Raised when ``openvino_graph`` changes, so that no old graph is taken for it."""
BATCH_SIZES = (1, 2, 3, 4, 8)
"""That may be compiled."""
_PRECISE_CONVOLUTIONS, _PRECISE_TAIL = 2, 8


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


def open_openvino(path: Path, card: Card, precision: str) -> OpenVinoRuntime:
    """A pose network, compiled; our own weights are checked against fp32 torch.

    DeviceError when it finds keypoints elsewhere than torch does. RangesError when INT8 was asked
    for and there are no ranges for these weights. WeightsError when the file is of no use.
    """
    if is_third_party(path):
        model = _third_party_model(path, card)
        free = bool(model.input(0).get_partial_shape()[0].is_dynamic)
        return OpenVinoRuntime(StoredGraph(None, "", lambda: model), card, precision, free)
    network = PoseNetwork(path, card)
    runtime = OpenVinoRuntime(network.graph(precision), card, precision)
    require_agreement(runtime, network.reference())
    return runtime


class PoseNetwork:
    """Our own weights as graphs for OpenVINO at the card's size, and the probes' right heatmaps."""

    def __init__(self, path: Path, card: Card) -> None:
        self.path, self.card = path, card
        versions = GRAPH_VERSION, ov.__version__, size_of(card)
        self.store = Store(card.network, content_hash(path), *versions)
        self.plain = StoredGraph(self.store, "graph", self._converted, half=True)

    def graph(self, precision: str) -> StoredGraph:
        """The graph that computes in this precision; RangesError where INT8 has no ranges."""
        if precision != "int8":
            return self.plain
        ranges = read_ranges(self.path, self.card.sha256)
        name = f"int8-{INT8_VERSION}-{ranges.digest}"
        return StoredGraph(self.store, name, lambda: insert_ranges(self.plain.model, ranges.limits))

    def reference(self) -> Heatmaps:
        """Heatmaps of the probes, (4, K, H, W): torch's, or OpenVINO's in f32 without torch."""
        has_torch = find_spec("torch") is not None
        name = "probes-torch" if has_torch else "probes-openvino"
        kept = self.store.read(name)
        if kept is not None:
            return np.frombuffer(kept, np.float32).reshape(empty_heatmaps(self.card, PROBES).shape)
        if has_torch:
            from livepose.runtimes.torch import reference_heatmaps
            from livepose.weights.checkpoint import load_network

            made = reference_heatmaps(load_network(self.path)[0], self.card)
        else:
            made = OpenVinoRuntime(self.plain, self.card, "f32")(probe_crops(self.card))
        self.store.write(name, made.tobytes())
        return made

    def _converted(self) -> Any:
        logger.info("preparing the pose network for OpenVINO (only this once)")
        graph = pose_graph(load_arrays(self.path), self.card, self.path.name)
        model = _with_bytes_in(graph, self.card, 0)
        _keep_ends_precise(model)
        return model


def _keep_ends_precise(model: Any) -> None:
    """Marks the first and the last layers to stay in f32 under a bf16 hint, once it is saved.

    The stem and the heatmap layer are two hundredths of the work and a third of bf16's error.
    """
    passive = ("Constant", "Parameter", "Result", "Convert")
    layers = [node for node in model.get_ordered_ops() if node.get_type_name() not in passive]
    at = [i for i, node in enumerate(layers) if node.get_type_name() == "Convolution"]
    for node in layers[: at[_PRECISE_CONVOLUTIONS]] + layers[at[-1] - _PRECISE_TAIL :]:
        node.get_rt_info()["precise_0"] = ""


def _third_party_model(path: Path, card: Card) -> Any:
    """Somebody else's ONNX or OpenVINO network, which takes normalised images (B, 3, h, w).

    The batch is left free if the network allows it, else it is 1; of several outputs the first of
    the right shape is taken. WeightsError when its shapes are not what its model config says.
    """
    model = read_model(path)
    if len(model.inputs) != 1:
        raise WeightsError(f"{path.name} has {len(model.inputs)} inputs; one was expected")
    takes = model.input(0).get_partial_shape()
    wanted = [card.keypoints, *card.heatmap_hw]
    for batch in (-1, 1):
        try:
            model.reshape([batch, 3, *card.input_hw])
        except RuntimeError:
            continue
        for index, output in enumerate(model.outputs):
            shape = output.get_partial_shape()
            if shape.rank.is_static and len(shape) == 4 and list(shape)[1:] == wanted:
                return _with_bytes_in(model, card, index)
    shapes = ", ".join(str(output.get_partial_shape()) for output in model.outputs)
    raise WeightsError(
        f"{path.name} takes {takes} and puts out {shapes}; {card.keypoints} heatmaps of "
        f"{'x'.join(map(str, card.heatmap_hw))} for images of {size_of(card)} were expected (by "
        "its model config, and --input)"
    )


def _with_bytes_in(model: Any, card: Card, output: int) -> Any:
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
