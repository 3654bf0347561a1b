"""One process or several: what each of them has to know of the others.

Started by ``torchrun``, every process takes its share of each batch and the gradients are
averaged (DistributedDataParallel), over gloo on CPUs and NCCL on GPUs. Batch-norm statistics
stay each process's own; those of the first are kept.
"""

import os
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from livepose.errors import DeviceError, UsageError


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
        """The share of this process of a batch.

        UsageError when the batch cannot be shared evenly.
        """
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
