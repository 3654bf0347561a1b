"""What is trained, and one step of learning it."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from livepose.training.checkpoint import load_state, read_state
from livepose.training.optim import Rates, RunningMean, build_optimisers
from livepose.training.processes import Processes
from livepose.training.settings import RunSettings

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Task:
    """What a training is about: networks, batches and losses, and what the result is good for."""

    unit: str
    settings: RunSettings

    def build(self) -> nn.Module:
        """A network with weights to start from."""
        raise NotImplementedError

    def is_hidden(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether Muon takes this one."""
        raise NotImplementedError

    def prepare(self, step: int, progress: float) -> Any:
        """The batch of a step, as far as a background thread can make it."""
        raise NotImplementedError

    def finish(self, prepared: Any) -> Any:
        """The batch on the device."""
        raise NotImplementedError

    def forward(self, network: nn.Module, batch: Any) -> Any:
        """What the network says of it."""
        raise NotImplementedError

    def loss(self, outputs: Any, batch: Any, progress: float) -> Tensor:
        """How far that is from what it should say."""
        raise NotImplementedError

    def validate(self, network: nn.Module, dev: str) -> Mapping[str, float]:
        """Figures on a dev set."""
        raise NotImplementedError

    def phase(self, progress: float) -> bool:
        """True from where on the loss means something else."""
        return False

    def kind(self, batch: Any) -> str:
        """Batches of one kind have losses that can be compared."""
        return ""

    def state(self, progress: float) -> dict[str, float]:
        """What else the log shall hold."""
        return {}

    def written(self, ema: nn.Module, step: int) -> None:
        """After each checkpoint."""


def channels_last(network: nn.Module) -> nn.Module:
    """The same network with its convolution weights laid out channels-last."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


class TrainStep:
    """Everything that changes while a network learns: weights, their mean, optimisers."""

    def __init__(self, task: Task, processes: Processes, device: torch.device) -> None:
        settings = task.settings
        self.task, self._device, self._precision = task, device, settings.precision
        torch.manual_seed(settings.seed)
        self.network, self.ema = task.build(), task.build()
        if settings.init is not None:
            file = Path(settings.init)
            load_state(self.network, read_state(file), file)
        self.network = channels_last(self.network.to(device)).train()
        self.ema = channels_last(self.ema.to(device)).eval()
        self.ema.load_state_dict(self.network.state_dict())
        for parameter in self.ema.parameters():
            parameter.requires_grad_(False)
        self._mean = RunningMean(self.ema, self.network)
        self._optimisers = build_optimisers(self.network, settings, task.is_hidden)
        self._rates = Rates(self._optimisers)
        self._scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
        self._forward = processes.wrap(self.network)
        if settings.compile:
            self._forward = torch.compile(self._forward)  # type: ignore[assignment]

    def step(self, batch: Any, step: int, rate: float, progress: float) -> tuple[Tensor, Tensor]:
        """Learn from one batch at this share of the learning rate; loss and norm of gradients."""
        self._rates.set(rate)
        with self._autocast():
            outputs = self.task.forward(self._forward, batch)
        loss = self.task.loss(as_float32(outputs), batch, progress)
        torch.autograd.backward(self._scaler.scale(loss))
        for optimiser in self._optimisers:
            self._scaler.unscale_(optimiser)
        parameters = self.network.parameters()
        norm = nn.utils.clip_grad_norm_(parameters, self.task.settings.clip_norm)
        for optimiser in self._optimisers:
            self._scaler.step(optimiser)
            optimiser.zero_grad(set_to_none=True)
        self._scaler.update()
        self._mean.update(step + 1, self.task.settings.ema_decay)
        return loss.detach(), norm.detach()

    def _autocast(self) -> Any:
        dtype = AUTOCAST.get(self._precision)
        return nullcontext() if dtype is None else torch.autocast(self._device.type, dtype)

    def is_sound(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(torch.isfinite(value).all()) for value in self.network.parameters())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "model": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` kept."""
        self.network.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        for optimiser, kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self._scaler.load_state_dict(state["scaler"])


def as_float32(value: Any) -> Any:
    """Every tensor in nested dicts and lists in float32, for the loss."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: as_float32(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(as_float32(inner) for inner in value)
    return value
