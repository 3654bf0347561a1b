"""Pose networks as OpenVINO graphs, made of the tensors of a weights file alone: without torch.

A graph has the same layers as the network in ``livepose.networks``, with batch normalisation folded
into the convolutions. Which layers there are is read off the names of the tensors; each tensor has
to be used, and each layer has to have its tensors.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import WeightsError
from livepose.runtimes.openvino import ov
from livepose.weights import Card

ops = ov.opset13

Tensors = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]


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


class _PoseLayers(Layers):
    """The layers of HRNet and of SimpleBaseline, each below a name of its tensors."""

    def hrnet(self, images: Any) -> Any:
        features = self.active(images, "conv1", "bn1", 2)
        features = self.active(features, "conv2", "bn2", 2)
        branches = [self.row(features, "layer1", self.bottleneck)]
        for number in (2, 3, 4):
            name = f"transition{number - 1}"
            branches = [self.grown(branches, f"{name}.{index}", index) for index in range(number)]
            for module in range(self.count(f"stage{number}")):
                branches = self.exchange(branches, f"stage{number}.{module}")
        return self.convolution(branches[0], "final_layer")

    def simple_baseline(self, images: Any) -> Any:
        features = self.active(images, "conv1", "bn1", 2)
        features = ops.max_pool(features, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
        for number in range(1, 5):
            features = self.row(features, f"layer{number}", self.bottleneck, min(number, 2))
        name = "deconv_layers"
        for index in range(0, self.count(name), 3):
            features = ops.relu(self.doubling(features, f"{name}.{index}", f"{name}.{index + 1}"))
        height, width = (side // 4 for side in _size_hw(images))
        return _within(self.convolution(features, "final_layer"), height, width)

    def active(self, features: Any, name: str, norm: str, stride: int = 1) -> Any:
        return ops.relu(self.convolution(features, name, norm, stride))

    def step(self, features: Any, name: str, stride: int = 1) -> Any:
        """A convolution and its batch norm in a sequence."""
        return self.convolution(features, f"{name}.0", f"{name}.1", stride)

    def row(self, features: Any, name: str, block: Callable[..., Any], stride: int = 1) -> Any:
        """Blocks one after the other; the first one may change the size."""
        for index in range(self.count(name)):
            features = block(features, f"{name}.{index}", 1 if index else stride)
        return features

    def basic(self, features: Any, name: str, stride: int) -> Any:
        out = self.active(features, f"{name}.conv1", f"{name}.bn1", stride)
        return ops.relu(ops.add(self.convolution(out, f"{name}.conv2", f"{name}.bn2"), features))

    def bottleneck(self, features: Any, name: str, stride: int) -> Any:
        beside, changed = features, f"{name}.downsample"
        if self.has(changed):
            beside = self.step(features, changed, stride)
        out = self.active(features, f"{name}.conv1", f"{name}.bn1")
        out = self.active(out, f"{name}.conv2", f"{name}.bn2", stride)
        return ops.relu(ops.add(self.convolution(out, f"{name}.conv3", f"{name}.bn3"), beside))

    def grown(self, branches: list[Any], name: str, index: int) -> Any:
        """A branch of the next stage: as it is, of another width, or grown out of the last."""
        if index >= len(branches):
            return ops.relu(self.step(branches[-1], f"{name}.0", 2))
        return ops.relu(self.step(branches[index], name)) if self.has(name) else branches[index]

    def exchange(self, branches: list[Any], name: str) -> list[Any]:
        """Runs every branch by itself, then adds all branches, resampled, into each output."""
        branches = [
            self.row(branch, f"{name}.branches.{index}", self.basic)
            for index, branch in enumerate(branches)
        ]
        outputs = []
        for target in range(self.count(f"{name}.fuse_layers")):
            total, *others = (
                self.brought(branch, f"{name}.fuse_layers.{target}.{source}", target - source)
                for source, branch in enumerate(branches)
            )
            for other in others:
                total = ops.add(total, _within(other, *_size_hw(total)))
            outputs.append(ops.relu(total))
        return outputs

    def brought(self, features: Any, name: str, down: int) -> Any:
        """A branch in the size and width of the one so many levels down, where it is coarser."""
        if down < 0:
            return enlarged(self.step(features, name), 1 << -down)
        for index in range(down):
            features = self.step(features, f"{name}.{index}", 2)
            if index < down - 1:
                features = ops.relu(features)
        return features


def pose_graph(tensors: Tensors, card: Card, what: str) -> Any:
    """A pose network as a model: normalised images f32 (B, 3, h, w) to its output, B free.

    Height and width are the card's. WeightsError when the tensors are not those of the network that
    the card names.
    """
    layers = _PoseLayers(tensors, what)
    images = ops.parameter([-1, 3, *card.input_hw], np.float32)
    make = layers.hrnet if card.network.startswith("hrnet") else layers.simple_baseline
    try:
        model = ov.Model([ops.result(make(images))], [images], card.network)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"{what} does not fit {card.network}: {reason}") from None
    layers.require_all_used()
    keypoints = model.output(0).get_partial_shape()[1].get_length()
    if keypoints != card.keypoints:
        raise WeightsError(f"{what} has {keypoints} keypoints; its card says {card.keypoints}")
    return model


def constant(values: Any, kind: type = np.float32) -> Any:
    """A constant of the graph."""
    return ops.constant(np.asarray(values, dtype=kind))


def enlarged(features: Any, times: int) -> Any:
    """Each cell so many times in both directions."""
    scales, axes = constant([times, times]), constant([2, 3], np.int64)
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return ops.interpolate(features, scales, "nearest", "scales", axes=axes, **how)


def _size_hw(features: Any) -> tuple[int, int]:
    _, _, height, width = features.output(0).get_partial_shape()
    return height.get_length(), width.get_length()


def _within(features: Any, height: int, width: int) -> Any:
    """Without the rows and columns beyond a size: half a coarse cell lies outside of it."""
    if _size_hw(features) == (height, width):
        return features
    ends, axes = constant([height, width], np.int64), constant([2, 3], np.int64)
    return ops.slice(features, constant([0, 0], np.int64), ends, constant([1, 1], np.int64), axes)
