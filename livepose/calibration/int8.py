"""Making ranges for INT8 from real crops, and finding out what INT8 costs.

Post-training quantisation: the network stays as it is; only how finely it counts changes.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.calibration.activation_ranges import BATCH, measure_limits
from livepose.errors import DataError, GateError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.boxes import annotated_boxes
from livepose.evaluation.dataset import Dataset
from livepose.evaluation.predict import batches
from livepose.evaluation.settings import Loading, Progress, no_progress
from livepose.evaluation.validation import average_precision
from livepose.runtimes import Runtime, open_runtime
from livepose.runtimes.int8 import convolutions, insert_ranges
from livepose.runtimes.openvino import StoredGraph
from livepose.runtimes.openvino_pose import OpenVinoRuntime, PoseNetwork
from livepose.runtimes.ranges import Ranges
from livepose.runtimes.verify import LIMITS_PX, keypoint_shift
from livepose.weights import Card, read_card

logger = logging.getLogger(__name__)

Crops = NDArray[np.uint8]

KEPT_AP = 0.99
"""The part of the AP that has to be left."""
SHIFT_CROPS = 32
"""Crops on which keypoints are compared with those of fp32 torch."""


PeopleSet = tuple[Dataset, Archive]


def quantise(
    path: Path, data: PeopleSet, dev: PeopleSet, crops: int = 256, progress: Progress = no_progress
) -> Ranges:
    """INT8 ranges for pose weights, from crops of ``data``, with what they cost on ``dev``.

    DataError when there are fewer people than one batch. GateError when INT8 leaves less than 99 %
    of the AP, or moves keypoints by more than 0.3 px of the crop in the median.
    """
    card = read_card(path)
    model = PoseNetwork(path, card).plain.model
    plain = _ready(model, card, "f32")
    seen = real_crops(data, plain, crops)
    layers = list(convolutions(model))
    logger.info(f"looking at {len(layers) - 2} layers while {len(seen)} crops go through them")
    # The stem and the heatmap layer stay in f32.
    ends, advance = (layers[0], layers[-1]), progress("watching layers", len(seen))
    limits = measure_limits(model, seen, ends, advance)
    rounded = _ready(insert_ranges(model, limits), card, "int8")
    people = len(dev[0].people)
    logger.info(f"measuring what INT8 costs on {people} people")
    measured = {
        "crops": len(seen),
        **_shifts(open_runtime(path, "torch", "cpu"), (plain, rounded), dev, progress),
        "people": people,
    }
    for runtime in (plain, rounded):
        advance = progress(f"AP in {runtime.precision}", people)
        _, ap = average_precision(runtime, *dev, advance)
        measured[f"ap_{runtime.precision}"] = round(ap, 2)
    require_kept(measured)
    return Ranges(card.sha256, limits, measured)


def _ready(model: Any, card: Card, precision: str) -> OpenVinoRuntime:
    runtime = OpenVinoRuntime(StoredGraph(None, "", lambda: model), card, precision)
    runtime.warm_up((BATCH,))
    return runtime


def real_crops(data: PeopleSet, runtime: Runtime, count: int) -> Crops:
    """Crops (N, h, w, 3) of annotated people as the live path cuts them, from mixed pictures."""
    dataset, pictures = data
    sample = annotated_boxes(dataset, runtime.card.alignment)
    order = np.random.default_rng(0).permutation(len(sample))
    found: list[Crops] = []
    mixed = [sample[i] for i in order]
    for crops, _ in batches(PoseEstimator(runtime), pictures, mixed, Loading()):
        found.append(crops)
        if sum(map(len, found)) >= count:
            break
    crops = np.concatenate(found)[:count] if found else np.empty(0, np.uint8)
    if len(crops) < BATCH:
        raise DataError(f"INT8 ranges need {BATCH} people or more to look at, got {len(crops)}")
    return crops


def _shifts(
    exact: Runtime, runtimes: tuple[Runtime, ...], dev: PeopleSet, progress: Progress
) -> dict[str, float]:
    """Median shift of keypoints from fp32 torch, in pixels of the crop."""
    crops = real_crops(dev, exact, SHIFT_CROPS)
    advance = progress("keypoints of torch", len(crops))
    wanted = []
    for start in range(0, len(crops), BATCH):
        wanted.append(exact(crops[start : start + BATCH]))
        advance(len(wanted[-1]))
    reference, blur = np.concatenate(wanted), exact.card.blur_kernel
    shifts = {one.precision: keypoint_shift(one(crops), reference, blur) for one in runtimes}
    medians = {f"shift_px_{name}": round(one.median_px, 4) for name, one in shifts.items()}
    tails = {f"shift_px_{name}_p90": round(one.tail_px, 4) for name, one in shifts.items()}
    return {"shift_crops": len(crops), **medians, **tails}


def require_kept(measured: Mapping[str, Any]) -> None:
    """GateError unless enough of the AP is left and the keypoints stay where they were."""
    whole, left, moved_px = (measured[n] for n in ("ap_f32", "ap_int8", "shift_px_int8"))
    if left < KEPT_AP * whole:
        raise GateError(
            f"INT8 leaves {left:.2f} of {whole:.2f} AP, at least {KEPT_AP:.0%} of it expected; "
            "nothing was written; look at more crops (--crops), or stay with f32"
        )
    if not moved_px <= LIMITS_PX["int8"]:
        raise GateError(
            f"INT8 moves keypoints by {moved_px:.2f} px of the crop in the median, at most "
            f"{LIMITS_PX['int8']:g} expected; nothing was written; look at more crops (--crops), "
            "or stay with f32"
        )
