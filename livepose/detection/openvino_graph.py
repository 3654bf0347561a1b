"""YOLO11 as an OpenVINO graph, made of a weights file alone: without torch and ultralytics.

The architecture is ultralytics' own description of it, as it stands in the file; numbers of
channels and blocks are read off the tensors. Only the layers of YOLO11's detectors are known here.
"""

from typing import Any

import numpy as np

from livepose.detection.files import StoredDetector
from livepose.errors import WeightsError
from livepose.runtimes.openvino import ov
from livepose.runtimes.openvino_graph import Layers, constant, enlarged, ops

BN_EPSILON = 1e-3
"""ultralytics' own, of all its batch norms."""
HEAD_CHANNELS_EACH = 64
"""Channels of one head of attention."""
POOLINGS = 3
_KINDS = {"Conv", "C3k2", "SPPF", "C2PSA", "Concat", "nn.Upsample", "Detect"}


def is_known(stored: StoredDetector) -> bool:
    """Whether all layers of a detector are known here."""
    try:
        architecture = stored.architecture
        kinds = [row[2] for row in (*architecture["backbone"], *architecture["head"])]
        told = {name for name, value in architecture.items() if value}
        return (
            stored.kind == "DetectionModel"
            and not told & {"activation", "end2end", "reg_max"}
            and set(kinds) <= _KINDS
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
    layers = _Yolo11(stored.tensors, what, BN_EPSILON, prefix="")
    images = ops.parameter([-1, 3, -1, -1], np.float32)
    try:
        rows = [*stored.architecture["backbone"], *stored.architecture["head"]]
        candidates = layers.assembled(rows, images)
        model = ov.Model([ops.result(candidates)], [images], "detector")
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[-1]
        raise WeightsError(f"{what}: its tensors do not fit its architecture: {reason}") from None
    layers.require_all_used()
    return model


class _Yolo11(Layers):
    """The layers of YOLO11, each below a name of its tensors."""

    def assembled(self, rows: list[Any], images: Any) -> Any:
        """All rows (sources, repeats, kind, arguments), each with the width of its cells in px."""
        made: list[tuple[Any, float]] = []
        for index, (sources, _, kind, told) in enumerate(rows[:-1]):
            if kind == "Concat":
                parts = [made[source] for source in sources]
                made.append((ops.concat([part for part, _ in parts], 1), parts[0][1]))
                continue
            name, (features, cell_px) = f"model.{index}", made[sources] if made else (images, 1.0)
            if kind == "nn.Upsample":
                features, cell_px = enlarged(features, int(told[1])), cell_px / told[1]
            elif kind == "Conv":
                stride = told[2] if len(told) > 2 else 1
                features, cell_px = self.conv(features, name, stride), cell_px * stride
            elif kind == "C3k2":
                features = self.c3k2(features, name)
            elif kind == "SPPF":
                features = self.sppf(features, name, int(told[1]))
            else:
                features = self.c2psa(features, name)
            made.append((features, cell_px))
        name = f"model.{len(rows) - 1}"
        boxes_xywh, scores = [], []
        for index, source in enumerate(rows[-1][0]):
            features, cell_px = made[source]
            boxes_xywh.append(self.boxes(features, cell_px, name, index))
            scores.append(self.scores(features, f"{name}.cv3.{index}"))
        # At the very end, where it is not computed in bfloat16.
        sure = ops.sigmoid(ops.concat(scores, 2))
        return ops.concat([ops.concat(boxes_xywh, 2), sure], 1)

    def conv(
        self, features: Any, name: str, stride: int = 1, *, active: bool = True, groups: int = 1
    ) -> Any:
        out = self.convolution(features, f"{name}.conv", f"{name}.bn", stride, groups)
        return ops.swish(out) if active else out

    def c3k2(self, features: Any, name: str) -> Any:
        """Half of the channels go through blocks; what each block makes is kept."""
        parts = _halves(self.conv(features, f"{name}.cv1"))
        for index in range(self.count(f"{name}.m")):
            block = f"{name}.m.{index}"
            run = self.c3k if self.has(f"{block}.cv3") else self.bottleneck
            parts.append(run(parts[-1], block))
        return self.conv(ops.concat(parts, 1), f"{name}.cv2")

    def c3k(self, features: Any, name: str) -> Any:
        out = self.conv(features, f"{name}.cv1")
        for index in range(self.count(f"{name}.m")):
            out = self.bottleneck(out, f"{name}.m.{index}")
        beside = self.conv(features, f"{name}.cv2")
        return self.conv(ops.concat([out, beside], 1), f"{name}.cv3")

    def bottleneck(self, features: Any, name: str) -> Any:
        out = self.conv(self.conv(features, f"{name}.cv1"), f"{name}.cv2")
        return ops.add(features, out)

    def sppf(self, features: Any, name: str, kernel: int) -> Any:
        parts, pads = [self.conv(features, f"{name}.cv1")], [kernel // 2] * 2
        for _ in range(POOLINGS):
            pooled = ops.max_pool(parts[-1], [1, 1], [1, 1], pads, pads, [kernel] * 2)
            parts.append(pooled.output(0))
        return self.conv(ops.concat(parts, 1), f"{name}.cv2")

    def c2psa(self, features: Any, name: str) -> Any:
        beside, out = _halves(self.conv(features, f"{name}.cv1"))
        for index in range(self.count(f"{name}.m")):
            block = f"{name}.m.{index}"
            out = ops.add(out, self.attention(out, f"{block}.attn"))
            wide = self.conv(out, f"{block}.ffn.0")
            out = ops.add(out, self.conv(wide, f"{block}.ffn.1", active=False))
        return self.conv(ops.concat([beside, out], 1), f"{name}.cv2")

    def attention(self, features: Any, name: str) -> Any:
        """Attention between all cells, and a convolution of the values that says where they are."""
        channels = self.take(f"{name}.proj.conv.weight").shape[0]
        heads = max(channels // HEAD_CHANNELS_EACH, 1)
        values, keys = channels // heads, channels // heads // 2
        mixed = self.conv(features, f"{name}.qkv", active=False)
        rows = _reshaped(mixed, [0, heads, 2 * keys + values, -1])
        groups = ops.variadic_split(rows, _whole(2), _whole([keys, keys, values]))
        query, key, value = groups.outputs()
        scaled = ops.multiply(query, constant(keys**-0.5))
        weights = ops.softmax(ops.matmul(scaled, key, True, False), -1)
        seen = ops.matmul(value, weights, False, True)
        size = ops.shape_of(features)
        maps = ops.reshape(value, size, False)
        place = self.conv(maps, f"{name}.pe", active=False, groups=channels)
        out = ops.add(ops.reshape(seen, size, False), place)
        return self.conv(out, f"{name}.proj", active=False)

    def scores(self, features: Any, name: str) -> Any:
        """How likely each class is in each cell, (B, classes, N), before the sigmoid."""
        for step in ("0", "1"):
            channels = self.take(f"{name}.{step}.0.conv.weight").shape[0]
            features = self.conv(features, f"{name}.{step}.0", groups=channels)
            features = self.conv(features, f"{name}.{step}.1")
        return _reshaped(self.convolution(features, f"{name}.2"), [0, 0, -1])

    def boxes(self, features: Any, cell_px: float, name: str, index: int) -> Any:
        """Middle and size of the box of each cell, in pixels, (B, 4, N)."""
        boxes = features
        for step in ("0", "1"):
            boxes = self.conv(boxes, f"{name}.cv2.{index}.{step}")
        boxes = self.convolution(boxes, f"{name}.cv2.{index}.2")
        # The mean of each side's distribution of distances, in cells. Sums, no convolution: that
        # would compute in bfloat16 where the processor has it.
        numbers = self.take(f"{name}.dfl.conv.weight").reshape(1, 1, -1, 1)
        sides = ops.softmax(_reshaped(boxes, [0, 4, numbers.size, -1]), 2)
        distances = ops.reduce_sum(ops.multiply(sides, constant(numbers)), _whole([2]), False)
        middles, (low, high) = _middles(features), _halves(distances)
        first, last = ops.subtract(middles, low), ops.add(middles, high)
        middle = ops.divide(ops.add(first, last), constant(2))
        return ops.multiply(ops.concat([middle, ops.subtract(last, first)], 1), constant(cell_px))


def _middles(features: Any) -> Any:
    """X and y of the middle of each cell: (1, 2, N)."""
    size = ops.gather(ops.shape_of(features), _whole([2, 3]), _whole(0))
    count, columns = ops.reduce_prod(size, _whole(0), False), ops.gather(size, _whole(1), _whole(0))
    cells = ops.range(_whole(0), count, _whole(1), "i64")
    x_and_y = [ops.mod(cells, columns), ops.divide(cells, columns)]
    rows = [_reshaped(one, [1, 1, -1]) for one in x_and_y]
    return ops.add(ops.convert(ops.concat(rows, 1), "f32"), constant(0.5))


def _whole(numbers: Any) -> Any:
    return constant(numbers, np.int64)


def _reshaped(features: Any, shape: list[int]) -> Any:
    """In another shape; 0 keeps a side, -1 takes what is left."""
    return ops.reshape(features, _whole(shape), True)


def _halves(features: Any) -> list[Any]:
    """Both halves of the channels."""
    return list(ops.split(features, _whole(1), 2).outputs())
