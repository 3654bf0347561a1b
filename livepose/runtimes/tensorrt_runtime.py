"""TensorRT: the network compiled for one card, one engine a batch size, inside the recorded graph.

An optional way (the extra ``tensorrt``): it builds for minutes where CUDA graphs record in a
moment. Everything around the network, the self-check included, is that of ``CudaRuntime``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from livepose.errors import DeviceError
from livepose.runtimes.cuda_runtime import BUCKETS, CudaRuntime
from livepose.runtimes.graph import PoseGraph
from livepose.runtimes.torch_runtime import DTYPES
from livepose.weights import Card


class TensorRtRuntime(CudaRuntime):
    """Runs engines that TensorRT built, as recorded graphs on one GPU."""

    name = "tensorrt"

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        device: str,
        precision: str = "f16",
        buckets: Sequence[int] = BUCKETS,
    ) -> None:
        tensorrt_compiler()  # absent: said at once, not at the first frame
        super().__init__(network, card, device, precision, buckets)
        self._engines: dict[int, nn.Module] = {}

    def network_for(self, bucket: int) -> nn.Module:
        """The graph for batches of this size, its network compiled; built once."""
        if bucket not in self._engines:
            self._engines[bucket] = self._built(bucket)
        return self._engines[bucket]

    def _built(self, bucket: int) -> nn.Module:
        compiler, dtype = tensorrt_compiler(), DTYPES[self.precision]
        graph = PoseGraph(nn.Identity(), self.card).to(self.lane.device, dtype)
        example = torch.zeros(bucket, 3, *self.card.input_hw, dtype=dtype, device=self.lane.device)
        try:
            graph.network = compiler.compile(
                self.graph.network,
                ir="dynamo",
                inputs=[example],
                enabled_precisions={dtype},
                min_block_size=1,
            )
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DeviceError(
                f"TensorRT cannot build {self.card.network} for {bucket} people on "
                f"{self.device}: {reason}; use --runtime cuda"
            ) from error
        return graph


def tensorrt_compiler() -> Any:
    """The module ``torch_tensorrt``.

    Raises
    ------
    DeviceError
        When it is not there.
    """
    try:
        import torch_tensorrt
    except (ImportError, OSError) as error:
        raise DeviceError(
            f"runtime tensorrt was asked for, and torch_tensorrt cannot be imported ({error}); "
            "install it with \"pip install 'livepose[tensorrt]'\", or use --runtime cuda"
        ) from None
    return torch_tensorrt
