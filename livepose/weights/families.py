"""Conventions of the projects that publish pose weights.

Crop alignment, channel order, training Gaussian and modulation width differ between projects
that share one network; a checkpoint used under another's convention loses several points of AP
without any error. Sources: the projects' configurations and transforms.
"""

from dataclasses import dataclass

from livepose.errors import WeightsError
from livepose.weights.card import Card

SKELETON_OF_COUNT = {17: "coco17", 16: "mpii16"}
BLUR_KERNELS = {1: 3, 2: 11, 3: 17}
"""Width of DARK's modulation for a training sigma, where no configuration says another."""


@dataclass(frozen=True)
class Family:
    """What all files of one project share; ``resnet_colour`` where ResNets differ from HRNet."""

    project: str
    licence: str
    alignment: str
    decoding: str
    resnet_colour: str


FAMILIES = {
    "hrnet": Family("HRNet", "MIT", "hrnet", "shift", "bgr"),
    "dark": Family("DarkPose", "", "dark", "dark", "bgr"),
    "simple-baseline": Family("SimpleBaseline", "MIT", "hrnet", "shift", "bgr"),
    "mmpose": Family("MMPose", "Apache-2.0", "hrnet", "shift", "rgb"),
    "mmpose-udp": Family("MMPose UDP", "Apache-2.0", "udp", "udp", "rgb"),
}


def card_for(
    name: str, network: str, keypoints: int, input_hw: tuple[int, int], *, source: str
) -> Card:
    """The card of a family's network at one size.

    WeightsError if the family is unknown or no skeleton has this many keypoints.
    """
    if name not in FAMILIES:
        raise WeightsError(f"no family {name!r}; there are {', '.join(FAMILIES)}")
    family = FAMILIES[name]
    if keypoints not in SKELETON_OF_COUNT:
        raise WeightsError(
            f"the network has {keypoints} keypoints; livepose knows the skeletons of COCO (17) "
            "and MPII (16)"
        )
    sigma = max(1.0, round(input_hw[0] / 128))
    # DARK's configurations: 3 at 128x96 except for W48, else 11.
    is_small = sigma == 1 and network != "hrnet_w48"
    return Card(
        network=network,
        input_hw=input_hw,
        skeleton=SKELETON_OF_COUNT[keypoints],
        keypoints=keypoints,
        alignment=family.alignment,
        blur_kernel=3 if is_small else 11,
        sigma=sigma,
        colour=family.resnet_colour if network.startswith("resnet") else "rgb",
        source=source,
        licence=family.licence,
        notes={"family": name, "project": family.project, "decoding": family.decoding},
    )
