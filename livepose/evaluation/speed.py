"""How quick the same configuration is: crops a second in batches, and one picture end to end."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.boxes import Boxed
from livepose.evaluation.predict import (
    Decode,
    Variant,
    batches,
    both_answers,
    decode_variant,
)
from livepose.evaluation.settings import Loading
from livepose.frame import ImageBgr

Result = TypeVar("Result")
Seconds = Mapping[Variant, float]

PICTURES, ROUNDS, WARM_UP = 24, 3, 3
LIVE = Variant("dark")
"""What the pipeline does by itself."""


@dataclass(frozen=True)
class Speed:
    """``crops_per_s``: network and decoding of a full batch, median of 3. ``end_to_end_ms``: from a
    picture in memory to its keypoints (detector if used, crop, network, decode), median over
    pictures with people.
    """

    crops_per_s: float
    end_to_end_ms: float


NO_SPEED = Speed(math.nan, math.nan)


def pictures_with_people(
    pictures: Archive, sample: Sequence[Boxed]
) -> list[tuple[ImageBgr, Boxed]]:
    """The first pictures with somebody in them, in memory."""
    chosen = [boxed for boxed in sample if len(boxed)][:PICTURES]
    return [(pictures.image_bgr(one.picture.file_name), one) for one in chosen]


def measure_speeds(
    estimator: PoseEstimator,
    pictures: Archive,
    sample: Sequence[Boxed],
    variants: Sequence[Variant],
    detect: Callable[[Sequence[ImageBgr]], Any] = lambda images: None,
    loading: Loading = Loading(),  # noqa: B008  (it is frozen)
    decode: Decode = decode_variant,
) -> dict[Variant, Speed]:
    """Speed of every variant; warm-up is left out.

    What variants share (detector, crop, network) is timed once for all of them, so that rows differ
    by what is different about them.
    """
    pairs = pictures_with_people(pictures, sample)
    crops, boxes_xyxy = next(batches(estimator, pictures, [one for _, one in pairs], loading))
    clock = partial(_clocked, estimator, variants, decode)

    def picture(image_bgr: ImageBgr, boxes_xyxy: Boxes) -> Seconds:
        def cut() -> NDArray[Any]:
            detect([image_bgr])
            return estimator.cut(image_bgr, boxes_xyxy)

        spent = clock(cut, boxes_xyxy)
        if estimator.gpu is not None and LIVE in spent:  # one graph does all three there
            detect_s, _ = timed(lambda: detect([image_bgr]))
            live_s, _ = timed(lambda: estimator.estimate(image_bgr, boxes_xyxy))
            spent[LIVE] = detect_s + live_s
        return spent

    batch_s = _medians([clock(lambda: crops, boxes_xyxy) for _ in range(1 + ROUNDS)][1:])
    for image_bgr, boxed in pairs[:WARM_UP]:
        picture(image_bgr, boxed.boxes_xyxy)
    picture_s = _medians([picture(image_bgr, boxed.boxes_xyxy) for image_bgr, boxed in pairs])
    return {one: Speed(len(crops) / batch_s[one], 1e3 * picture_s[one]) for one in variants}


def _clocked(
    estimator: PoseEstimator,
    variants: Sequence[Variant],
    decode: Decode,
    cut: Callable[[], NDArray[Any]],
    boxes_xyxy: Boxes,
) -> dict[Variant, float]:
    """Seconds from ``cut`` to keypoints by each variant; the network runs once with and once
    without a flip test.
    """
    cut_s, crops = timed(cut)
    spent: dict[Variant, float] = {}
    for flip in {variant.flip != "none" for variant in variants}:
        network_s, answers = timed(partial(both_answers, estimator, crops, flip))
        for variant in variants:
            if (variant.flip != "none") == flip:
                read = partial(decode, estimator, variant, answers, boxes_xyxy)
                spent[variant] = cut_s + network_s + timed(read)[0]
    return spent


def _medians(times: Sequence[Seconds]) -> dict[Variant, float]:
    return {one: statistics.median(row[one] for row in times) for one in times[0]}


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that it takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
