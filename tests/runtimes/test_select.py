"""What is asked for is used or refused, and what is picked is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livepose.errors import DeviceError, UsageError
from livepose.runtimes import open_runtime, select
from livepose.runtimes.select import _candidates

Machine = Callable[..., None]

F32 = ["openvino, cpu, f32", "torch, cpu, f32"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    def make(gpus: int = 0, quick: tuple[str, ...] = (), mps: bool = False) -> None:
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(select, "cuda_devices", lambda: gpus)
        monkeypatch.setattr(select, "quick_precisions", lambda: quick)

    return make


def names(runtime: str, device: str, precision: str, has_int8: bool = False) -> list[str]:
    return [str(choice) for choice in _candidates(runtime, device, precision, lambda: has_int8)]


@pytest.mark.parametrize(
    ("gpus", "quick", "asked", "expected"),
    [
        (0, (), ("auto", "auto", "auto"), F32),
        (0, ("bf16",), ("auto", "auto", "auto"), ["openvino, cpu, bf16", *F32]),
        (0, ("bf16",), ("auto", "auto", "f32"), F32),
        (0, ("bf16",), ("torch", "auto", "auto"), F32[1:]),
        (1, (), ("auto", "auto", "auto"), ["torch, cuda:0, f16", *F32]),
        (1, (), ("auto", "cpu", "auto"), F32),
        (1, ("bf16",), ("openvino", "auto", "auto"), ["openvino, cpu, bf16", *F32[:1]]),
        (1, ("bf16",), ("openvino", "cpu", "bf16"), ["openvino, cpu, bf16"]),
        (1, ("bf16",), ("auto", "auto", "int8"), ["openvino, cpu, int8"]),
        (1, (), ("torch", "auto", "auto"), ["torch, cuda:0, f16", *F32[1:]]),
        (1, (), ("torch", "cuda", "bf16"), ["torch, cuda:0, bf16"]),
        (2, (), ("auto", "cuda:01", "auto"), ["torch, cuda:1, f16"]),
        (0, (), ("auto", "mps", "auto"), ["torch, mps, f32"]),
    ],
)
def test_candidates_are_tried_in_this_order(
    gpus: int, quick: tuple[str], asked: tuple[str, str, str], expected: list[str], machine: Machine
) -> None:
    machine(gpus, quick, mps=True)
    assert names(*asked) == expected


def test_int8_comes_first_where_the_processor_and_the_weights_have_it(machine: Machine) -> None:
    machine(quick=("int8", "bf16"))
    others = ["openvino, cpu, bf16", *F32]
    assert names("auto", "auto", "auto", has_int8=True) == ["openvino, cpu, int8", *others]
    assert names("auto", "auto", "auto", has_int8=False) == others
    first = next(_candidates("auto", "auto", "auto", lambda: True))
    assert first.why == "no CUDA GPU here; the processor has VNNI"


@pytest.mark.parametrize(
    ("gpus", "device", "sentence"),
    [
        (0, "cuda", "CUDA was asked for, and torch sees no CUDA"),
        (2, "cuda:2", "cuda:2 was asked for, and the GPUs here end at cuda:1"),
        (0, "mps", "mps was asked for and is not there; use --device cpu"),
    ],
)
def test_a_gpu_that_is_asked_for_and_absent_is_an_error_and_never_the_cpu(
    gpus: int, device: str, sentence: str, machine: Machine, resnet_file: Path
) -> None:
    machine(gpus)
    with pytest.raises(DeviceError, match=sentence) as caught:
        open_runtime(resnet_file, device=device)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        *(
            ({"device": name}, "expected auto, cpu, cuda, cuda:N or mps")
            for name in ("gpu", "cuda:", "cuda:-1", "cuda:²", "")
        ),
        ({"runtime": "tpu"}, "runtime: expected one of auto, torch, openvino, got 'tpu'"),
        ({"precision": "f8"}, "precision: expected one of auto, f32"),
        ({"runtime": "openvino", "device": "cuda"}, "runtime openvino runs on the cpu"),
        ({"precision": "f16", "device": "cpu"}, "precision f16 is for GPUs"),
        ({"precision": "f16", "device": "cpu", "runtime": "torch"}, "no quick f16 on the cpu"),
        ({"precision": "int8", "runtime": "torch"}, "precision int8 runs on openvino on the cpu"),
    ],
)
def test_what_is_none_or_excludes_the_rest_is_a_usage_error(
    asked: dict[str, str], sentence: str, resnet_file: Path, machine: Machine
) -> None:
    machine(1)
    with pytest.raises(UsageError, match=sentence):
        open_runtime(resnet_file, **asked)


def test_bf16_without_the_processor_for_it_is_an_error(machine: Machine, resnet_file: Path) -> None:
    machine()
    with pytest.raises(DeviceError, match="this processor has none; use f32"):
        open_runtime(resnet_file, precision="bf16")


def test_what_was_picked_is_said_with_the_reason(
    said: list[str], machine: Machine, resnet_file: Path
) -> None:
    machine()
    open_runtime(resnet_file)
    assert said[-1] == (
        "pose: resnet50 64x96 (resnet50.safetensors) on openvino, cpu, f32 (no CUDA GPU here)"
    )
