"""SimpleBaseline: a ResNet, then three transposed convolutions back up to a quarter of the size.

Source: Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018,
arXiv 1804.06208; the ResNet is He et al., arXiv 1512.03385, with the stride in the 3x3
convolution. Parameter names and shapes are those of the official files.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from livepose.networks.hrnet import Bottleneck, convolution, initialise, within

STEM_CHANNELS = 64
DECONVOLUTION_CHANNELS = 256


class SimpleBaseline(nn.Module):
    """ResNet with a deconvolution head: normalised images to heatmaps at a quarter of the size.

    ``blocks`` is the number of bottlenecks of each of the four layers: 3, 4, 6, 3 is ResNet-50.
    Height and width of the images must be multiples of 4.
    """

    def __init__(self, blocks: Sequence[int], keypoints: int) -> None:
        super().__init__()
        self.conv1 = convolution(3, STEM_CHANNELS, 7, 2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _layer(STEM_CHANNELS, 64, blocks[0], stride=1)
        self.layer2 = _layer(256, 128, blocks[1], stride=2)
        self.layer3 = _layer(512, 256, blocks[2], stride=2)
        self.layer4 = _layer(1024, 512, blocks[3], stride=2)
        self.deconv_layers = _deconvolutions(512 * Bottleneck.expansion)
        self.final_layer = nn.Conv2d(DECONVOLUTION_CHANNELS, keypoints, 1)
        initialise(self)
        for module in self.deconv_layers:
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.001)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) to heatmaps (B, K, H/4, W/4)."""
        height, width = (side // 4 for side in images.shape[2:])
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        return within(self.final_layer(self.deconv_layers(features)), height, width)


def _layer(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """A row of bottlenecks; the first one changes width and size."""
    return nn.Sequential(
        Bottleneck(inputs, width, stride),
        *(Bottleneck(width * Bottleneck.expansion, width) for _ in range(blocks - 1)),
    )


def _deconvolutions(inputs: int) -> nn.Sequential:
    """Three steps that each double the size: transposed convolution, batch norm, ReLU."""
    outputs = DECONVOLUTION_CHANNELS
    steps: list[nn.Module] = []
    for width in (inputs, outputs, outputs):
        steps += [
            nn.ConvTranspose2d(width, outputs, 4, 2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*steps)
