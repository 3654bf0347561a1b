"""OpenVINO: the network on the CPU, compiled for it.

Fixed batch sizes run a third faster than a free one, so the network is compiled for a few and a
batch is cut into pieces that fit. Compiled blobs are kept on disk.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from livepose.errors import WeightsError
from livepose.runtimes.buckets import exact_pieces
from livepose.runtimes.library import openvino
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops, no_heatmaps
from livepose.weights import Card

ov = openvino()
properties, hint = ov.properties, ov.properties.hint

BUCKETS = (1, 2, 4, 8)
"""Batch sizes that may be compiled."""


class OpenVinoRuntime:
    """Runs a converted network on the CPU.

    A graph with INT8 convolutions computes what is left in f32.

    ``latency`` runs one piece after the other on all cores; ``throughput`` runs pieces beside
    each other, one a stream, which gives more crops a second and waits longer for each.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self,
        model: Any,
        card: Card,
        precision: str,
        mode: str = "latency",
        blob_folder: Path | None = None,
    ) -> None:
        self.card = card
        self.precision = precision
        self.mode = mode
        self._model = model
        self._options = compile_options(precision, mode, blob_folder)
        self._buckets = BUCKETS if _is_free(model) else (1,)
        self._requests: dict[int, list[Any]] = {}
        self._compiled: dict[int, Any] = {}
        self._compile(1)
        streams = self._compiled[1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._beside = 1 if mode == "latency" else max(1, int(streams))

    def _compile(self, bucket: int) -> None:
        if bucket not in self._compiled:
            model = self._model.clone()
            model.reshape([bucket, *self.card.input_hw, 3])
            self._compiled[bucket] = ov.Core().compile_model(model, "CPU", self._options)
            self._requests[bucket] = []

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        heatmaps = np.empty((len(crops), *no_heatmaps(self.card).shape[1:]), np.float32)
        used: dict[int, int] = {}
        waiting: list[Any] = []
        for piece in exact_pieces(len(crops), self._fitting(len(crops))):
            used[piece.bucket] = used.get(piece.bucket, 0) + 1
            alone = self.mode == "latency"
            request = self._request(piece.bucket, 0 if alone else used[piece.bucket] - 1)
            # Both tensors are views: nothing is copied on the way in or out.
            request.set_input_tensor(_view(crops[piece.start : piece.stop]))
            request.set_output_tensor(_view(heatmaps[piece.start : piece.stop]))
            request.start_async()
            if alone:
                request.wait()
            else:
                waiting.append(request)
        for request in waiting:
            request.wait()
        return heatmaps

    def _fitting(self, count: int) -> list[int]:
        """Compiled sizes that leave a piece of the batch for each stream."""
        return [bucket for bucket in self._compiled if bucket <= max(1, count // self._beside)]

    def _request(self, bucket: int, index: int) -> Any:
        requests = self._requests[bucket]
        while len(requests) <= index:
            requests.append(self._compiled[bucket].create_infer_request())
        return requests[index]

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Compiles what batches of these sizes need, and runs each once.

        A size that was not warmed up is run in smaller pieces; nothing is compiled meanwhile.
        """
        for count in sorted(set(batch_sizes)):
            self._compile(self._largest(max(1, count // self._beside)))
            self(np.zeros((count, *self.card.input_hw, 3), np.uint8))

    def _largest(self, count: int) -> int:
        return max(bucket for bucket in self._buckets if bucket <= count)


def _view(array: Any) -> Any:
    return ov.Tensor(array, shared_memory=True)


def _is_free(model: Any) -> bool:
    return bool(model.input(0).get_partial_shape()[0].is_dynamic)


def compile_options(precision: str, mode: str, blob_folder: Path | None) -> dict[Any, Any]:
    """OpenVINO's properties for a precision, and for ``latency`` or ``throughput``."""
    numbers = {"f32": ov.Type.f32, "int8": ov.Type.f32, "bf16": ov.Type.bf16}
    modes = {
        "latency": hint.PerformanceMode.LATENCY,
        "throughput": hint.PerformanceMode.THROUGHPUT,
    }
    options = {
        hint.inference_precision: numbers[precision],
        hint.performance_mode: modes[mode],
    }
    if blob_folder is not None:
        options[properties.cache_dir] = str(blob_folder)
    return options


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def foreign_graph(path: Path, card: Card) -> Any:
    """Somebody else's ONNX or OpenVINO network, which takes normalised pictures (B, 3, h, w).

    The batch is left free if the network allows it, else it is 1. With several outputs the first
    one of the right shape is taken.

    Raises
    ------
    WeightsError
        When the file cannot be read, or its shapes are not what its sidecar says.
    """
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"{path} is not a readable ONNX or OpenVINO file: {reason}") from None
    if len(model.inputs) != 1:
        raise WeightsError(f"{path.name} has {len(model.inputs)} inputs; one was expected")
    _set_input_size(model, path, card)
    return with_bytes_in(model, card, _heatmap_output(model, path, card))


def _set_input_size(model: Any, path: Path, card: Card) -> None:
    for batch in (-1, 1):
        try:
            model.reshape([batch, 3, *card.input_hw])
            _heatmap_output(model, path, card)
            return
        except (RuntimeError, WeightsError) as error:
            failure = error
    if isinstance(failure, WeightsError):
        raise failure
    raise WeightsError(
        f"{path.name} takes {model.input(0).get_partial_shape()}; its sidecar says pictures of "
        f"1x3x{card.input_hw[0]}x{card.input_hw[1]}"
    )


def _heatmap_output(model: Any, path: Path, card: Card) -> int:
    wanted = [card.keypoints, *card.heatmap_hw]
    shapes = [output.get_partial_shape() for output in model.outputs]
    for index, shape in enumerate(shapes):
        if shape.rank.is_static and len(shape) == 4 and _lengths(shape)[1:] == wanted:
            return index
    rows, columns = card.heatmap_hw
    raise WeightsError(
        f"{path.name} puts out {', '.join(map(str, shapes))}; its sidecar says {card.keypoints} "
        f"heatmaps of {rows}x{columns}"
    )


def _lengths(shape: Any) -> list[int]:
    return [-1 if axis.is_dynamic else axis.get_length() for axis in shape]


def with_bytes_in(model: Any, card: Card, output: int) -> Any:
    """The network with normalisation before it, activation behind it, and that output alone."""
    for index, result in enumerate(model.get_results()):
        if index != output:
            model.remove_result(result)
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().tensor().set_color_format(ov.preprocess.ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    recipe = steps.input().preprocess().convert_element_type(ov.Type.f32)
    if card.colour == "rgb":
        recipe.convert_color(ov.preprocess.ColorFormat.RGB)
    recipe.mean(list(card.mean)).scale(list(card.std))
    if card.activation == "softmax":
        steps.output().postprocess().custom(lambda maps: _softmax(maps, card))
    steps.output().tensor().set_element_type(ov.Type.f32)
    return steps.build()


def _softmax(maps: Any, card: Card) -> Any:
    """Log-heatmaps to heatmaps, as in ``graph.PoseGraph``."""
    ops = ov.opset13
    flat = ops.reshape(maps, np.array([0, 0, -1]), special_zero=True)
    scaled = ops.multiply(ops.softmax(flat, 2), np.float32(2 * np.pi * card.sigma**2))
    shape = np.array([0, 0, *card.heatmap_hw])
    return ops.reshape(scaled, shape, special_zero=True).output(0)
