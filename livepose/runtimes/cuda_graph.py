"""Work on a device that was recorded once and is then only repeated.

A small network on a GPU waits for launches, not for arithmetic. A CUDA graph holds the launches of
a whole chain of steps and starts them all at once. It reads and writes the memory that it was
recorded with, so everything here has buffers that stay where they are.

On the processor the same steps are simply run: slower than what is made for it, and the way to
test and to rehearse everything but the graph itself on a machine without a GPU.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from livepose.errors import DeviceError

WARM_UP_RUNS = 3
"""Before recording, so that libraries have chosen their kernels and taken their memory."""

OF_A_GPU = ("cuda", "cudnn", "cublas", "mps", "out of memory")
FULL = ("out of memory", "alloc_failed")
"""torch has a class for full memory of its own making only: pinned memory, handles of cuBLAS and
cuDNN, graphs and Apple's GPUs report it in words."""

_one_at_a_time = threading.Lock()
"""A process records one graph at a time; others may run those that are there."""


class CudaStream:
    """A device and the order of work on it: what is queued on a stream is done one by one.

    ``with stream:`` queues the work of torch within on it; ``wait`` returns when all is done.
    Graphs recorded on one stream share their scratch memory, as no two of them ever run at once.
    """

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.first_graph: Any = None
        """Kept for good: the pool of scratch memory lives as long as a graph that uses it."""
        self._cuda = self.device.type == "cuda"
        new_stream: Any = torch.cuda.Stream
        self.queue: Any = new_stream(self.device) if self._cuda else None
        self._entered: list[ExitStack] = []

    def __enter__(self) -> "CudaStream":
        with ExitStack() as contexts:
            mode: Any = torch.inference_mode()
            contexts.enter_context(mode)
            if self._cuda:
                contexts.enter_context(torch.cuda.stream(self.queue))
            self._entered.append(contexts.pop_all())
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)

    def wait(self) -> None:
        """Returns when everything queued is done."""
        if self._cuda:
            self.queue.synchronize()

    def settle(self) -> None:
        """Returns when the whole device is done: work of other streams can be built upon."""
        if self._cuda:
            torch.cuda.synchronize(self.device)

    def zeros(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory on the device; it may be used on the stream at once."""
        with self:
            return torch.zeros(shape, dtype=dtype, device=self.device)

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory on the host that the device copies from and to without help."""
        return torch.zeros(shape, dtype=dtype, pin_memory=self._cuda)


class CudaGraph:
    """Steps on fixed memory, recorded on a stream: ``run`` repeats them; ``output`` is the result.

    ``steps`` takes nothing and gives a tensor. It has to do the same work on the same memory each
    time, and must not wait for the device.
    """

    def __init__(self, stream: CudaStream, steps: Callable[[], Tensor]) -> None:
        self._stream, self._steps = stream, steps
        self._graph: Any = None
        # Shapes never change, so the quickest kernels are worth looking for. f32 means f32.
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
        with _one_at_a_time, flags:
            stream.settle()
            with stream:
                self.output = steps()
                if stream.queue is not None:
                    self._record()

    def _record(self) -> None:
        for _ in range(WARM_UP_RUNS - 1):
            self._steps()
        self._stream.wait()
        self._graph = torch.cuda.CUDAGraph()
        first = self._stream.first_graph
        # Only this thread's calls are watched: another may use the GPU meanwhile.
        with torch.cuda.graph(
            self._graph,
            pool=None if first is None else first.pool(),
            stream=self._stream.queue,
            capture_error_mode="thread_local",
        ):
            self.output = self._steps()
        self._stream.first_graph = first or self._graph

    def run(self) -> None:
        """Queues the steps; inside ``with stream``."""
        if self._graph is None:
            self.output.copy_(self._steps())
        else:
            self._graph.replay()


@contextmanager
def device_errors(device: str, doing: str, lower: str) -> Iterator[None]:
    """Turns errors of a GPU into ``DeviceError``; those of our own making pass as they are.

    ``doing`` follows "failed" and "ran out of memory" (``at 3 people at once``), ``lower`` is what
    makes it need less memory.
    """
    try:
        yield
    except RuntimeError as error:
        # What ends a recording early may itself be hidden by the error of ending it.
        messages = [str(one) for one in (error, error.__context__) if one is not None]
        told = " ".join(messages).lower()
        if not any(word in told for word in OF_A_GPU):
            raise
        if any(word in told for word in FULL):
            raise DeviceError(
                f"{device} ran out of memory {doing}; {lower}, or use --device cpu"
            ) from None
        reason = messages[0].splitlines()[0]
        raise DeviceError(f"{device} failed {doing}: {reason}; use --device cpu") from error


def people_errors(device: str, people: int) -> AbstractContextManager[None]:
    """The same while the pose network runs on so many people; with nobody it is being loaded."""
    doing = f"at {people} people at once" if people else "while loading"
    return device_errors(device, doing, "lower --max-people, close what else runs on it")
