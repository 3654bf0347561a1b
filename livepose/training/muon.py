"""Muon: momentum, made orthogonal before it is applied.

Source: Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024),
https://kellerjordan.github.io/posts/muon/. A convolution is taken as the matrix (outputs,
inputs x rows x columns). The five Newton-Schulz steps are carried out on the small Gram matrix
G Gᵀ, where they are polynomials, and for all layers of one shape at once: the same result as on
G itself at a fraction of the cost, as most layers are far wider than they are high.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
STEPS = 5
STACK = 16


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices (N, rows, columns), rows <= columns, with singular values brought near 1."""
    matrices = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-8)
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
    """The optimiser for convolution weights of more than one dimension."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Apply one update to every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[Tensor, Tensor, bool]]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    update, turned = self._direction(param, group["momentum"])
                    by_shape[update.shape].append((param, update, turned))
            for entries in by_shape.values():
                for start in range(0, len(entries), STACK):
                    _apply(entries[start : start + STACK], group["lr"], group["weight_decay"])
        return None

    def _direction(self, param: Tensor, momentum: float) -> tuple[Tensor, bool]:
        """Nesterov momentum as a matrix that is not higher than wide, and whether it was turned."""
        state = self.state[param]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
        assert param.grad is not None  # noqa: S101
        state["momentum"].lerp_(param.grad, 1 - momentum)
        update = param.grad.lerp(state["momentum"], momentum).reshape(param.shape[0], -1)
        turned = update.shape[0] > update.shape[1]
        return (update.mT if turned else update).contiguous(), turned


def _apply(entries: list[tuple[Tensor, Tensor, bool]], lr: float, weight_decay: float) -> None:
    """Orthogonalise updates of one shape together and step along them."""
    updates = orthogonalise(torch.stack([update for _, update, _ in entries]))
    for (param, _, turned), update in zip(entries, updates, strict=True):
        matrix = update.mT if turned else update
        height = param.shape[0] / (param.numel() / param.shape[0])
        param.mul_(1 - lr * weight_decay)
        param.add_(matrix.reshape(param.shape), alpha=-lr * max(1.0, height) ** 0.5)
