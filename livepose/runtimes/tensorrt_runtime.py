"""TensorRT: the network compiled for one card, one engine a batch size, inside the recorded graph.

An optional way (the extra ``tensorrt``): it builds for minutes where CUDA graphs record in a
moment. Everything around the network, the self-check included, is that of ``CudaRuntime``.
"""

from typing import Any

import torch
from torch import nn

from livepose.errors import DeviceError
from livepose.runtimes.cuda_runtime import CudaRuntime
from livepose.runtimes.graph import PoseGraph
from livepose.runtimes.torch_runtime import DTYPES


class TensorRtRuntime(CudaRuntime):
    """Runs engines that TensorRT built, as recorded graphs on one GPU."""

    name = "tensorrt"

    def make_network(self, bucket: int) -> nn.Module:
        """The graph with its network compiled for this size.

        Raises
        ------
        DeviceError
            When TensorRT is not there, or cannot build it.
        """
        compiler, device, dtype = tensorrt_compiler(), self.lane.device, DTYPES[self.precision]
        graph = PoseGraph(nn.Identity(), self.card).to(device, dtype)
        example = torch.zeros(bucket, 3, *self.card.input_hw, dtype=dtype, device=device)
        try:
            graph.network = compiler.compile(
                self.graph.network,
                ir="dynamo",
                inputs=[example],
                # Not the current device, which is the first one: the one that this runs on.
                device=device,
                # The network is in this precision already, and is to stay in it.
                use_explicit_typing=True,
                min_block_size=1,
            )
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # exporting, converting, building: each has errors of its own
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
