"""What is trained, one step of learning it, and the other processes that share its batches.

Started by ``torchrun``, every process takes its share of each batch and gradients are averaged,
over gloo on CPUs and NCCL on GPUs. Batch-norm statistics stay each process's own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from livepose.errors import DeviceError, UsageError
from livepose.training.data import SetSpec
from livepose.training.optim import build_optimisers
from livepose.training.records import load_weights
from livepose.training.settings import RunSettings

LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Processes:
    """The place of this process among ``count``."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Meet the others, if ``torchrun`` started any."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """The share of this process of a batch; UsageError when it cannot be shared evenly."""
        share, left_over = divmod(batch, self.count)
        if left_over:
            raise UsageError(
                f"--batch {batch} cannot be shared evenly by {self.count} processes: give a "
                "multiple of their number"
            )
        return slice(self.rank * share, (self.rank + 1) * share)

    def mean(self, weight: Tensor) -> Tensor:
        """Mean over processes of a sum of weights, so that each keypoint counts the same."""
        total = weight.detach().clone()
        if self.count > 1:
            distributed.all_reduce(total)
        return total / self.count

    def agree(self, *values: Any) -> list[Any]:
        """The values of the first process, for all: clocks differ, decisions must not."""
        shared = list(values)
        if self.count > 1:
            distributed.broadcast_object_list(shared)
        return shared


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``; under ``torchrun`` each process has its GPU.

    DeviceError when it was asked for and is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(f"--device {name}: there is no CUDA device here; give --device cpu")
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"--device {name}: expected auto, cpu or cuda:N ({error})") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


class Task(Protocol):
    """What a training is about: networks, batches and losses, and what the result is good for."""

    unit: str
    """What a sample is, in the plural."""
    file: str
    """Name of the weights in the folder of the run."""
    settings: RunSettings
    device: torch.device

    def build(self) -> nn.Module:
        """A network with weights to start from."""

    def is_hidden(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether Muon takes this one."""

    def prepare(self, step: int, progress: float) -> Any:
        """The batch of a step, as far as a background thread can make it."""

    def finish(self, prepared: Any) -> Tensors:
        """The batch on the device."""
        return {name: one.to(self.device, non_blocking=True) for name, one in prepared.items()}

    def loss(self, outputs: Any, batch: Tensors) -> Tensor:
        """How far that is from what it should say."""

    def export(self, ema: nn.Module, file: Path, notes: Mapping[str, str]) -> None:
        """Write the mean weights, and how they came about."""

    def validate(self, file: Path, dev: SetSpec) -> Mapping[str, float]:
        """Figures of exported weights on a dev set."""


class TrainStep:
    """Everything that changes while a network learns: weights, their mean, optimisers."""

    def __init__(self, task: Task, processes: Processes) -> None:
        self.task, settings = task, task.settings
        torch.manual_seed(settings.seed)
        self.network, self.ema = task.build(), task.build()
        if settings.init is not None:
            load_weights(self.network, Path(settings.init))
        self.ema.load_state_dict(self.network.state_dict())
        _channels_last(self.network, task.device).train()
        _channels_last(self.ema, task.device).eval().requires_grad_(False)
        # Looked up once: both networks change their tensors in place alone.
        self._means, self._values = (
            [one for one in network.state_dict().values() if one.is_floating_point()]
            for network in (self.ema, self.network)
        )
        self._optimisers = build_optimisers(self.network, settings, task.is_hidden)
        self._highest = [[one["lr"] for one in each.param_groups] for each in self._optimisers]
        several = processes.count > 1
        self._forward = DistributedDataParallel(self.network) if several else self.network

    def step(self, batch: Tensors, step: int, rate: float) -> tuple[Tensor, Tensor]:
        """Learn from one batch at this share of the learning rate; loss and norm of gradients."""
        # Groups are looked up each time: loading a state puts new ones in their place.
        for optimiser, rates in zip(self._optimisers, self._highest, strict=True):
            for group, highest in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = highest * rate
        settings, device = self.task.settings, self.task.device
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            outputs = self._forward(batch["inputs"])
        loss = self.task.loss(_as_float32(outputs), batch)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        decay = min(settings.ema_decay, (2 + step) / (21 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self._means, self._values, 1 - decay)
        return loss.detach(), norm.detach()

    def is_sound(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(torch.isfinite(value).all()) for value in self.network.parameters())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "model": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` kept."""
        self.network.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        for optimiser, kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)


def _channels_last(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on the device, its convolution weights laid out channels-last."""
    for parameter in network.to(device).parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def _as_float32(value: Any) -> Any:
    """Every tensor in nested dicts and lists in float32, for the loss."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: _as_float32(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_as_float32(inner) for inner in value)
    return value
