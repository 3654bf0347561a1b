"""Calibration: what a network says of its own certainty against the errors that it makes
(``uncertainty``), and the ranges that INT8 needs (``int8``). What both can be told is here.
"""

from dataclasses import dataclass
from pathlib import Path

from livepose.settings import option

PAIR = "IMAGES:ANNOTATIONS"


def pair(text: str) -> tuple[Path, Path]:
    """Images and annotations out of ``IMAGES:ANNOTATIONS``."""
    images, _, annotations = text.rpartition(":")
    if not (images and annotations):
        raise ValueError(f"expected {PAIR}, got {text!r}")
    return Path(images), Path(annotations)


@dataclass(frozen=True)
class CalibrationSettings:
    """What is calibrated, and on what."""

    data: tuple[tuple[Path, Path], ...] = option(
        help="a folder or ZIP and COCO keypoints; may be repeated", metavar=PAIR, parse=pair
    )
    people: int = option(200, "of each set", metavar="N", least=1)
    weights: str = option("default", "a name or a file")
    output: Path | None = option(None, "weights/calibration.toml", metavar="TOML")
    only_these: bool = option(False, "leave the calibration of unknown weights alone")


@dataclass(frozen=True)
class QuantizeSettings:
    """Which weights INT8 ranges are measured for, and on whom."""

    data: tuple[Path, Path] = option(
        help="people to look at, not those of dev", metavar=PAIR, parse=pair
    )
    dev: tuple[Path, Path] = option(help="people to measure the cost on", metavar=PAIR, parse=pair)
    weights: str = option("default", "a name or a .safetensors file")
    crops: int = option(256, "to look at", metavar="N", least=1)
    output: Path | None = option(None, "default: NAME.int8.json beside the weights", metavar="FILE")
