"""Errors of a GPU's libraries as one sentence each."""

import pytest
import torch

from livepose.errors import DeviceError, UsageError
from livepose.runtimes.cuda_graph import device_errors, people_errors


def raised(error: BaseException) -> str:
    with pytest.raises(DeviceError) as caught, people_errors("cuda:1", 7):
        raise error
    return str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB, max allowed: 9.1 GB)"),
    ],
    ids=("memory", "pinned memory", "cublas", "cudnn", "mps"),
)
def test_full_memory_says_what_to_lower_whoever_reports_it(error: RuntimeError) -> None:
    assert raised(error) == (
        "cuda:1 ran out of memory at 7 people at once; lower --max-people, close what else runs "
        "on it, or use --device cpu"
    )


def test_full_memory_is_seen_behind_the_end_of_a_recording() -> None:
    def end_recording() -> None:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error")

    full = pytest.raises(DeviceError, match="cuda:0 ran out of memory at 1 people")
    with full, people_errors("cuda:0", 1):
        end_recording()


def test_a_card_that_is_too_old_is_said() -> None:
    said = raised(
        torch.AcceleratorError("CUDA error: no kernel image is available\nCompile with ...")
    )
    assert said == (
        "cuda:1 failed at 7 people at once: CUDA error: no kernel image is available; use "
        "--device cpu"
    )


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), UsageError("no"), ValueError()])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, device_errors("cuda:0", "somewhere", "lower it"):
        raise error
    assert caught.value is error
