"""What a configuration takes: parameters, operations, and the time of a crop and of an image."""

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.predict import Boxed, Variant, batches, both_answers
from livepose.frame import ImageBgr
from livepose.networks import NETWORKS, build_network, published_gflops

IMAGES, ROUNDS, WARM_UP = 24, 3, 3


class Cost(NamedTuple):
    """Parameters in millions, and GFLOPs as the published tables count them; NaN where unknown."""

    params_m: float = math.nan
    gflops: float = math.nan


class Speed(NamedTuple):
    """``crops_per_s``: network and decoding of a full batch. ``end_to_end_ms``: from an image in
    memory to its keypoints (detector if used, crop, network, decoding). Medians.
    """

    crops_per_s: float = math.nan
    end_to_end_ms: float = math.nan


@lru_cache(maxsize=16)
def network_cost(name: str, keypoints: int, input_hw: tuple[int, int]) -> Cost:
    """Cost of one of livepose's networks, from shapes alone; NaN for another's."""
    if name not in NETWORKS:
        return Cost()
    with torch.device("meta"):
        return module_cost(build_network(name, keypoints), input_hw)


def module_cost(network: nn.Module, input_hw: tuple[int, int], device: str = "meta") -> Cost:
    """Cost of any network that is made of convolutions; see ``published_gflops``."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters / 1e6, published_gflops(network, input_hw, device))


def images_with_people(images: Archive, sample: Sequence[Boxed]) -> list[tuple[ImageBgr, Boxed]]:
    """The first images with somebody in them, in memory."""
    chosen = [boxed for boxed in sample if len(boxed)][:IMAGES]
    return [(images.image_bgr(one.image.file_name), one) for one in chosen]


def measure_speed(
    estimator: PoseEstimator,
    images: Archive,
    sample: Sequence[Boxed],
    variant: Variant,
    detect: Callable[[Sequence[ImageBgr]], Any] | None = None,
) -> Speed:
    """Speed of one variant on the first images with people; warm-up is left out."""

    def pose(crops: Any, boxes_xyxy: Any) -> None:
        variant.read(estimator, both_answers(estimator, crops, variant.flip), boxes_xyxy)

    def whole(image_bgr: ImageBgr, boxed: Boxed) -> None:
        if detect is not None:
            detect([image_bgr])
        pose(estimator.cut(image_bgr, boxed.boxes_xyxy), boxed.boxes_xyxy)

    pairs = images_with_people(images, sample)
    if not pairs:
        return Speed()
    batch = next(batches(estimator, images, [boxed for _, boxed in pairs]))
    batch_s = median(seconds(pose, *batch) for _ in range(1 + ROUNDS))
    for pair in pairs[:WARM_UP]:
        whole(*pair)
    return Speed(len(batch[0]) / batch_s, 1e3 * median(seconds(whole, *one) for one in pairs))


def seconds(work: Callable[..., object], *arguments: object) -> float:
    """What one call takes."""
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start
