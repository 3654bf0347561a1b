"""The optimisers of a training, with one learning-rate factor over all of them."""

from collections.abc import Sequence

from torch import nn
from torch.optim import AdamW, Optimizer

from livepose.training.muon import Muon
from livepose.training.settings import TrainSettings

BETAS = (0.9, 0.99)


def build_optimisers(network: nn.Module, settings: TrainSettings) -> list[Optimizer]:
    """AdamW for everything, or Muon for hidden convolutions and AdamW for the rest."""
    if settings.optimiser == "adamw":
        return [
            AdamW(
                network.parameters(),
                settings.highest_lr,
                betas=BETAS,
                weight_decay=settings.weight_decay,
            )
        ]
    hidden: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        is_hidden = parameter.ndim == 4 and name != "conv1.weight" and "final" not in name
        (hidden if is_hidden else rest).append(parameter)
    return [
        Muon(hidden, settings.highest_lr, weight_decay=settings.weight_decay),
        AdamW(rest, settings.adam_lr, betas=BETAS, weight_decay=0.0),
    ]


class Rates:
    """Remembers the highest learning rates and sets a share of them."""

    def __init__(self, optimisers: Sequence[Optimizer]) -> None:
        self._optimisers = list(optimisers)
        self._highest = [
            [float(group["lr"]) for group in optimiser.param_groups] for optimiser in optimisers
        ]

    def set(self, factor: float) -> None:
        """Set every rate to its highest times ``factor``."""
        # Groups are looked up each time: loading a state puts new ones in their place.
        for optimiser, rates in zip(self._optimisers, self._highest, strict=True):
            for group, highest in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = highest * factor
