"""``livepose export``: pose weights as one file that runs without livepose."""

import logging
from argparse import Namespace
from dataclasses import asdict, dataclass
from pathlib import Path

from livepose.cli.options import Command, options
from livepose.settings import EXPORT_SUFFIXES, option

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportSettings:
    """What is exported, and how."""

    kind: str = option(flag="kind", choices=tuple(EXPORT_SUFFIXES))
    output: Path = option(metavar="FILE")
    weights: str = option("default", "a name or a .safetensors file")
    heatmaps: bool = option(False, "heatmaps as a second output")
    half: bool = option(False, "the network in float16")
    overwrite: bool = option(False, "replace what is there")


COMMAND = Command(
    "Writes a file that takes crops (uint8, N x H x W x 3, blue first) and gives keypoints"
    " (N x K x 6: x, y, score, cov xx, xy, yy) in pixels of the crop, and compares it with"
    " livepose on real people.",
    [ExportSettings],
)


def run(arguments: Namespace) -> int:
    """Exports, and says how far keypoints moved."""
    from livepose.export import export

    settings = options(ExportSettings, arguments)
    worst_px = export(**asdict(settings))
    logger.warning(
        f"{settings.output}: keypoints of four people lie at most {worst_px:.1g} px of the crop "
        "from livepose's"
    )
    return 0
