"""INT8: a graph whose convolutions compute in whole numbers.

Weights are rounded to 255 steps, each output channel with its own; they need nothing but
themselves. What enters a convolution is rounded to 256 steps between limits that were measured on
real images (``activation_ranges``); OpenVINO fuses that rounding into the layer before. Layers that
the ranges leave out stay as they are: the ends of a network, a hundredth of the work.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from livepose.runtimes.activation_ranges import RangesError
from livepose.runtimes.openvino import ov

ops = ov.opset13

INT8_VERSION = 1
"""Raised when the graph that is made of the same ranges changes."""
WEIGHT_TOP = 127
STEPS = 256
MOVING = ("Concat", "Split", "VariadicSplit", "MaxPool", "Interpolate")
"""Layers that only move numbers: what comes out is rounded if what goes in was."""


def convolutions(model: Any) -> dict[str, Any]:
    """The convolutions of a graph by the names of the torch modules that they were."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
    return {str(node.get_friendly_name()): node for node in nodes}


def entering(convolution: Any) -> dict[str, Any]:
    """The computed outputs that enter a convolution, cut and joined on the way, by their names."""

    def behind(output: Any) -> dict[str, Any]:
        node = output.get_node()
        if node.get_type_name() not in MOVING:
            return {f"{node.get_friendly_name()}:{output.get_index()}": output}
        ports = range(node.get_input_size()) if node.get_type_name() == "Concat" else (0,)
        found: dict[str, Any] = {}
        for port in ports:
            found |= behind(node.input(port).get_source_output())
        return found

    return behind(convolution.input(0).get_source_output())


def insert_ranges(model: Any, limits: Mapping[str, tuple[float, float]]) -> Any:
    """A copy of the graph with rounded weights, and with rounding where numbers enter.

    ``limits`` are lowest and highest number that enters each convolution. RangesError when one is
    not in the graph: the ranges belong to another network.
    """
    model = model.clone()
    layers = convolutions(model)
    missing = [name for name in limits if name not in layers]
    if missing:
        raise RangesError(
            f"{len(missing)} of {len(limits)} layers with INT8 ranges are not in this network "
            f"(first: {missing[0]}); make the ranges anew with 'livepose quantise'"
        )
    for name in limits:
        _round_weights(layers[name])
    for sources, low, high in _groups({name: layers[name] for name in limits}, limits):
        for source in sources.values():
            readers = list(source.get_target_inputs())
            rounded = _rounded(source, low, high)
            for reader in readers:
                reader.replace_source_output(rounded.output(0))
    model.validate_nodes_and_infer_types()
    return model


def _round_weights(convolution: Any) -> None:
    node = convolution.input(1).get_source_output().get_node()
    while node.get_type_name() == "Convert":  # weights are stored in half precision
        node = node.input_value(0).get_node()
    weights = np.array(node.data, dtype=np.float32)  # (out, in, h, w)
    tops = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    steps = np.maximum(tops, np.float32(1e-12)) / np.float32(WEIGHT_TOP)
    whole = ops.convert(ops.constant(np.rint(weights / steps).astype(np.int8)), "f32")
    convolution.input(1).replace_source_output(ops.multiply(whole, _number(steps)).output(0))


def _groups(
    layers: Mapping[str, Any], limits: Mapping[str, tuple[float, float]]
) -> list[tuple[dict[str, Any], float, float]]:
    """Sources and their limits: one rounding a source, which all its readers share, so that it is
    fused into the source.

    Sources that are joined on their way share the limits: a convolution knows one step alone.
    """
    groups: list[tuple[dict[str, Any], float, float]] = []
    for name, convolution in layers.items():
        sources, (low, high), apart = entering(convolution), limits[name], []
        for others, least, most in groups:
            if sources.keys() & others.keys():
                sources, low, high = others | sources, min(low, least), max(high, most)
            else:
                apart.append((others, least, most))
        groups = [*apart, (sources, low, high)]
    return groups


def _rounded(source: Any, low: float, high: float) -> Any:
    """Numbers in 256 steps, 0 being one of them; in 255 where both sides are alike."""
    steps = STEPS - 1 if low == -high else STEPS
    step = (high - low) / (steps - 1)
    low = -step * round(-low / step)
    ends = _number(low), _number(low + step * (steps - 1))
    return ops.fake_quantize(source, *ends, *ends, steps)


def _number(value: Any) -> Any:
    return ops.constant(np.asarray(value, np.float32))
