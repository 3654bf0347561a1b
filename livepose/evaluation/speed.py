"""What a configuration takes: parameters, operations, and the time of a crop and of an image."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from livepose.boxes import Boxes
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.predict import Boxed, Crops, Variant, batches, both_answers
from livepose.evaluation.settings import Loading
from livepose.frame import ImageBgr
from livepose.networks import NETWORKS, build_network, published_gflops

Result = TypeVar("Result")
Seconds = Mapping[Variant, float]

IMAGES, ROUNDS, WARM_UP = 24, 3, 3


class Cost(NamedTuple):
    """Parameters in millions, and GFLOPs as the published tables count them; NaN where unknown."""

    params_m: float = math.nan
    gflops: float = math.nan


NO_COST = Cost()


@lru_cache(maxsize=16)
def network_cost(name: str, keypoints: int, input_hw: tuple[int, int]) -> Cost:
    """Cost of one of livepose's networks, from shapes alone; NaN for another's."""
    if name not in NETWORKS:
        return NO_COST
    with torch.device("meta"):
        return module_cost(build_network(name, keypoints), input_hw)


def module_cost(network: nn.Module, input_hw: tuple[int, int], device: str = "meta") -> Cost:
    """Cost of any network that is made of convolutions; see ``published_gflops``."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters / 1e6, published_gflops(network, input_hw, device))


class Speed(NamedTuple):
    """``crops_per_s``: network and decoding of a full batch, median of 3. ``end_to_end_ms``: from a
    image in memory to its keypoints (detector if used, crop, network, decode), median over
    images with people.
    """

    crops_per_s: float = math.nan
    end_to_end_ms: float = math.nan


NO_SPEED = Speed()


def images_with_people(images: Archive, sample: Sequence[Boxed]) -> list[tuple[ImageBgr, Boxed]]:
    """The first images with somebody in them, in memory."""
    chosen = [boxed for boxed in sample if len(boxed)][:IMAGES]
    return [(images.image_bgr(one.image.file_name), one) for one in chosen]


def measure_speeds(
    estimator: PoseEstimator,
    images: Archive,
    sample: Sequence[Boxed],
    variants: Sequence[Variant],
    detect: Callable[[Sequence[ImageBgr]], Any] | None = None,
    loading: Loading = Loading(),  # noqa: B008  (it is frozen)
) -> dict[Variant, Speed]:
    """Speed of every variant; warm-up is left out.

    What variants share (detector, crop, network) is timed once for all of them, so that rows differ
    by what is different about them.
    """

    def of_crops(crops: Crops, boxes_xyxy: Boxes) -> Seconds:
        spent: dict[Variant, float] = {}
        for flip in {variant.flip != "none" for variant in variants}:
            network_s, answers = timed(partial(both_answers, estimator, crops, flip))
            for one in variants:
                if (one.flip != "none") == flip:
                    read = partial(one.read, estimator, answers, boxes_xyxy)
                    spent[one] = network_s + timed(read)[0]
        return spent

    def of_image(image_bgr: ImageBgr, boxes_xyxy: Boxes) -> Seconds:
        detect_s = timed(partial(detect, [image_bgr]))[0] if detect else 0.0
        cut_s, crops = timed(partial(estimator.cut, image_bgr, boxes_xyxy))
        return {one: detect_s + cut_s + s for one, s in of_crops(crops, boxes_xyxy).items()}

    pairs = images_with_people(images, sample)
    batch = next(batches(estimator, images, [boxed for _, boxed in pairs], loading))
    batch_s = _medians([of_crops(*batch) for _ in range(1 + ROUNDS)][1:])
    for image_bgr, boxed in pairs[:WARM_UP]:
        of_image(image_bgr, boxed.boxes_xyxy)
    image_s = _medians([of_image(image_bgr, boxed.boxes_xyxy) for image_bgr, boxed in pairs])
    return {one: Speed(len(batch[0]) / batch_s[one], 1e3 * image_s[one]) for one in variants}


def _medians(times: Sequence[Seconds]) -> Seconds:
    return {one: statistics.median(row[one] for row in times) for one in times[0]}


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that it takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
