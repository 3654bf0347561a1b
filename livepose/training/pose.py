"""The pose network as a task of the training loop, with its targets and losses.

The way of a crop: ``data`` (who there is) -> ``PersonSampler`` (who comes when) -> ``plan`` (what
is done to the crop) -> ``crops`` (the crop and its colours) -> here. Every crop is a pure function
of seed, step and place in the batch.

Targets ``dark`` are Gaussians around the true sub-pixel point (Zhang et al., arXiv 1910.06278,
section 3.2), ``standard`` around the nearest cell, cut at three sigma. With the loss ``softmax``
the outputs of one keypoint are log-probabilities over the cells, compared with the target by
cross-entropy (less the target's entropy, so that 0 is perfect); its maps are
``exp(log_softmax) * 2 pi sigma²``. With ``mse`` the outputs are the maps, compared cell by cell,
as in the papers. Both are sums over keypoints, weighted; keypoints that are known to be out of
sight are compared with an even or an empty map.
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

from livepose.crops import CropGeometry
from livepose.evaluation.validation import validate_pose
from livepose.networks import build_network
from livepose.runtimes.torch import TorchRuntime
from livepose.skeletons import SKELETONS
from livepose.training.crops import DeviceCrops, changed, render_crops
from livepose.training.data import SetSpec, read_people
from livepose.training.loop import Schedule
from livepose.training.plan import Augment, Plan, Planner
from livepose.training.settings import PoseSettings
from livepose.training.train_step import LICENCE, Processes, Task, Tensors
from livepose.weights import Card
from livepose.weights.checkpoint import load_network, save_checkpoint
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


def softmax_loss(
    outputs: Tensor, targets: Tensor, weights: Tensor, absent_weights: Tensor
) -> Tensor:
    """Cross-entropy of outputs (B, K, H, W) against targets, with weights (B, K)."""
    log_share = torch.log_softmax(outputs.float().flatten(2), dim=-1)
    cells = log_share.shape[-1]
    share = targets.flatten(2)
    share = share / share.sum(dim=-1, keepdim=True).clamp_min(1e-9)
    surprise = torch.special.xlogy(share, share).sum(dim=-1) - (share * log_share).sum(dim=-1)
    even = -math.log(cells) - log_share.mean(dim=-1)
    total: Tensor = (weights * surprise).sum() + (absent_weights * even).sum()
    return total


def mse_loss(
    maps: Tensor, targets: Tensor, weights: Tensor, absent_weights: Tensor, sigma: float
) -> Tensor:
    """Squared error of maps (B, K, H, W) over that of an empty map, which so costs 1."""
    scale = 1 / (math.pi * sigma**2)
    wrong = (maps.float() - targets).square().sum(dim=(2, 3)) * scale
    filled = maps.float().square().sum(dim=(2, 3)) * scale
    return (weights * wrong).sum() + (absent_weights * filled).sum()


class PersonSampler:
    """The order of people for a seed.

    Every epoch is N draws, shuffled. A person is drawn floor(w) or ceil(w) times in it, where w is
    its share of N (systematic resampling). Any position can be asked for without those before.
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

    unit, file = "crops", "pose.safetensors"

    def __init__(self, settings: PoseSettings, device: torch.device, processes: Processes) -> None:
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

    def prepare(self, step: int, progress: float) -> Plan | Tensors:
        """The whole batch; on a GPU only its plan."""
        settings = self.settings
        geometry = CropGeometry(settings.alignment, self.size(step, progress))
        curriculum = self._schedule.curriculum(progress, *settings.curriculum_range)
        people = self._sampler.people(step * settings.batch, settings.batch)
        plan = self._planner.draw(people, step, curriculum, geometry).rows(self._rows)
        if self._crops is not None:
            return plan
        where = plan.people, plan.windows_xyxy, plan.matrices, plan.input_hw
        crops_bgr = torch.from_numpy(render_crops(self._planner.people, *where))
        return make_batch(crops_bgr.flip(-1).permute(0, 3, 1, 2).float(), plan)

    def finish(self, prepared: Plan | Tensors) -> Tensors:
        """The batch on the device."""
        if isinstance(prepared, Plan):
            assert self._crops is not None  # noqa: S101
            prepared = make_batch(self._crops.render(prepared), prepared)
        return super().finish(prepared)

    def loss(self, outputs: Tensor, batch: Tensors) -> Tensor:
        """Cross-entropy or squared error, a keypoint."""
        sigma, hw = self.settings.sigma, (outputs.shape[2], outputs.shape[3])
        targets = target_maps(batch["heatmap_xy"], hw, sigma, self.settings.targets)
        weights, absent = batch["weights"], batch["absent_weights"]
        if self.settings.loss == "softmax":
            total = softmax_loss(outputs, targets, weights, absent)
        else:
            total = mse_loss(outputs, targets, weights, absent, sigma)
        return total / self._processes.mean((weights + absent).sum()).clamp_min(1e-6)

    def export(self, ema: nn.Module, file: Path, notes: Mapping[str, str]) -> None:
        """Half precision, with a card that says how it came about."""
        settings, skeleton = self.settings, SKELETONS[self.settings.skeleton]
        sizes = settings.size + (f", at last {settings.size_last}" if settings.size_last else "")
        more = {"sizes": sizes, "loss": settings.loss, "targets": settings.targets}
        card = Card(
            network=settings.network,
            input_hw=settings.input_hw,
            skeleton=skeleton.name,
            keypoints=len(skeleton.keypoints),
            alignment=settings.alignment,
            blur_kernel=BLUR_KERNELS.get(round(settings.sigma), 3),
            sigma=settings.sigma,
            activation="softmax" if settings.loss == "softmax" else "none",
            source="trained by livepose train pose",
            licence=LICENCE,
            notes={**notes, **more},
        )
        save_checkpoint(file, ema.state_dict(), card)

    def validate(self, file: Path, dev: SetSpec) -> Mapping[str, float]:
        """AP and OKS through the evaluation."""
        runtime = TorchRuntime(*load_network(file), str(self.device))
        return validate_pose(runtime, dev.images, dev.annotations)


def make_batch(crops_rgb: Tensor, plan: Plan) -> Tensors:
    """Network input (B, 3, h, w), channels last, with its labels: (B, K, 2), (B, K), (B, K)."""
    inputs = changed(crops_rgb, plan).contiguous(memory_format=torch.channels_last)
    names = ("heatmap_xy", "weights", "absent_weights")
    labels = {name: torch.from_numpy(getattr(plan, name)).float() for name in names}
    return {"inputs": inputs, **labels}
