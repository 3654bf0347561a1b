"""INT8: a graph whose convolutions compute in whole numbers.

Weights are rounded to 255 steps, each output channel with its own; they need nothing but
themselves. What enters a convolution is rounded to 256 steps between limits that were measured on
real crops (``ranges``); OpenVINO fuses that rounding into the layer before. Layers that the ranges
leave out stay as they are: the stem and the heatmap layer, a hundredth of the work.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import WeightsError
from livepose.runtimes.openvino import openvino

ov = openvino()

INT8_VERSION = 1
"""Raised when the graph that is made of the same ranges changes."""
WEIGHT_TOP = 127
STEPS = 256
PREFIX = "__module."


def convolutions(model: Any) -> dict[str, Any]:
    """The convolutions of a converted graph by the names of the torch modules that they were."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
    return {_layer(node): node for node in nodes}


def _layer(node: Any) -> str:
    return str(node.get_friendly_name()).split("/")[0].removeprefix(PREFIX)


def entering(convolution: Any) -> Any:
    """The output of the layer before, which enters this convolution."""
    return convolution.input(0).get_source_output()


def insert_ranges(model: Any, limits: Mapping[str, tuple[float, float]]) -> Any:
    """A copy of the graph with rounded weights, and with rounding where numbers enter.

    Parameters
    ----------
    model : openvino.Model
    limits : mapping
        Lowest and highest number that enters each convolution.

    Raises
    ------
    WeightsError
        When a convolution is not in the graph: the ranges belong to another network.
    """
    model = model.clone()
    layers = convolutions(model)
    missing = [name for name in limits if name not in layers]
    if missing:
        raise WeightsError(
            f"{len(missing)} of {len(limits)} layers with INT8 ranges are not in this network "
            f"(first: {missing[0]}); make the ranges anew with 'livepose quantise'"
        )
    for name in limits:
        _round_weights(layers[name])
    _round_inputs({name: layers[name] for name in limits}, limits)
    model.validate_nodes_and_infer_types()
    return model


def _round_weights(convolution: Any) -> None:
    rounded, steps = whole_weights(_constant(convolution.input(1)))
    ops = ov.opset13
    whole = ops.convert(ops.constant(rounded), "f32")
    convolution.input(1).replace_source_output(ops.multiply(whole, _number(steps)).output(0))


def whole_weights(
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights (out, in, h, w) as whole numbers, and the size of a step of each output channel."""
    tops = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    steps = np.maximum(tops, np.float32(1e-12)) / np.float32(WEIGHT_TOP)
    return np.rint(weights / steps).astype(np.int8), steps.astype(np.float32)


def _constant(port: Any) -> NDArray[np.float32]:
    node = port.get_source_output().get_node()
    while node.get_type_name() == "Convert":  # weights are stored in half precision
        node = node.input_value(0).get_node()
    return np.array(node.data, dtype=np.float32)


def _round_inputs(layers: Mapping[str, Any], limits: Mapping[str, tuple[float, float]]) -> None:
    """One rounding a source, which all its readers share, so that it is fused into the source."""
    sources: dict[str, tuple[Any, float, float]] = {}
    for name, convolution in layers.items():
        source = entering(convolution)
        _, low, high = sources.get(source.get_node().get_friendly_name(), (None, 0.0, 0.0))
        widest = min(low, limits[name][0]), max(high, limits[name][1])
        sources[source.get_node().get_friendly_name()] = (source, *widest)
    for source, low, high in sources.values():
        readers = list(source.get_target_inputs())
        rounded = _rounded(source, low, high)
        for reader in readers:
            reader.replace_source_output(rounded.output(0))


def _rounded(source: Any, low: float, high: float) -> Any:
    """Numbers from 0 in 256 steps; with numbers below 0, 255 steps on both sides alike."""
    signed = low < 0
    top = max(-low, high)
    ends = _number(-top if signed else 0.0), _number(top)
    return ov.opset13.fake_quantize(source, *ends, *ends, STEPS - 1 if signed else STEPS)


def _number(value: Any) -> Any:
    return ov.opset13.constant(np.asarray(value, np.float32))
