"""HRNet: an image stays at high resolution while coarser branches are added beside it.

Source: Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation",
CVPR 2019, arXiv 1902.09212. Parameter names and shapes are those of the official files, so
that published state dicts load strictly.

The way through: stem (1/4 resolution) -> stage 1 (bottlenecks) -> stages 2, 3, 4 with two,
three, four branches, each stage a row of modules that run every branch and then exchange
between all of them -> a 1x1 convolution on the finest branch.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 64
BLOCKS_PER_BRANCH = 4


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """One that keeps the size, or divides it by its stride; the batch norm behind it has a bias."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def _normed(inputs: int, outputs: int, kernel: int, stride: int, *more: nn.Module) -> nn.Sequential:
    """A convolution, its batch norm, and what follows on them."""
    layers = convolution(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs)
    return nn.Sequential(*layers, *more)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = convolution(channels, channels, 3)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = convolution(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) in, the same shape out."""
        out = self.relu(self.bn1(self.conv1(features)))
        return self.relu(self.bn2(self.conv2(out)) + features)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut; the output has four times ``width``."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = _normed(inputs, outputs, 1, stride)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) in, (B, 4 * width, H / stride, W / stride) out."""
        shortcut = features if self.downsample is None else self.downsample(features)
        out = self.relu(self.bn1(self.conv1(features)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + shortcut)


class ExchangeModule(nn.Module):
    """Runs every branch by itself, then adds all branches, resampled, into each output."""

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS_PER_BRANCH)))
            for width in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_resampler(channels, source, target) for source in range(len(channels)))
            for target in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """One tensor a branch in, finest first; one tensor an output out."""
        branches = [run(x) for run, x in zip(self.branches, branches, strict=True)]
        return [self.relu(_fuse(row, branches)) for row in self.fuse_layers]


def _fuse(resamplers: nn.Module, branches: list[Tensor]) -> Tensor:
    """Sum of all branches, each brought to one size and width."""
    assert isinstance(resamplers, nn.ModuleList)
    total = resamplers[0](branches[0])
    height, width = total.shape[2:]
    for resample, branch in zip(resamplers[1:], branches[1:], strict=True):
        total = total + within(resample(branch), height, width)
    return total


def within(features: Tensor, height: int, width: int) -> Tensor:
    """Without the rows and columns beyond a size: half a coarse cell lies outside of it."""
    if features.shape[2:] == (height, width):
        return features
    return features[..., :height, :width]


def _resampler(channels: Sequence[int], source: int, target: int) -> nn.Module:
    """The layers that bring branch ``source`` to the size and width of branch ``target``."""
    own, wanted = channels[source], channels[target]
    if source == target:
        return nn.Identity()
    if source > target:
        larger = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return _normed(own, wanted, 1, 1, larger)
    halvings = [_step(own, own, 2) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, _normed(own, wanted, 3, 2))  # the last is not rectified


def _step(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return _normed(inputs, outputs, 3, stride, nn.ReLU(inplace=True))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Layers into the branches of the next stage: width changed, or a new coarser branch."""
    layers: list[nn.Module] = []
    for index, width in enumerate(after):
        if index >= len(before):
            layers.append(nn.Sequential(_step(before[-1], width, 2)))
        else:
            same = before[index] == width
            layers.append(nn.Identity() if same else _step(before[index], width, 1))
    return nn.ModuleList(layers)


class HRNet(nn.Module):
    """HRNet for keypoints: normalised images (B, 3, H, W) to heatmaps (B, K, H/4, W/4).

    ``width`` is the number of channels of the finest branch: 32 for W32, 48 for W48. H and W
    must be multiples of 4; of 32 where every coarse cell is to lie within the image.
    """

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__()
        self.conv1 = convolution(3, STEM_CHANNELS, 3, 2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.conv2 = convolution(STEM_CHANNELS, STEM_CHANNELS, 3, 2)
        self.bn2 = nn.BatchNorm2d(STEM_CHANNELS)
        wide = STEM_CHANNELS * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            Bottleneck(STEM_CHANNELS, STEM_CHANNELS),
            *(Bottleneck(wide, STEM_CHANNELS) for _ in range(3)),
        )
        channels = [width << level for level in range(4)]
        self.transition1 = _transition([wide], channels[:2])
        self.stage2 = _stage(channels[:2], 1)
        self.transition2 = _transition(channels[:2], channels[:3])
        self.stage3 = _stage(channels[:3], 4)
        self.transition3 = _transition(channels[:3], channels)
        self.stage4 = _stage(channels, 3, last=True)
        self.final_layer = nn.Conv2d(width, keypoints, 1)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to heatmaps (B, K, H/4, W/4)."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = functional.relu(self.bn2(self.conv2(features)))
        branches = [self.layer1(features)]
        transitions = self.transition1, self.transition2, self.transition3
        stages = self.stage2, self.stage3, self.stage4
        for into, stage in zip(transitions, stages, strict=True):
            last = len(branches) - 1  # out of which a new branch grows
            branches = stage([layer(branches[min(at, last)]) for at, layer in enumerate(into)])
        heatmaps: Tensor = self.final_layer(branches[0])
        return heatmaps


def _stage(channels: Sequence[int], modules: int, last: bool = False) -> nn.Sequential:
    outputs = [len(channels)] * modules
    if last:  # the network has only its finest output
        outputs[-1] = 1
    return nn.Sequential(*(ExchangeModule(channels, count) for count in outputs))


def initialise(network: nn.Module) -> None:
    """He initialisation for the body, a small normal for the last layer."""
    if next(network.parameters()).is_meta:
        return  # torch would take a second to draw no numbers
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    final = network.get_submodule("final_layer")
    assert isinstance(final, nn.Conv2d) and final.bias is not None
    nn.init.normal_(final.weight, std=0.001)
    nn.init.zeros_(final.bias)
