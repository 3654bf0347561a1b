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
MODULES_PER_STAGE = {2: 1, 3: 4, 4: 3}


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def _conv1x1(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels)
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
        self.conv1 = _conv1x1(inputs, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv1x1(width, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

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
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            _conv1x1(channels[source], channels[target]),
            nn.BatchNorm2d(channels[target]),
            nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"),
        )
    return nn.Sequential(
        *(_halving(channels, source, target, step) for step in range(target - source))
    )


def _halving(channels: Sequence[int], source: int, target: int, step: int) -> nn.Sequential:
    """One stride-2 step from ``source`` towards ``target``; the last one changes the width."""
    last = step == target - source - 1
    layers = _step(channels[source], channels[target if last else source], 2)
    return nn.Sequential(*list(layers)[:2]) if last else layers  # which is not rectified


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Layers into the branches of the next stage: width changed, or a new coarser branch."""
    layers: list[nn.Module] = []
    for index, width in enumerate(after):
        if index >= len(before):
            layers.append(nn.Sequential(_step(before[-1], width, 2)))
        else:
            same = before[index] == width
            layers.append(nn.Identity() if same else _step(before[index], width))
    return nn.ModuleList(layers)


def _step(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    layers = _conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    return nn.Sequential(*layers)


def _split(transitions: nn.ModuleList, branches: list[Tensor]) -> list[Tensor]:
    """Branches of the next stage; a new one grows out of the coarsest there is."""
    last = len(branches) - 1
    return [layer(branches[min(index, last)]) for index, layer in enumerate(transitions)]


class HRNet(nn.Module):
    """HRNet for keypoints: normalised images (B, 3, H, W) to heatmaps (B, K, H/4, W/4).

    ``width`` is the number of channels of the finest branch: 32 for W32, 48 for W48. H and W
    must be multiples of 4; of 32 where every coarse cell is to lie within the image.
    """

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(3, STEM_CHANNELS, 2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.conv2 = _conv3x3(STEM_CHANNELS, STEM_CHANNELS, 2)
        self.bn2 = nn.BatchNorm2d(STEM_CHANNELS)
        wide = STEM_CHANNELS * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            Bottleneck(STEM_CHANNELS, STEM_CHANNELS),
            *(Bottleneck(wide, STEM_CHANNELS) for _ in range(3)),
        )
        channels = [width << level for level in range(4)]
        self.transition1 = _transition([wide], channels[:2])
        self.stage2 = _stage(channels[:2], MODULES_PER_STAGE[2])
        self.transition2 = _transition(channels[:2], channels[:3])
        self.stage3 = _stage(channels[:3], MODULES_PER_STAGE[3])
        self.transition3 = _transition(channels[:3], channels)
        self.stage4 = _stage(channels, MODULES_PER_STAGE[4], last=True)
        self.final_layer = nn.Conv2d(width, keypoints, 1)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to heatmaps (B, K, H/4, W/4)."""
        features = functional.relu(self.bn1(self.conv1(images)))
        features = functional.relu(self.bn2(self.conv2(features)))
        branches = [self.layer1(features)]
        for transitions, modules in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            branches = modules(_split(transitions, branches))
        heatmaps: Tensor = self.final_layer(branches[0])
        return heatmaps


def _stage(channels: Sequence[int], modules: int, last: bool = False) -> nn.Sequential:
    outputs = [len(channels)] * modules
    if last:  # the network has only its finest output
        outputs[-1] = 1
    return nn.Sequential(*(ExchangeModule(channels, count) for count in outputs))


def initialise(network: nn.Module) -> None:
    """He initialisation for the body, a small normal for the last layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    final = network.get_submodule("final_layer")
    assert isinstance(final, nn.Conv2d) and final.bias is not None
    nn.init.normal_(final.weight, std=0.001)
    nn.init.zeros_(final.bias)
