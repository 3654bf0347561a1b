"""Conventions of the projects that publish pose weights.

Crop alignment, channel order, training Gaussian and modulation width differ between projects
that share one network; a checkpoint used under another's convention loses several points of AP
without any error. Sources: the projects' configurations and transforms.
"""

from dataclasses import dataclass

from livepose.errors import WeightsError
from livepose.weights.card import IMAGENET_MEAN, IMAGENET_STD, Card

SKELETON_OF_COUNT = {17: "coco17", 16: "mpii16"}
SIGMA_OF_HEIGHT = {128: 1.0, 256: 2.0, 384: 3.0}


@dataclass(frozen=True)
class Family:
    """What all files of one project share; ``resnet_colour`` where ResNets differ from HRNet."""

    name: str
    project: str
    licence: str
    alignment: str
    decoding: str
    resnet_colour: str


FAMILIES = {
    family.name: family
    for family in (
        Family("hrnet", "HRNet", "MIT", "hrnet", "shift", "bgr"),
        Family("dark", "DarkPose", "", "dark", "dark", "bgr"),
        Family("simple-baseline", "SimpleBaseline", "MIT", "hrnet", "shift", "bgr"),
        Family("mmpose", "MMPose", "Apache-2.0", "hrnet", "shift", "rgb"),
        Family("mmpose-udp", "MMPose UDP", "Apache-2.0", "udp", "udp", "rgb"),
    )
}


def card_for(
    family_name: str, network: str, keypoints: int, input_hw: tuple[int, int], *, source: str
) -> Card:
    """The card of a family's network at one size.

    Raises
    ------
    WeightsError
        If the family is unknown or no skeleton has this many keypoints.
    """
    if family_name not in FAMILIES:
        raise WeightsError(f"no family {family_name!r}; there are {', '.join(FAMILIES)}")
    family = FAMILIES[family_name]
    if keypoints not in SKELETON_OF_COUNT:
        raise WeightsError(
            f"the network has {keypoints} keypoints; livepose knows the skeletons of COCO (17) "
            "and MPII (16)"
        )
    sigma = SIGMA_OF_HEIGHT.get(input_hw[0], max(1.0, round(input_hw[0] / 128)))
    return Card(
        network=network,
        input_hw=input_hw,
        skeleton=SKELETON_OF_COUNT[keypoints],
        keypoints=keypoints,
        alignment=family.alignment,
        blur_kernel=blur_kernel(network, input_hw),
        sigma=sigma,
        colour=family.resnet_colour if network.startswith("resnet") else "rgb",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        source=source,
        licence=family.licence,
        notes={"family": family.name, "project": family.project, "decoding": family.decoding},
    )


def blur_kernel(network: str, input_hw: tuple[int, int]) -> int:
    """Width of the modulation in DARK's configurations: 3 at 128x96 except for W48, else 11."""
    return 3 if input_hw[0] <= 128 and network != "hrnet_w48" else 11
