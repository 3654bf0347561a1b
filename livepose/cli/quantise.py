"""livepose quantise: INT8 ranges for pose weights, from real crops, with what they cost."""

import logging
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from pathlib import Path

logger = logging.getLogger(__name__)

PAIR = "IMAGES:ANNOTATIONS"


def register(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Adds the command to livepose's parser."""
    parser = subparsers.add_parser(
        "quantise", help="measure what INT8 needs to know of pose weights, and what it costs"
    )
    parser.add_argument("--weights", default="default", help="a name or a .safetensors file")
    parser.add_argument(
        "--data", metavar=PAIR, type=pair, required=True, help="people to look at, not those of dev"
    )
    parser.add_argument(
        "--dev", metavar=PAIR, type=pair, required=True, help="people to measure the price on"
    )
    parser.add_argument("--crops", metavar="N", type=int, default=256, help="default: 256")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="default: NAME.int8.json beside the weights"
    )


def pair(text: str) -> tuple[Path, Path]:
    """Pictures and annotations out of ``IMAGES:ANNOTATIONS``."""
    images, _, annotations = text.rpartition(":")
    if not (images and annotations):
        raise ArgumentTypeError(f"expected {PAIR}, got {text!r}")
    return Path(images), Path(annotations)


def run(arguments: Namespace) -> int:
    """Measures, refuses what costs too much, writes."""
    from livepose.calibration.int8 import PeopleSet, quantise
    from livepose.cli.evaluate import progress_bars
    from livepose.errors import UsageError
    from livepose.runtimes.ranges import ranges_path, write_ranges
    from livepose.weights import find_weights
    from livepose.weights.model_config import is_third_party

    path = find_weights(arguments.weights)
    if is_third_party(path):
        raise UsageError(f"INT8 ranges are for livepose's own weights, not for {path.name}")
    data, dev = PeopleSet.open(*arguments.data), PeopleSet.open(*arguments.dev)
    with progress_bars() as progress:
        ranges = quantise(path, data, dev, arguments.crops, progress)
    target = arguments.output or ranges_path(path)
    write_ranges(target, ranges)
    measured = ranges.measured
    logger.warning(
        f"{len(ranges.limits)} ranges -> {target}: {measured['ap_int8']:.2f} AP instead of "
        f"{measured['ap_f32']:.2f}, keypoints moved by {measured['shift_px_int8']:.3f} px of the "
        "crop in the median"
    )
    return 0
