"""Pose networks as OpenVINO graphs, made of the tensors of a weights file alone: without torch.

A graph has the same layers as the network in ``livepose.networks``, with batch normalisation folded
into the convolutions. Which layers there are is read off the names of the tensors; each tensor has
to be used, and each layer has to have its tensors.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import WeightsError
from livepose.runtimes.openvino import ov
from livepose.weights import Card

ops = ov.opset13

Tensors = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]
Block = Callable[..., Any]


class Layers:
    """Makes layers of the tensors of one file, and remembers which are used.

    ``what`` names the file in errors, ``epsilon`` is that of batch normalisation, and ``prefix``
    stands before the name of each convolution in the graph.
    """

    def __init__(
        self, tensors: Tensors, what: str, epsilon: float = 1e-5, prefix: str = "network."
    ) -> None:
        self._tensors, self._what, self._prefix = tensors, what, prefix
        self._epsilon = np.float32(epsilon)
        self._left = {name for name in tensors if not name.endswith("num_batches_tracked")}

    def take(self, name: str) -> Floats:
        """The tensor of this name as float32."""
        if name not in self._tensors:
            raise WeightsError(f"{self._what} lacks {name}: it is not the network its card names")
        self._left.discard(name)
        return np.asarray(self._tensors[name], dtype=np.float32)

    def has(self, name: str) -> bool:
        """Whether there is anything below this name."""
        return any(one.startswith(f"{name}.") for one in self._tensors)

    def count(self, name: str) -> int:
        """How many numbered layers there are below this name."""
        below = [one[len(name) + 1 :] for one in self._tensors if one.startswith(f"{name}.")]
        return 1 + max((int(one.split(".")[0]) for one in below), default=-1)

    def require_all_used(self) -> None:
        """Raises WeightsError if there is a tensor that no layer took."""
        if self._left:
            raise WeightsError(
                f"{self._what} has {len(self._left)} tensors that its network does not have "
                f"(first: {min(self._left)})"
            )

    def convolution(
        self, features: Any, name: str, norm: str | None = None, stride: int = 1, groups: int = 1
    ) -> Any:
        """A convolution that keeps the size (or divides it by ``stride``), and its batch norm."""
        weights, bias = self._folded(name, norm)
        make, pads = ops.convolution, [weights.shape[2] // 2] * 2
        if groups > 1:
            make, weights = ops.group_convolution, weights.reshape(groups, -1, *weights.shape[1:])
        made = make(features, constant(weights), [stride] * 2, pads, pads, [1, 1])
        return self._finished(made, name, bias)

    def doubling(self, features: Any, name: str, norm: str) -> Any:
        """A transposed convolution (4x4) that doubles the size, and its batch norm."""
        weights, bias = self._folded(name, norm, axis=1)
        ones: Any = [1, 1]
        make, kernel = ops.convolution_backprop_data, constant(weights)
        made = make(features, kernel, [2, 2], pads_begin=ones, pads_end=ones, dilations=ones)
        return self._finished(made, name, bias)

    def _folded(self, name: str, norm: str | None, axis: int = 0) -> tuple[Floats, Floats | None]:
        """Weights and bias of a convolution with the batch norm behind it."""
        weights = self.take(f"{name}.weight")
        bias = self.take(f"{name}.bias") if f"{name}.bias" in self._tensors else None
        if norm is None:
            return weights, bias
        scale = self.take(f"{norm}.weight") / np.sqrt(
            self.take(f"{norm}.running_var") + self._epsilon
        )
        shift = (0 if bias is None else bias) - self.take(f"{norm}.running_mean")
        shape = [1] * 4
        shape[axis] = -1
        return weights * scale.reshape(shape), shift * scale + self.take(f"{norm}.bias")

    def _finished(self, made: Any, name: str, bias: Floats | None) -> Any:
        made.set_friendly_name(self._prefix + name)
        return made if bias is None else ops.add(made, constant(bias.reshape(1, -1, 1, 1)))


def constant(values: Any, kind: type = np.float32) -> Any:
    """A constant of the graph."""
    return ops.constant(np.asarray(values, dtype=kind))


def pose_graph(tensors: Tensors, card: Card, what: str) -> Any:
    """A pose network as a model: normalised images f32 (B, 3, h, w) to its output, B free.

    Height and width are the card's. WeightsError when the tensors are not those of the network that
    the card names.
    """
    layers = Layers(tensors, what)
    images = ops.parameter([-1, 3, *card.input_hw], np.float32)
    try:
        maps = (_hrnet if card.network.startswith("hrnet") else _resnet)(layers, images)
        model = ov.Model([ops.result(maps)], [images], card.network)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"{what} does not fit {card.network}: {reason}") from None
    layers.require_all_used()
    keypoints = model.output(0).get_partial_shape()[1].get_length()
    if keypoints != card.keypoints:
        raise WeightsError(f"{what} has {keypoints} keypoints; its card says {card.keypoints}")
    return model


def _hrnet(layers: Layers, images: Any) -> Any:
    features = ops.relu(layers.convolution(images, "conv1", "bn1", 2))
    features = ops.relu(layers.convolution(features, "conv2", "bn2", 2))
    branches = [_row(layers, features, "layer1", _bottleneck)]
    for number in (2, 3, 4):
        name = f"transition{number - 1}"
        branches = [
            _transition(layers, branches, f"{name}.{index}", index) for index in range(number)
        ]
        for module in range(layers.count(f"stage{number}")):
            branches = _exchange(layers, branches, f"stage{number}.{module}")
    return layers.convolution(branches[0], "final_layer")


def _resnet(layers: Layers, images: Any) -> Any:
    features = ops.relu(layers.convolution(images, "conv1", "bn1", 2))
    features = ops.max_pool(features, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
    for number in range(1, 5):
        features = _row(layers, features, f"layer{number}", _bottleneck, 1 if number == 1 else 2)
    for index in range(0, layers.count("deconv_layers"), 3):
        doubled = layers.doubling(features, f"deconv_layers.{index}", f"deconv_layers.{index + 1}")
        features = ops.relu(doubled)
    height, width = (side // 4 for side in _size_hw(images))
    return _within(layers.convolution(features, "final_layer"), height, width)


def _row(layers: Layers, features: Any, name: str, block: Block, stride: int = 1) -> Any:
    """Blocks one after the other; the first one may change the size."""
    for index in range(layers.count(name)):
        features = block(layers, features, f"{name}.{index}", 1 if index else stride)
    return features


def _basic(layers: Layers, features: Any, name: str, stride: int = 1) -> Any:
    out = ops.relu(layers.convolution(features, f"{name}.conv1", f"{name}.bn1", stride))
    return ops.relu(ops.add(layers.convolution(out, f"{name}.conv2", f"{name}.bn2"), features))


def _bottleneck(layers: Layers, features: Any, name: str, stride: int = 1) -> Any:
    shortcut = features
    if layers.has(f"{name}.downsample"):
        shortcut = _step(layers, features, f"{name}.downsample", stride, active=False)
    out = ops.relu(layers.convolution(features, f"{name}.conv1", f"{name}.bn1"))
    out = ops.relu(layers.convolution(out, f"{name}.conv2", f"{name}.bn2", stride))
    return ops.relu(ops.add(layers.convolution(out, f"{name}.conv3", f"{name}.bn3"), shortcut))


def _step(layers: Layers, features: Any, name: str, stride: int, active: bool = True) -> Any:
    """A convolution and its batch norm in a sequence."""
    out = layers.convolution(features, f"{name}.0", f"{name}.1", stride)
    return ops.relu(out) if active else out


def _transition(layers: Layers, branches: list[Any], name: str, index: int) -> Any:
    """A branch of the next stage: as it is, with its width changed, or grown out of the last."""
    if index >= len(branches):
        return _step(layers, branches[-1], f"{name}.0", 2)
    return _step(layers, branches[index], name, 1) if layers.has(name) else branches[index]


def _exchange(layers: Layers, branches: list[Any], name: str) -> list[Any]:
    """Runs every branch by itself, then adds all branches, resampled, into each output."""
    branches = [
        _row(layers, branch, f"{name}.branches.{index}", _basic)
        for index, branch in enumerate(branches)
    ]
    outputs = range(layers.count(f"{name}.fuse_layers"))
    bring = partial(_bring, layers, branches, f"{name}.fuse_layers")
    return [_sum([bring(source, target) for source in range(len(branches))]) for target in outputs]


def _sum(terms: list[Any]) -> Any:
    total, *others = terms
    for term in others:
        total = ops.add(total, _within(term, *_size_hw(total)))
    return ops.relu(total)


def _size_hw(features: Any) -> tuple[int, int]:
    _, _, height, width = features.output(0).get_partial_shape()
    return height.get_length(), width.get_length()


def _within(features: Any, height: int, width: int) -> Any:
    """Without the rows and columns beyond a size: half a coarse cell lies outside of it."""
    if _size_hw(features) == (height, width):
        return features
    ends, axes = constant([height, width], np.int64), constant([2, 3], np.int64)
    return ops.slice(features, constant([0, 0], np.int64), ends, constant([1, 1], np.int64), axes)


def _bring(layers: Layers, branches: list[Any], name: str, source: int, target: int) -> Any:
    """Branch ``source`` in the size and width of branch ``target``."""
    features, name = branches[source], f"{name}.{target}.{source}"
    if source > target:
        return enlarged(_step(layers, features, name, 1, active=False), 1 << (source - target))
    for step in range(target - source):
        last = step == target - source - 1
        features = _step(layers, features, f"{name}.{step}", 2, active=not last)
    return features


def enlarged(features: Any, times: int) -> Any:
    """Each cell so many times in both directions."""
    scales, axes = constant([times, times]), constant([2, 3], np.int64)
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return ops.interpolate(features, scales, "nearest", "scales", axes=axes, **how)
