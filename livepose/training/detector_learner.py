"""One step of the detector's own loop: YOLO11 of ultralytics, its loss, Muon beside AdamW."""

import copy
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import AdamW

from livepose.detection.library import ultralytics
from livepose.errors import WeightsError
from livepose.training.checkpoint import load_state, read_state
from livepose.training.ema import RunningMean
from livepose.training.muon import Muon
from livepose.training.optimisers import BETAS, Rates

ADAM_LR = 2e-3
EMA_DECAY = 0.998
CLIP_NORM = 10.0
HIDDEN_FROM = 8  # channels: narrower convolutions are left to AdamW
FIXED = "dfl"  # the head's sum over distances, which is no weight to learn


def build_model(architecture: str) -> Any:
    """A detection model of ultralytics for the one class person, channels last."""
    library = ultralytics()
    from ultralytics.utils import DEFAULT_CFG

    model = library.DetectionModel(architecture, nc=1, verbose=False)
    model.args = DEFAULT_CFG  # the gains of the loss
    return model.to(memory_format=torch.channels_last)


def read_start(file: Path) -> dict[str, Tensor]:
    """Tensors to start from: an exported detector, a checkpoint (its mean) or a state dict.

    Raises
    ------
    WeightsError
        When the file holds none.
    """
    if file.suffix != ".safetensors":
        return read_state(file)
    try:
        return {name: value.float() for name, value in load_file(file).items()}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} cannot be read as a detector: {error}") from error


class DetectorLearner:
    """Network, running mean and optimisers; everything that learning changes."""

    def __init__(self, architecture: str, lr: float, precision: str, init: Path | None) -> None:
        self.network = build_model(architecture)
        if init is not None:
            load_state(self.network, read_start(init), init)
        self.ema = copy.deepcopy(self.network)
        self._mean = RunningMean(self.ema, self.network)
        self._loss = self._build_loss()
        self._precision = precision
        self._optimisers = build_optimisers(self.network, lr)
        self._rates = Rates(self._optimisers)
        self.network.train()

    def _build_loss(self) -> Any:
        from ultralytics.utils.loss import v8DetectionLoss

        return v8DetectionLoss(self.network)

    def step(self, batch: dict[str, Tensor], step: int, factor: float) -> dict[str, float]:
        """Learn from one batch; returns the parts of the loss, a picture each."""
        self._rates.set(factor)
        with self._autocast():
            predictions = self.network(batch["img"])
        losses, parts = self._loss(as_float32(predictions), batch)
        (losses.sum() / len(batch["img"])).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self._mean.update(step + 1, EMA_DECAY)
        return {name: float(value) for name, value in parts.items()}

    def _autocast(self) -> Any:
        bf16 = self._precision == "bf16"
        return torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()

    def is_sound(self) -> bool:
        """Whether every weight of the mean is a finite number."""
        return all(bool(value.isfinite().all()) for value in self.ema.state_dict().values())

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "model": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` kept."""
        self.network.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        for optimiser, kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)


def build_optimisers(network: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for hidden convolutions, AdamW for the rest; what is fixed learns nothing."""
    hidden: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if FIXED in name:
            parameter.requires_grad_(False)
            continue
        is_hidden = parameter.ndim == 4 and min(parameter.shape[:2]) > HIDDEN_FROM
        (hidden if is_hidden else rest).append(parameter)
    return [Muon(hidden, lr), AdamW(rest, ADAM_LR, betas=BETAS, weight_decay=0.0)]


def as_float32(value: Any) -> Any:
    """Every tensor in nested dicts and lists in float32, for the loss."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: as_float32(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(as_float32(inner) for inner in value)
    return value
