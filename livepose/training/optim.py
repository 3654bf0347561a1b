"""AdamW, and Muon for hidden convolutions.

Muon: momentum, made orthogonal before it is applied (Keller Jordan et al., "Muon: An optimizer for
hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon/). A convolution
is taken as the matrix (outputs, rows x columns x inputs), which is how channels-last weights lie in
memory. The five Newton-Schulz steps are carried out on the small Gram matrix G Gᵀ, where they are
polynomials, in bfloat16, and for all layers of one shape at once.

Convolutions before batch norm do not feel their scale, so that with a plain rate their norms grow
and each step turns them less. With ``hold_norms`` norms are held, and each update is that share of
the norm.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from livepose.training.settings import RunSettings

BETAS = (0.9, 0.99)
MOMENTUM, WEIGHT_DECAY = 0.95, 0.01
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
STEPS = 5
STACK = 16
LARGEST_SINGULAR, QUICK_FROM_ROWS = 1.3, 64


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices (N, rows, columns), rows <= columns, with singular values brought near 1.

    Large ones in bfloat16. Rounding can turn an eigenvalue of a Gram matrix of low rank negative,
    from where the polynomial runs away: such a stack is done again in float32.
    """
    if matrices.shape[1] >= QUICK_FROM_ROWS:
        quick = _newton_schulz(matrices.bfloat16()).float()
        largest = (LARGEST_SINGULAR**2 * matrices.shape[1]) ** 0.5
        if bool((quick.norm(dim=(1, 2)) <= largest).all()):
            return quick
    return _newton_schulz(matrices.float())


def _newton_schulz(matrices: Tensor) -> Tensor:
    norms = matrices.float().norm(dim=(1, 2), keepdim=True) + 1e-8
    matrices = matrices / norms.to(matrices.dtype)
    gram = matrices @ matrices.mT
    identity = torch.eye(gram.shape[1], device=gram.device, dtype=gram.dtype)
    product = identity.expand_as(gram)
    a, b, c = NEWTON_SCHULZ
    for _ in range(STEPS):
        factor = a * identity + b * gram + c * (gram @ gram)
        product = factor @ product
        gram = factor @ gram @ factor
    return product @ matrices


class Muon(Optimizer):
    """For convolution weights (O, I, H, W); ``lr`` is with ``hold_norms`` the share of the norm."""

    def __init__(self, params: Iterable[Tensor], lr: float, hold_norms: bool = False) -> None:
        super().__init__(params, {"lr": lr, "hold": hold_norms})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply one update to every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    update = self._direction(param)
                    by_shape[update.shape].append((param, update))
            for entries in by_shape.values():
                for start in range(0, len(entries), STACK):
                    self._apply(entries[start : start + STACK], group)

    def _direction(self, param: Tensor) -> Tensor:
        """Nesterov momentum as a matrix that is not higher than wide."""
        state = self.state[param]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
            state["norm"] = param.norm()
        assert param.grad is not None  # noqa: S101
        state["momentum"].lerp_(param.grad, 1 - MOMENTUM)
        update = param.grad.lerp(state["momentum"], MOMENTUM)
        update = update.permute(0, 2, 3, 1).reshape(param.shape[0], -1)
        return (update.mT if update.shape[0] > update.shape[1] else update).contiguous()

    def _apply(self, entries: list[tuple[Tensor, Tensor]], group: dict[str, Any]) -> None:
        """Orthogonalise updates of one shape together and step along them."""
        updates = orthogonalise(torch.stack([update for _, update in entries]))
        for (param, _), update in zip(entries, updates, strict=True):
            outputs, inputs, rows, columns = param.shape
            is_turned = outputs * outputs > param.numel()
            matrix = update.mT if is_turned else update
            change = matrix.reshape(outputs, rows, columns, inputs).permute(0, 3, 1, 2)
            if group["hold"]:
                norm = self.state[param]["norm"]
                param.sub_(change * (group["lr"] * norm / (change.norm() + 1e-8)))
                param.mul_(norm / (param.norm() + 1e-8))
            else:
                height = max(1.0, outputs * outputs / param.numel())
                param.mul_(1 - group["lr"] * WEIGHT_DECAY)
                param.add_(change, alpha=-group["lr"] * height**0.5)


def build_optimisers(
    network: nn.Module, settings: RunSettings, is_hidden: Callable[[str, nn.Parameter], bool]
) -> list[Optimizer]:
    """AdamW for everything, or Muon for hidden convolutions and AdamW for the rest."""
    learning = [(name, one) for name, one in network.named_parameters() if one.requires_grad]
    lr, held = settings.highest_lr, settings.relative_step
    if settings.optimiser == "adamw":
        every = [one for _, one in learning]
        return [AdamW(every, lr, betas=BETAS, weight_decay=WEIGHT_DECAY, fused=True)]
    hidden = [one for name, one in learning if is_hidden(name, one)]
    rest = [one for name, one in learning if not is_hidden(name, one)]
    return [
        Muon(hidden, lr if held is None else held, hold_norms=held is not None),
        AdamW(rest, settings.adam_lr, betas=BETAS, weight_decay=0.0, fused=True),
    ]
