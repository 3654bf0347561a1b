"""How quick the same configuration is: crops a second in batches, and one picture end to end."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from livepose.estimator import PoseEstimator
from livepose.frame import ImageBgr
from livepose.offline.evaluation.people import Boxed
from livepose.offline.evaluation.pictures import PictureStore
from livepose.offline.evaluation.predict import (
    Loading,
    Variant,
    batches,
    both_answers,
    decode_variant,
    estimate_variant,
    read_checked,
)

PICTURES = 24
ROUNDS = 5
WARM_UP = 3


@dataclass(frozen=True)
class Speed:
    """``crops_per_s``: network and decoding of a full batch, median of 5. ``end_to_end_ms``: from a
    picture in memory to its keypoints (detector if used, crop, network, decode), median over
    pictures with people.
    """

    crops_per_s: float
    end_to_end_ms: float


def pictures_with_people(
    store: PictureStore, sample: Sequence[Boxed], count: int = PICTURES
) -> list[tuple[ImageBgr, Boxed]]:
    """The first pictures with somebody in them, in memory."""
    chosen = [boxed for boxed in sample if len(boxed)][:count]
    return [(read_checked(store, boxed), boxed) for boxed in chosen]


def measure_speed(
    estimator: PoseEstimator,
    store: PictureStore,
    sample: Sequence[Boxed],
    variant: Variant,
    detect: Callable[[Sequence[ImageBgr]], Any] | None = None,
    loading: Loading | None = None,
) -> Speed:
    """Speed of one variant; warm-up is left out."""
    pairs = pictures_with_people(store, sample)
    crops, boxes = next(batches(estimator, store, [boxed for _, boxed in pairs], _of(loading)))

    def batch() -> None:
        answers = both_answers(estimator, crops, variant.flip != "none")
        decode_variant(estimator, variant, answers, boxes)

    def picture(image_bgr: ImageBgr, boxed: Boxed) -> None:
        if detect is not None:
            detect([image_bgr])
        estimate_variant(estimator, variant, image_bgr, boxed.boxes_xyxy)

    batch()
    batch_s = statistics.median(seconds(batch) for _ in range(ROUNDS))
    for pair in pairs[:WARM_UP]:
        picture(*pair)
    each_s = [seconds(partial(picture, *pair)) for pair in pairs]
    return Speed(len(crops) / batch_s, 1e3 * statistics.median(each_s))


def _of(loading: Loading | None) -> Loading:
    return loading or Loading()


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
