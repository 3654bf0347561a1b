"""Published weights: those that are known by name, and the conventions of their projects.

Crop alignment, channel order, training Gaussian and modulation width differ between projects
that share one network; a checkpoint used under another's convention loses several points of AP
without any error. Sources: the projects' configurations and transforms.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from livepose.errors import WeightsError
from livepose.settings import parse_size
from livepose.weights.card import Card
from livepose.weights.places import embedded_file

_FILE = "manifest.toml"
BEST = "mmpose_hrnet_w32_dark_256x192"
"""What ``livepose weights fetch best`` brings."""
SKELETON_OF_COUNT = {17: "coco17", 16: "mpii16"}
BLUR_KERNELS = {1: 3, 2: 11, 3: 17}
"""Width of DARK's modulation for a training sigma, where no configuration says another."""


class Family(NamedTuple):
    """What all files of one project share; ``resnet_colour`` where ResNets differ from HRNet."""

    project: str
    licence: str
    alignment: str
    resnet_colour: str


FAMILIES = {
    "hrnet": Family("HRNet", "MIT", "hrnet", "bgr"),
    "dark": Family("DarkPose", "", "dark", "bgr"),
    "simple-baseline": Family("SimpleBaseline", "MIT", "hrnet", "bgr"),
    "mmpose": Family("MMPose", "Apache-2.0", "hrnet", "rgb"),
    "mmpose-udp": Family("MMPose UDP", "Apache-2.0", "udp", "rgb"),
}


def card_for(
    name: str, network: str, keypoints: int, input_hw: tuple[int, int], *, source: str
) -> Card:
    """The card of a family's network at one size.

    WeightsError if the family is unknown or no skeleton has this many keypoints.
    """
    if name not in FAMILIES:
        raise WeightsError(f"no family {name!r}; there are {', '.join(FAMILIES)}")
    if keypoints not in SKELETON_OF_COUNT:
        known = "livepose knows the skeletons of COCO (17) and MPII (16)"
        raise WeightsError(f"the network has {keypoints} keypoints; {known}")
    family = FAMILIES[name]
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
        notes={"family": name, "project": family.project},
    )


@dataclass(frozen=True)
class Known:
    """One published weights file.

    Where it can only be downloaded by hand, ``url`` is empty and ``folder`` the address of its
    folder. ``sha256`` may be the first digits; ``size_mb`` is what the tensors take.
    """

    name: str
    file: str
    network: str
    input_hw: tuple[int, int]
    keypoints: int
    family: str
    url: str = ""
    folder: str = ""
    sha256: str = ""
    results: str = ""
    size_mb: float = 300.0

    @property
    def most_bytes(self) -> int:
        """Where a download ends: a file holds names and a description beside its tensors."""
        return round(1e6 * (1.05 * self.size_mb + 5))


@cache
def known_files() -> tuple[Known, ...]:
    """All entries of the manifest, in its order; WeightsError if it is missing.

    It has the sizes of networks, and groups with what their files share and the files of each.
    """
    path = embedded_file(_FILE)
    if path is None:
        raise WeightsError(f"{_FILE} is missing from this installation; install livepose again")
    manifest, entries = tomllib.loads(path.read_text(encoding="utf-8")), list[Known]()
    sizes_mb = manifest["size_mb"]
    for group in manifest["group"]:
        base, files = group.pop("base", ""), group.pop("files")
        for file in files:
            size, url = parse_size(file.pop("input")), base + file["file"] if base else ""
            size_mb = sizes_mb[file["network"]]
            entries.append(Known(input_hw=size, url=url, size_mb=size_mb, **group, **file))
    return tuple(entries)


def find_known(name: str) -> Known | None:
    """The entry with this name, or with this file name; ``best`` is the best HRNet-W32."""
    name = BEST if name == "best" else name
    return next((one for one in known_files() if name and name in (one.name, one.file)), None)
