"""The pose network as a task of the training loop, with its targets and losses.

The way of a crop: ``data`` (who there is) -> ``PersonSampler`` (who comes when) -> ``plan`` (what
is done to the crop) -> ``crops`` (the crop and its colours) -> here. Every crop is a pure function
of seed, step and place in the batch.

Targets ``dark`` are Gaussians around the true sub-pixel point (Zhang et al., arXiv 1910.06278,
section 3.2), ``standard`` around the nearest cell, cut at three sigma: the same maps as
``livepose.heatmaps`` encodes, for many crops at once. With the loss ``softmax`` the outputs of one
keypoint are log-probabilities over the cells, compared with the target by cross-entropy (less the
target's entropy, so that 0 is perfect); its maps are ``exp(log_softmax) * 2 pi sigma²``: with a
peak near 1 where the network is sure, flat and low where it is not. With ``mse`` the outputs are
the maps, compared cell by cell, as in the papers. Both losses are a sum over keypoints and the sum
of weights to divide it by; keypoints that are known to be out of sight are compared with an even
or an empty map, with weights of their own.
"""

import logging
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.evaluation.validation import CallableRuntime, validate_pose
from livepose.networks import build_network
from livepose.skeletons import SKELETONS
from livepose.training.crops import DeviceCrops, changed, normalised, render_crops
from livepose.training.data import parse_set, read_people
from livepose.training.loop import Schedule
from livepose.training.plan import Augment, Plan, Planner, TrainingGeometry
from livepose.training.settings import PoseSettings
from livepose.training.train_step import Processes, Task, Tensors, autocast
from livepose.weights import Card
from livepose.weights.manifest import BLUR_KERNELS

_SIZE_STREAM, _ORDER_STREAM = 4, 0x0E90C4
TRUNCATED_AT_SIGMA = 3.0
EPOCHS_REMEMBERED = 4
logger = logging.getLogger(__name__)


def target_maps(heatmap_xy: Tensor, heatmap_hw: tuple[int, int], sigma: float, kind: str) -> Tensor:
    """Gaussians with a peak of 1, (B, K, H, W), for points (B, K, 2) in heatmap px."""
    height, width = heatmap_hw
    centre = torch.floor(heatmap_xy + 0.5) if kind == "standard" else heatmap_xy
    x = torch.arange(width, device=centre.device, dtype=centre.dtype) - centre[..., 0:1]
    y = torch.arange(height, device=centre.device, dtype=centre.dtype) - centre[..., 1:2]
    across, down = torch.exp(-(x**2) / (2 * sigma**2)), torch.exp(-(y**2) / (2 * sigma**2))
    if kind == "standard":
        across = across * (x.abs() <= TRUNCATED_AT_SIGMA * sigma)
        down = down * (y.abs() <= TRUNCATED_AT_SIGMA * sigma)
    return down[..., :, None] * across[..., None, :]


def softmax_maps(outputs: Tensor, sigma: float) -> Tensor:
    """Heatmaps (B, K, H, W) of a network with softmax outputs."""
    log_share = torch.log_softmax(outputs.float().flatten(2), dim=-1)
    return (log_share.exp() * (2 * math.pi * sigma**2)).view(outputs.shape)


def softmax_loss(
    outputs: Tensor, targets: Tensor, weights: Tensor, absent_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of outputs (B, K, H, W) against targets, with weights (B, K)."""
    log_share = torch.log_softmax(outputs.float().flatten(2), dim=-1)
    cells = log_share.shape[-1]
    share = targets.flatten(2)
    share = share / share.sum(dim=-1, keepdim=True).clamp_min(1e-9)
    surprise = torch.special.xlogy(share, share).sum(dim=-1) - (share * log_share).sum(dim=-1)
    even = -math.log(cells) - log_share.mean(dim=-1)
    total = (weights * surprise).sum() + (absent_weights * even).sum()
    return total, (weights + absent_weights).sum()


def mse_loss(
    maps: Tensor, targets: Tensor, weights: Tensor, absent_weights: Tensor, sigma: float
) -> tuple[Tensor, Tensor]:
    """Squared error of maps (B, K, H, W) over that of an empty map, which so costs 1."""
    scale = 1 / (math.pi * sigma**2)
    wrong = (maps.float() - targets).square().sum(dim=(2, 3)) * scale
    filled = maps.float().square().sum(dim=(2, 3)) * scale
    total = (weights * wrong).sum() + (absent_weights * filled).sum()
    return total, (weights + absent_weights).sum()


class PersonSampler:
    """The order of people for a seed.

    Every epoch is N draws. A person with weight w is drawn floor(w') or ceil(w') times in it, where
    w' is its share of N (systematic resampling), and the epoch is shuffled, so that all are seen
    equally often, and position 1,000,000 can be asked for without the 999,999 before it.
    """

    def __init__(self, draw_weights: NDArray[np.float64], seed: int) -> None:
        self._cumulative = np.cumsum(draw_weights / draw_weights.sum() * len(draw_weights))
        self._seed, self._count = seed, len(draw_weights)
        self._epoch = lru_cache(EPOCHS_REMEMBERED)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.Generator(np.random.Philox([self._seed, _ORDER_STREAM + epoch]))
        points = np.arange(self._count) + rng.random()
        drawn = np.searchsorted(self._cumulative, points, side="right")
        return rng.permutation(np.minimum(drawn, self._count - 1))

    def people(self, start: int, count: int) -> NDArray[np.int64]:
        """Indices of the people at positions ``start`` to ``start + count - 1``, (count,)."""
        places = (divmod(position, self._count) for position in range(start, start + count))
        return np.array([self._epoch(epoch)[place] for epoch, place in places], dtype=np.int64)


class PoseTask(Task):
    """Crops of people in, heatmaps out."""

    unit = "crops"

    def __init__(
        self, settings: PoseSettings, folder: Path, device: torch.device, processes: Processes
    ) -> None:
        self.settings: PoseSettings = settings
        self.device, self._processes = device, processes
        self._rows = processes.rows(settings.batch)
        self._schedule = Schedule(settings)
        people, skeleton = read_people(settings), SKELETONS[settings.skeleton]
        logger.info(f"{len(people)} people to learn from, on {device}")
        self._planner = Planner(people, skeleton, Augment(settings.webcam), settings.seed)
        self._sampler = PersonSampler(people.draw_weights, settings.seed)
        sizes = sorted(settings.sizes | settings.sizes_last)
        self._crops = DeviceCrops(people, sizes, device) if device.type == "cuda" else None

    def build(self) -> nn.Module:
        """A network of the chosen kind."""
        joints = len(SKELETONS[self.settings.skeleton].keypoints)
        return build_network(self.settings.network, joints)

    def is_hidden(self, name: str, parameter: nn.Parameter) -> bool:
        """Convolutions between the first and the last."""
        return parameter.ndim == 4 and name != "conv1.weight" and "final" not in name

    def size(self, step: int, progress: float) -> tuple[int, int]:
        """Height and width of the crops of a step."""
        falls = self._schedule.is_decaying(progress)
        shares = self.settings.sizes_last if falls else self.settings.sizes
        limits = np.cumsum(list(shares.values())) / sum(shares.values())
        rng = np.random.Generator(np.random.Philox([self.settings.seed, step, _SIZE_STREAM]))
        return list(shares)[int(np.searchsorted(limits, rng.random(), side="right"))]

    def prepare(self, step: int, progress: float) -> tuple[Plan, tuple[int, int]] | Tensors:
        """The whole batch; on a GPU only its plan."""
        settings, batch = self.settings, self.settings.batch
        input_hw = self.size(step, progress)
        geometry = TrainingGeometry(settings.alignment, input_hw)
        curriculum = self._schedule.curriculum(progress, *settings.curriculum_range)
        people = self._sampler.people(step * batch, batch)
        plan = self._planner.draw(people, step, curriculum, geometry).rows(self._rows)
        if self._crops is not None:
            return plan, input_hw
        where = plan.people, plan.windows_xyxy, plan.matrices
        crops_bgr = torch.from_numpy(render_crops(self._planner.people, *where, input_hw))
        return make_batch(crops_bgr.flip(-1).permute(0, 3, 1, 2).float(), plan)

    def finish(self, prepared: tuple[Plan, tuple[int, int]] | Tensors) -> Tensors:
        """The batch on the device."""
        if isinstance(prepared, tuple):
            assert self._crops is not None  # noqa: S101
            plan, input_hw = prepared
            prepared = make_batch(self._crops.render(plan, input_hw), plan)
        return super().finish(prepared)

    def loss(self, outputs: Tensor, batch: Tensors, progress: float) -> Tensor:
        """Cross-entropy or squared error, a keypoint."""
        settings = self.settings
        hw = (outputs.shape[2], outputs.shape[3])
        targets = target_maps(batch["heatmap_xy"], hw, settings.sigma, settings.targets)
        weights = batch["weights"], batch["absent_weights"]
        is_softmax = settings.loss == "softmax"
        if is_softmax and not self._is_last(progress):
            total, weight = softmax_loss(outputs, targets, *weights)
        else:
            maps = softmax_maps(outputs, settings.sigma) if is_softmax else outputs
            total, weight = mse_loss(maps, targets, *weights, sigma=settings.sigma)
        return total / self._processes.mean_weight(weight).clamp_min(1e-6)

    def _is_last(self, progress: float) -> bool:
        """Whether squared error between maps has taken over."""
        return self.settings.mse_last > 0 and progress >= 1 - self.settings.mse_last

    def kind(self, batch: Tensors, progress: float) -> str:
        """The size of its crops, and which loss."""
        size = "{2}x{3}".format(*batch["inputs"].shape)
        return f"{size} last" if self._is_last(progress) else size

    def state(self, progress: float) -> dict[str, float]:
        """How far the curriculum is."""
        curriculum = self._schedule.curriculum(progress, *self.settings.curriculum_range)
        return {"curriculum": round(curriculum, 3), "last_phase": self._is_last(progress)}

    def validate(self, network: nn.Module, dev: str) -> Mapping[str, float]:
        """AP, OKS and PCK through the evaluation."""
        spec, runtime = parse_set(dev), as_runtime(network, self.settings, self.device)
        return validate_pose(runtime, spec.images, spec.annotations)


def make_batch(crops_rgb: Tensor, plan: Plan) -> Tensors:
    """Network input (B, 3, h, w), channels last, with its labels: (B, K, 2), (B, K), (B, K)."""
    inputs = changed(crops_rgb, plan).contiguous(memory_format=torch.channels_last)
    names = ("heatmap_xy", "weights", "absent_weights")
    labels = {name: torch.from_numpy(getattr(plan, name)).float() for name in names}
    return {"inputs": inputs, **labels}


def build_card(settings: PoseSettings, licence: str = "", **notes: str) -> Card:
    """The card of a network that was trained with these settings."""
    return Card(
        network=settings.network,
        input_hw=settings.input_hw,
        skeleton=SKELETONS[settings.skeleton].name,
        keypoints=len(SKELETONS[settings.skeleton].keypoints),
        alignment=settings.alignment,
        blur_kernel=BLUR_KERNELS.get(round(settings.sigma), 3),
        sigma=settings.sigma,
        activation=settings.activation,
        source="trained by livepose train pose",
        licence=licence,
        notes=notes,
    )


def as_runtime(network: nn.Module, settings: PoseSettings, device: torch.device) -> CallableRuntime:
    """A network as the evaluation takes it: crops (B, h, w, 3) BGR bytes to heatmaps."""

    def heatmaps(crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        crops = torch.from_numpy(np.ascontiguousarray(crops_bgr[..., ::-1])).to(device)
        inputs = normalised(crops.permute(0, 3, 1, 2).float())
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(device, settings.precision):
            outputs = network(inputs).float()
        if settings.activation == "softmax":
            outputs = softmax_maps(outputs, settings.sigma)
        return np.asarray(outputs.cpu().numpy(), dtype=np.float32)

    return CallableRuntime(heatmaps, build_card(settings))
