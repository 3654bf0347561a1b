"""``livepose quantise``: INT8 ranges for pose weights, from real crops, with what they cost."""

import logging
from argparse import Namespace

from livepose.calibration.settings import QuantiseSettings
from livepose.cli.options import Command, options
from livepose.errors import UsageError

logger = logging.getLogger(__name__)

COMMAND = Command(
    "Measures what INT8 needs to know of pose weights, and what it costs.", [QuantiseSettings]
)


def run(arguments: Namespace) -> int:
    """Measures, refuses what costs too much, writes."""
    from livepose.calibration.int8 import quantise
    from livepose.cli.progress import progress_bars
    from livepose.evaluation.archive import open_people
    from livepose.runtimes.ranges import ranges_path, write_ranges
    from livepose.weights import find_weights
    from livepose.weights.card import is_third_party

    settings = options(QuantiseSettings, arguments)
    path = find_weights(settings.weights)
    if is_third_party(path):
        raise UsageError(f"INT8 ranges are for livepose's own weights, not for {path.name}")
    data, dev = open_people(*settings.data), open_people(*settings.dev)
    with progress_bars() as progress:
        ranges = quantise(path, data, dev, settings.crops, progress)
    target = settings.output or ranges_path(path)
    write_ranges(target, ranges)
    measured = ranges.measured
    logger.warning(
        f"{len(ranges.limits)} ranges -> {target}: {measured['ap_int8']:.2f} AP instead of "
        f"{measured['ap_f32']:.2f}, keypoints moved by {measured['shift_px_int8']:.3f} px of the "
        "crop in the median"
    )
    return 0
