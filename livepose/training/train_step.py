"""What is trained, one step of learning it, and the other processes that share its batches.

Started by ``torchrun``, every process takes its share of each batch and the gradients are
averaged (DistributedDataParallel), over gloo on CPUs and NCCL on GPUs. Batch-norm statistics
stay each process's own; those of the first are kept.
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
from livepose.training.optim import RunningMean, build_optimisers
from livepose.training.records import load_state, read_state
from livepose.training.settings import RunSettings

Tensors = dict[str, Tensor]


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Where the forward pass is in this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class Task(Protocol):
    """What a training is about: networks, batches and losses, and what the result is good for."""

    unit: str
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

    def loss(self, outputs: Any, batch: Any, progress: float) -> Tensor:
        """How far that is from what it should say."""

    def validate(self, network: nn.Module, dev: str) -> Mapping[str, float]:
        """Figures on a dev set."""

    def kind(self, batch: Any, progress: float) -> str:
        """Batches of one kind have losses that can be compared."""
        return ""

    def state(self, progress: float) -> dict[str, float]:
        """What else the log shall hold."""
        return {}

    def written(self, ema: nn.Module, step: int) -> None:
        """After each checkpoint."""
        return


@dataclass(frozen=True)
class Processes:
    """The place of this process among ``count``."""

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Meet the others, if ``torchrun`` started any."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), count)

    @property
    def first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """The share of this process of a batch; UsageError when it cannot be shared evenly."""
        if batch % self.count:
            raise UsageError(
                f"--batch {batch} cannot be shared evenly by {self.count} processes: give a "
                "multiple of their number"
            )
        share = batch // self.count
        return slice(self.rank * share, (self.rank + 1) * share)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over all processes."""
        return network if self.count == 1 else DistributedDataParallel(network)

    def mean_weight(self, weight: Tensor) -> Tensor:
        """Mean over processes of a sum of weights, so that each keypoint counts the same."""
        if self.count == 1:
            return weight
        total = weight.detach().clone()
        distributed.all_reduce(total)
        return total / self.count

    def agree(self, *values: float) -> list[float]:
        """The values of the first process, for all: clocks differ, decisions must not."""
        if self.count == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            shared = shared.cuda()
        distributed.broadcast(shared, 0)
        return [float(value) for value in shared.cpu()]

    def leave(self) -> None:
        """Part from the others."""
        if self.count > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


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


def channels_last(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on the device, its convolution weights laid out channels-last."""
    for parameter in network.to(device).parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


class TrainStep:
    """Everything that changes while a network learns: weights, their mean, optimisers."""

    def __init__(self, task: Task, processes: Processes, device: torch.device) -> None:
        settings = task.settings
        self.task, self._device = task, device
        torch.manual_seed(settings.seed)
        self.network, self.ema = task.build(), task.build()
        if settings.init is not None:
            file = Path(settings.init)
            load_state(self.network, read_state(file), file)
        self.network = channels_last(self.network, device).train()
        self.ema = channels_last(self.ema, device).eval().requires_grad_(False)
        self.ema.load_state_dict(self.network.state_dict())
        self._mean = RunningMean(self.ema, self.network)
        self._optimisers = build_optimisers(self.network, settings, task.is_hidden)
        self._highest = [[one["lr"] for one in each.param_groups] for each in self._optimisers]
        self._forward = processes.wrap(self.network)

    def step(self, batch: Any, step: int, rate: float, progress: float) -> tuple[Tensor, Tensor]:
        """Learn from one batch at this share of the learning rate; loss and norm of gradients."""
        # Groups are looked up each time: loading a state puts new ones in their place.
        for optimiser, rates in zip(self._optimisers, self._highest, strict=True):
            for group, highest in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = highest * rate
        settings = self.task.settings
        with autocast(self._device, settings.precision):
            outputs = self._forward(batch["inputs"])
        loss = self.task.loss(as_float32(outputs), batch, progress)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self._mean.update(step + 1, settings.ema_decay)
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


def as_float32(value: Any) -> Any:
    """Every tensor in nested dicts and lists in float32, for the loss."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: as_float32(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(as_float32(inner) for inner in value)
    return value
