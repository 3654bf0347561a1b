"""OpenVINO: the network on the CPU, compiled for it.

Our own weights are converted straight from the torch module; the converted graph and the compiled
blob are kept in the cache, keyed by the weights' hash and OpenVINO's version, so that the next
start needs neither.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from livepose.errors import WeightsError
from livepose.runtimes.library import one_thread, openvino
from livepose.runtimes.protocol import Crops, Heatmaps, blank_crops, no_heatmaps
from livepose.weights import Card, cache_folder, load_network

ov = openvino()
properties, hint = ov.properties, ov.properties.hint

GRAPH_VERSION = 1
"""Raised when ``PoseGraph`` changes what it computes, so that no old graph is taken for it."""


class OpenVinoRuntime:
    """Runs a converted network on the CPU, in bf16 where the processor has it."""

    name = "openvino"
    device = "cpu"

    def __init__(self, model: Any, card: Card, precision: str, mode: str = "latency") -> None:
        self.card = card
        self.precision = precision
        core = ov.Core()
        compiled = core.compile_model(model, "CPU", compile_options(precision, mode))
        self._request = compiled.create_infer_request()

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        if len(crops_bgr) == 0:
            return no_heatmaps(self.card)
        self._request.set_input_tensor(ov.Tensor(np.ascontiguousarray(crops_bgr)))
        self._request.infer()
        return np.array(self._request.get_output_tensor(0).data, dtype=np.float32)

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Runs batches of these sizes once."""
        for count in batch_sizes:
            self(blank_crops(self.card, count))


def compile_options(precision: str, mode: str) -> dict[Any, Any]:
    """OpenVINO's properties for a precision, and for ``latency`` or ``throughput``."""
    numbers = {"f32": ov.Type.f32, "bf16": ov.Type.bf16}
    modes = {
        "latency": hint.PerformanceMode.LATENCY,
        "throughput": hint.PerformanceMode.THROUGHPUT,
    }
    return {
        hint.inference_precision: numbers[precision],
        hint.performance_mode: modes[mode],
        properties.cache_dir: str(graph_folder()),
    }


def graph_folder() -> Path:
    """Where converted graphs and compiled blobs are kept."""
    folder = cache_folder() / "openvino"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    capabilities = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def own_graph(path: Path, card: Card) -> Any:
    """Our own weights as an OpenVINO model, from the cache where it is there."""
    kept = (
        graph_folder()
        / f"{card.network}-{card.sha256[:16]}-{GRAPH_VERSION}-{ov.__version__[:9]}.xml"
    )
    if card.sha256 and kept.is_file() and kept.with_suffix(".bin").is_file():
        return ov.Core().read_model(kept)
    model = convert(path, card)
    if card.sha256:
        part = kept.with_name(f"{os.getpid()}-{kept.name}")
        ov.save_model(model, part, compress_to_fp16=False)
        part.with_suffix(".bin").replace(kept.with_suffix(".bin"))
        part.replace(kept)
    return model


def convert(path: Path, card: Card) -> Any:
    """The torch module of these weights as an OpenVINO model of any batch size."""
    import torch

    from livepose.runtimes.graph import PoseGraph

    network, _ = load_network(path)
    example = torch.zeros((2, *card.input_hw, 3), dtype=torch.uint8)
    graph = PoseGraph(network, card).eval()
    # Tracing is many small steps: with several threads they mostly wait for each other.
    with one_thread():
        return ov.convert_model(graph, example_input=example, input=[-1, *card.input_hw, 3])


def foreign_graph(path: Path, card: Card) -> Any:
    """Somebody else's ONNX or OpenVINO network, which takes normalised pictures (B, 3, h, w).

    Raises
    ------
    WeightsError
        When the file cannot be read, or its shapes are not what its sidecar says.
    """
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        raise WeightsError(f"{path} is not an ONNX or OpenVINO network: {error}") from error
    if len(model.inputs) != 1:
        raise WeightsError(f"{path}: expected one input, got {len(model.inputs)}")
    model.reshape([-1, 3, *card.input_hw])
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().tensor().set_color_format(ov.preprocess.ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    recipe = steps.input().preprocess().convert_element_type(ov.Type.f32)
    if card.colour == "rgb":
        recipe.convert_color(ov.preprocess.ColorFormat.RGB)
    recipe.mean(list(card.mean)).scale(list(card.std))
    return steps.build()
