"""The running mean of all weights, which is better than the weights themselves."""

import torch
from torch import Tensor, nn


class RunningMean:
    """Keeps ``ema`` the running mean of ``network``, buffers included.

    The tensors are looked up once: both networks change theirs in place alone.
    """

    def __init__(self, ema: nn.Module, network: nn.Module) -> None:
        pairs = list(zip(ema.state_dict().values(), network.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        counts = [pair for pair in pairs if not pair[0].dtype.is_floating_point]
        self._means, self._values = _apart(floats)
        self._copies, self._counts = _apart(counts)

    @torch.no_grad()
    def update(self, step: int, decay: float) -> None:
        """Move the mean towards the network, faster in the first steps."""
        decay = min(decay, (1 + step) / (20 + step))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        if self._copies:
            torch._foreach_copy_(self._copies, self._counts)


def _apart(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
