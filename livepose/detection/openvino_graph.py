"""YOLO11 as an OpenVINO graph, made of a weights file alone: without torch and ultralytics.

The architecture is ultralytics' own description of it, as it stands in the file; numbers of
channels and blocks are read off the tensors. Only the layers of YOLO11's detectors are known here.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from livepose.detection.files import StoredDetector
from livepose.errors import WeightsError
from livepose.runtimes.openvino_graph import Layers, constant, enlarged, ops, ov

BN_EPSILON = 1e-3
"""ultralytics' own, of all its batch norms."""
HEAD_CHANNELS_EACH = 64
"""Channels of one head of attention."""
POOLINGS = 3


def is_known(stored: StoredDetector) -> bool:
    """Whether all layers of a detector are known here."""
    try:
        kinds = [row[2] for row in _rows(stored.architecture)]
        told = {name for name, value in stored.architecture.items() if value}
        return (
            stored.kind == "DetectionModel"
            and not told & {"activation", "end2end", "reg_max"}
            and set(kinds) <= {*_LAYERS, "Concat", "nn.Upsample", "Detect"}
            and kinds.index("Detect") == len(kinds) - 1
            and "C3k2" in kinds  # older heads are made of other layers
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False


def detector_graph(stored: StoredDetector, what: str) -> Any:
    """A detector as a model: images f32 (B, 3, h, w), 0 to 1, red first, to its candidates.

    These are (B, 4 + classes, N): x and y of the middle, width, height, and a score a class.
    WeightsError when the tensors are not those of the architecture; ``what`` names the file.
    """
    layers = Layers(stored.tensors, what, BN_EPSILON, prefix="")
    images = ops.parameter([-1, 3, -1, -1], np.float32)
    try:
        candidates = _assemble(layers, stored.architecture, images)
        model = ov.Model([ops.result(candidates)], [images], "detector")
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[-1]
        raise WeightsError(f"{what}: its tensors do not fit its architecture: {reason}") from None
    layers.require_all_used()
    return model


def _rows(architecture: Mapping[str, Any]) -> list[Any]:
    """Each layer's sources, repeats, kind and arguments."""
    return [*architecture["backbone"], *architecture["head"]]


def _assemble(layers: Layers, architecture: Mapping[str, Any], images: Any) -> Any:
    """All rows of the architecture, each with the number of pixels that its cells are wide."""
    made: list[tuple[Any, float]] = []
    for index, (sources, _, kind, arguments) in enumerate(_rows(architecture)):
        name = f"model.{index}"
        if kind == "Detect":
            return _detect(layers, name, [made[source] for source in sources])
        if kind == "Concat":
            parts = [made[source] for source in sources]
            made.append((ops.concat([part for part, _ in parts], 1), parts[0][1]))
            continue
        features, cell_px = made[sources] if made else (images, 1.0)
        if kind == "nn.Upsample":
            made.append((enlarged(features, int(arguments[1])), cell_px / arguments[1]))
        else:
            stride = arguments[2] if kind == "Conv" and len(arguments) > 2 else 1
            made.append((_LAYERS[kind](layers, features, name, arguments), cell_px * stride))
    raise WeightsError("the architecture has no detection head")


def _conv(
    layers: Layers,
    features: Any,
    name: str,
    stride: int = 1,
    *,
    active: bool = True,
    groups: int = 1,
) -> Any:
    out = layers.convolution(features, f"{name}.conv", f"{name}.bn", stride, groups)
    return ops.swish(out) if active else out


def _c3k2(layers: Layers, features: Any, name: str) -> Any:
    """Half of the channels go through blocks; what each block makes is kept."""
    parts = _split(_conv(layers, features, f"{name}.cv1"))
    for index in range(layers.count(f"{name}.m")):
        block = f"{name}.m.{index}"
        run = _c3k if layers.has(f"{block}.cv3") else _bottleneck
        parts.append(run(layers, parts[-1], block))
    return _conv(layers, ops.concat(parts, 1), f"{name}.cv2")


def _c3k(layers: Layers, features: Any, name: str) -> Any:
    out = _conv(layers, features, f"{name}.cv1")
    for index in range(layers.count(f"{name}.m")):
        out = _bottleneck(layers, out, f"{name}.m.{index}")
    beside = _conv(layers, features, f"{name}.cv2")
    return _conv(layers, ops.concat([out, beside], 1), f"{name}.cv3")


def _bottleneck(layers: Layers, features: Any, name: str) -> Any:
    out = _conv(layers, _conv(layers, features, f"{name}.cv1"), f"{name}.cv2")
    return ops.add(features, out)


def _sppf(layers: Layers, features: Any, name: str, kernel: int) -> Any:
    parts, pads = [_conv(layers, features, f"{name}.cv1")], [kernel // 2] * 2
    for _ in range(POOLINGS):
        steps = ([1, 1], [1, 1], pads, pads, [kernel] * 2)
        parts.append(ops.max_pool(parts[-1], *steps).output(0))
    return _conv(layers, ops.concat(parts, 1), f"{name}.cv2")


def _c2psa(layers: Layers, features: Any, name: str) -> Any:
    beside, out = _split(_conv(layers, features, f"{name}.cv1"))
    for index in range(layers.count(f"{name}.m")):
        block = f"{name}.m.{index}"
        out = ops.add(out, _attention(layers, out, f"{block}.attn"))
        wide = _conv(layers, out, f"{block}.ffn.0")
        out = ops.add(out, _conv(layers, wide, f"{block}.ffn.1", active=False))
    return _conv(layers, ops.concat([beside, out], 1), f"{name}.cv2")


def _attention(layers: Layers, features: Any, name: str) -> Any:
    """Attention between all cells, and a convolution of the values that says where they are."""
    channels = layers.take(f"{name}.proj.conv.weight").shape[0]
    heads = max(channels // HEAD_CHANNELS_EACH, 1)
    values, keys = channels // heads, channels // heads // 2
    rows = _reshaped(
        _conv(layers, features, f"{name}.qkv", active=False), [0, heads, 2 * keys + values, -1]
    )
    groups = ops.variadic_split(rows, _whole(2), _whole([keys, keys, values]))
    query, key, value = groups.outputs()
    scaled = ops.multiply(query, constant(keys**-0.5))
    weights = ops.softmax(ops.matmul(scaled, key, True, False), -1)
    seen = ops.matmul(value, weights, False, True)
    size = ops.shape_of(features)
    maps = ops.reshape(value, size, False)
    place = _conv(layers, maps, f"{name}.pe", active=False, groups=channels)
    out = ops.add(ops.reshape(seen, size, False), place)
    return _conv(layers, out, f"{name}.proj", active=False)


def _detect(layers: Layers, name: str, sources: list[tuple[Any, float]]) -> Any:
    boxes, scores, middles, cells_px = [], [], [], []
    for index, (features, cell_px) in enumerate(sources):
        boxes.append(_reshaped(_box_head(layers, features, f"{name}.cv2.{index}"), [0, 0, -1]))
        scores.append(_reshaped(_class_head(layers, features, f"{name}.cv3.{index}"), [0, 0, -1]))
        middles.append(_middles(features))
        cells_px.append(_same_for_all(cell_px, middles[-1]))
    distances = _expected(layers, ops.concat(boxes, 2), f"{name}.dfl.conv")
    boxes_xywh = ops.multiply(_to_boxes(distances, ops.concat(middles, 2)), ops.concat(cells_px, 2))
    return ops.concat([boxes_xywh, ops.sigmoid(ops.concat(scores, 2))], 1)


def _box_head(layers: Layers, features: Any, name: str) -> Any:
    for step in ("0", "1"):
        features = _conv(layers, features, f"{name}.{step}")
    return layers.convolution(features, f"{name}.2")


def _class_head(layers: Layers, features: Any, name: str) -> Any:
    for step in ("0", "1"):
        channels = layers.take(f"{name}.{step}.0.conv.weight").shape[0]
        features = _conv(layers, features, f"{name}.{step}.0", groups=channels)
        features = _conv(layers, features, f"{name}.{step}.1")
    return layers.convolution(features, f"{name}.2")


def _expected(layers: Layers, boxes: Any, name: str) -> Any:
    """The mean of each side's distribution of distances: (B, 4, N), in cells."""
    # Sums, no convolution: that would compute in bfloat16 where the processor has it.
    numbers = layers.take(f"{name}.weight").reshape(1, 1, -1, 1)
    sides = ops.softmax(_reshaped(boxes, [0, 4, numbers.size, -1]), 2)
    return ops.reduce_sum(ops.multiply(sides, constant(numbers)), _whole([2]), False)


def _to_boxes(distances: Any, middles: Any) -> Any:
    """Distances left, top, right, bottom of each cell's middle as boxes x, y, w, h, in cells."""
    low, high = _split(distances)
    first, last = ops.subtract(middles, low), ops.add(middles, high)
    middle = ops.divide(ops.add(first, last), constant(2))
    return ops.concat([middle, ops.subtract(last, first)], 1)


def _same_for_all(value: float, middles: Any) -> Any:
    """One number for each cell: (1, 1, N)."""
    count = ops.gather(ops.shape_of(middles), _whole([2]), _whole(0))
    return ops.broadcast(constant(value), ops.concat([_whole([1, 1]), count], 0))


def _middles(features: Any) -> Any:
    """X and y of the middle of each cell: (1, 2, N)."""
    size = ops.gather(ops.shape_of(features), _whole([2, 3]), _whole(0))
    rows, columns = ops.split(size, _whole(0), 2).outputs()

    def along(count: Any, shape: list[int]) -> Any:
        scalar = ops.squeeze(count, _whole([0]))
        numbers = ops.range(_whole(0), scalar, _whole(1), "f32")
        line = ops.reshape(ops.add(numbers, constant(0.5)), _whole(shape), False)
        return ops.reshape(ops.broadcast(line, size), _whole([1, 1, -1]), False)

    return ops.concat([along(columns, [1, -1]), along(rows, [-1, 1])], 1)


def _whole(numbers: Any) -> Any:
    return constant(numbers, np.int64)


def _reshaped(features: Any, shape: list[int]) -> Any:
    """In another shape; 0 keeps a side, -1 takes what is left."""
    return ops.reshape(features, _whole(shape), True)


def _split(features: Any) -> list[Any]:
    """Both halves of the channels."""
    return list(ops.split(features, _whole(1), 2).outputs())


_LAYERS: dict[str, Callable[[Layers, Any, str, list[Any]], Any]] = {
    "Conv": lambda layers, x, name, told: _conv(layers, x, name, told[2] if len(told) > 2 else 1),
    "C3k2": lambda layers, x, name, told: _c3k2(layers, x, name),
    "SPPF": lambda layers, x, name, told: _sppf(layers, x, name, int(told[1])),
    "C2PSA": lambda layers, x, name, told: _c2psa(layers, x, name),
}
