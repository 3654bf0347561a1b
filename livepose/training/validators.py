"""What a training is measured by: the evaluation itself, or a quick look where that is missing.

The evaluation needs pycocotools, which a rented machine may not have.
"""

import logging
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from livepose.skeletons import SKELETONS
from livepose.training.appearance import Appearance
from livepose.training.geometry import TrainingGeometry
from livepose.training.learner import AUTOCAST
from livepose.training.losses import softmax_maps
from livepose.training.monitor import Monitor
from livepose.training.people import People, parse_set
from livepose.training.settings import TrainSettings
from livepose.weights import Card
from livepose.weights.card import IMAGENET_MEAN, IMAGENET_STD

logger = logging.getLogger(__name__)

Validator = Callable[[nn.Module], Mapping[str, Any]]
"""Measures a network; what it returns goes into the log."""

BLUR_KERNELS = {1: 3, 2: 11, 3: 17}
"""Width of DARK's modulation for a training sigma, as its authors set them."""


def build_card(settings: TrainSettings, licence: str = "", **notes: str) -> Card:
    """The card of a network that was trained with these settings."""
    return Card(
        network=settings.network,
        input_hw=settings.input_hw,
        skeleton=SKELETONS[settings.skeleton].name,
        keypoints=len(SKELETONS[settings.skeleton].keypoints),
        alignment=settings.alignment,
        blur_kernel=BLUR_KERNELS.get(round(settings.sigma), 3),
        sigma=settings.sigma,
        colour="rgb",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        activation=settings.activation,
        source="trained by livepose train pose",
        licence=licence,
        notes=notes,
    )


def build_monitor(settings: TrainSettings, device: torch.device) -> Monitor:
    """What runs a network of these settings on people with given boxes."""
    return Monitor(
        SKELETONS[settings.skeleton],
        TrainingGeometry(settings.alignment, settings.input_hw, settings.padding),
        Appearance(),
        settings.activation,
        settings.sigma,
        device,
    )


def as_function(
    network: nn.Module, settings: TrainSettings, device: torch.device
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A network as the evaluation takes it: crops (B, h, w, 3) BGR bytes to heatmaps."""
    appearance, dtype = Appearance(), AUTOCAST.get(settings.precision)

    def heatmaps(crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        crops = torch.from_numpy(np.ascontiguousarray(crops_bgr[..., ::-1])).to(device)
        inputs = appearance.normalise(crops.permute(0, 3, 1, 2).float())
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype is not None):
            outputs = network(inputs).float()
        if settings.activation == "softmax":
            outputs = softmax_maps(outputs, settings.sigma)
        return np.asarray(outputs.cpu().numpy(), dtype=np.float32)

    return heatmaps


def build_validators(
    settings: TrainSettings, device: torch.device, read: Callable[[str], People]
) -> dict[str, Validator]:
    """One measurement for each dev set; ``read`` gives the people of one for the quick look."""
    if find_spec("pycocotools") is None:
        logger.warning("pycocotools is missing: dev sets are looked at quickly, without COCO AP")
        return {text: _quick(settings, device, read(text)) for text in settings.dev}
    return {text: _evaluation(settings, device, text) for text in settings.dev}


def _quick(settings: TrainSettings, device: torch.device, people: People) -> Validator:
    monitor = build_monitor(settings, device)
    chosen = people.select(np.arange(min(len(people), settings.validate_people)))
    return lambda network: monitor.measure(network, chosen)


def _evaluation(settings: TrainSettings, device: torch.device, text: str) -> Validator:
    spec = parse_set(text)

    def validate(network: nn.Module) -> Mapping[str, Any]:
        from livepose.evaluation.validation import CallableRuntime, validate_pose

        function = as_function(network, settings, device)
        runtime = CallableRuntime(function, build_card(settings))
        pictures = settings.validate_pictures
        measured = validate_pose(runtime, spec.images, spec.annotations, pictures)
        return {name: round(value, 4) for name, value in measured.items()}

    return validate
