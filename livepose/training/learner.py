"""The network, its mean, its optimisers, and one step of learning."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from livepose.training.ema import RunningMean
from livepose.training.loader import Batch
from livepose.training.losses import mse_loss, softmax_loss, softmax_maps
from livepose.training.optimisers import Rates, build_optimisers
from livepose.training.processes import Processes
from livepose.training.settings import TrainSettings
from livepose.training.targets import target_maps

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Learned:
    """What one step tells: tensors, so that a device need not be waited for."""

    loss: Tensor
    grad_norm: Tensor


def channels_last(network: nn.Module) -> nn.Module:
    """The same network with its convolution weights laid out channels-last."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


class Learner:
    """Everything that changes while a network learns."""

    def __init__(
        self,
        network: nn.Module,
        ema: nn.Module,
        settings: TrainSettings,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.settings, self.device, self._processes = settings, device, processes
        self.network = channels_last(network.to(device))
        self.ema = channels_last(ema.to(device)).eval()
        for parameter in self.ema.parameters():
            parameter.requires_grad_(False)
        self.ema.load_state_dict(self.network.state_dict())
        self._mean = RunningMean(self.ema, self.network)
        self.optimisers = build_optimisers(self.network, settings)
        self._rates = Rates(self.optimisers)
        self._scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
        self._forward = processes.wrap(self.network)
        if settings.compile:
            self._forward = torch.compile(self._forward)  # type: ignore[assignment]
        self.network.train()

    def step(self, batch: Batch, step: int, rate: float, last_phase: bool) -> Learned:
        """Learn from one batch at this share of the learning rate."""
        self._rates.set(rate)
        loss = self._loss(batch, last_phase)
        torch.autograd.backward(self._scaler.scale(loss))
        for optimiser in self.optimisers:
            self._scaler.unscale_(optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        for optimiser in self.optimisers:
            self._scaler.step(optimiser)
            optimiser.zero_grad(set_to_none=True)
        self._scaler.update()
        self._mean.update(step + 1, self.settings.ema_decay)
        return Learned(loss.detach(), norm.detach())

    def _loss(self, batch: Batch, last_phase: bool) -> Tensor:
        settings = self.settings
        outputs = self._outputs(batch.inputs)
        hw = outputs.shape[2], outputs.shape[3]
        targets = target_maps(batch.heatmap_xy, hw, settings.sigma, settings.targets)
        weights = batch.weights, batch.absent_weights
        if settings.loss == "softmax" and not last_phase:
            total, weight = softmax_loss(outputs, targets, *weights)
        else:
            is_softmax = settings.loss == "softmax"
            maps = softmax_maps(outputs, settings.sigma) if is_softmax else outputs
            total, weight = mse_loss(maps, targets, *weights, sigma=settings.sigma)
        return total / self._processes.mean_weight(weight).clamp_min(1e-6)

    def _outputs(self, inputs: Tensor) -> Tensor:
        dtype = AUTOCAST.get(self.settings.precision)
        if dtype is None:
            outputs: Tensor = self._forward(inputs)
            return outputs
        with torch.autocast(self.device.type, dtype):
            outputs = self._forward(inputs)
        return outputs.float()

    def is_sound(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(torch.isfinite(value).all()) for value in self.network.parameters())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "model": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` kept."""
        self.network.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self._scaler.load_state_dict(state["scaler"])
