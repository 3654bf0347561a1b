"""How quick the same configuration is: crops a second in batches, and one picture end to end."""

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
Detect = Callable[[Sequence[ImageBgr]], Any]

PICTURES = 24
ROUNDS = 3
WARM_UP = 3
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


def pictures_with_people(
    pictures: Archive, sample: Sequence[Boxed], count: int = PICTURES
) -> list[tuple[ImageBgr, Boxed]]:
    """The first pictures with somebody in them, in memory."""
    chosen = [boxed for boxed in sample if len(boxed)][:count]
    return [(pictures.image_bgr(one.picture.file_name), one) for one in chosen]


def measure_speeds(
    estimator: PoseEstimator,
    pictures: Archive,
    sample: Sequence[Boxed],
    variants: Sequence[Variant],
    detect: Detect | None = None,
    loading: Loading | None = None,
    decode: Decode = decode_variant,
) -> dict[Variant, Speed]:
    """Speed of every variant; warm-up is left out.

    What variants share (detector, crop, network) is timed once for all of them, so that rows differ
    by what is different about them.
    """
    pairs = pictures_with_people(pictures, sample)
    own = [boxed for _, boxed in pairs]
    crops, boxes_xyxy = next(batches(estimator, pictures, own, loading or Loading()))
    whole = partial(clocked, estimator, variants, lambda: crops, boxes_xyxy, decode)
    batch_s = medians([whole() for _ in range(1 + ROUNDS)][1:])

    def picture(image_bgr: ImageBgr, boxed: Boxed) -> Mapping[Variant, float]:
        def cut() -> NDArray[Any]:
            if detect is not None:
                detect([image_bgr])
            return estimator.cut(image_bgr, boxed.boxes_xyxy)

        def live() -> None:
            if detect is not None:
                detect([image_bgr])
            estimator.estimate(image_bgr, boxed.boxes_xyxy)

        spent = clocked(estimator, variants, cut, boxed.boxes_xyxy, decode)
        if estimator.gpu is not None and LIVE in spent:  # one graph does all three there
            spent[LIVE] = seconds(live)
        return spent

    for pair in pairs[:WARM_UP]:
        picture(*pair)
    picture_s = medians([picture(*pair) for pair in pairs])
    return {one: Speed(len(crops) / batch_s[one], 1e3 * picture_s[one]) for one in variants}


def clocked(
    estimator: PoseEstimator,
    variants: Sequence[Variant],
    cut: Callable[[], NDArray[Any]],
    boxes_xyxy: Boxes,
    decode: Decode,
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


def medians(times: Sequence[Mapping[Variant, float]]) -> dict[Variant, float]:
    """The median of each variant."""
    return {one: statistics.median(row[one] for row in times) for one in times[0]}


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that it takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    return timed(work)[0]
