"""What is asked for is used or refused, and what is picked is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from livepose.errors import DeviceError, UsageError
from livepose.runtimes import open_runtime, select
from livepose.runtimes.select import Candidate, _candidates, check_device


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> object:
    def make(gpus: int = 0, bf16: bool = False, vnni: bool = False) -> None:
        quick = ("int8",) * vnni + ("bf16",) * bf16
        monkeypatch.setattr(select, "cuda_devices", lambda: gpus)
        monkeypatch.setattr(select, "quick_precisions", lambda: quick)

    return make


def names(runtime: str, device: str, precision: str) -> list[str]:
    return [str(choice) for choice in _candidates(runtime, device, precision, lambda: False)]


@pytest.mark.parametrize(
    ("gpus", "bf16", "asked", "expected"),
    [
        (0, False, ("auto", "auto", "auto"), ["openvino, cpu, f32", "torch, cpu, f32"]),
        (
            *(0, True, ("auto", "auto", "auto")),
            ["openvino, cpu, bf16", "openvino, cpu, f32", "torch, cpu, f32"],
        ),
        (
            *(2, True, ("auto", "auto", "auto")),
            [
                *("torch, cuda:0, f16", "openvino, cpu, bf16"),
                *("openvino, cpu, f32", "torch, cpu, f32"),
            ],
        ),
        (1, False, ("auto", "cpu", "auto"), ["openvino, cpu, f32", "torch, cpu, f32"]),
        (1, True, ("openvino", "auto", "auto"), ["openvino, cpu, bf16", "openvino, cpu, f32"]),
        (1, True, ("openvino", "cpu", "bf16"), ["openvino, cpu, bf16"]),
        (0, True, ("auto", "auto", "f32"), ["openvino, cpu, f32", "torch, cpu, f32"]),
        (2, True, ("auto", "cuda:1", "auto"), ["torch, cuda:1, f16"]),
        (1, True, ("auto", "cuda", "f32"), ["torch, cuda:0, f32"]),
        (1, True, ("torch", "cuda", "bf16"), ["torch, cuda:0, bf16"]),
        (1, True, ("torch", "auto", "auto"), ["torch, cuda:0, f16", "torch, cpu, f32"]),
        (0, True, ("torch", "auto", "auto"), ["torch, cpu, f32"]),
    ],
)
def test_candidates_are_tried_in_this_order(
    gpus: int,
    bf16: bool,
    asked: tuple[str, str, str],
    expected: list[str],
    machine: object,
) -> None:
    machine(gpus, bf16)  # type: ignore[operator]
    assert names(*asked) == expected


def test_int8_comes_first_where_the_processor_and_the_weights_have_it(machine: object) -> None:
    machine(0, bf16=True, vnni=True)  # type: ignore[operator]
    first, second, *_ = _candidates("auto", "auto", "auto", lambda: True)
    assert str(first) == "openvino, cpu, int8"
    assert first.why == "no CUDA GPU here; the processor has VNNI"
    assert str(second) == "openvino, cpu, bf16"
    assert names("auto", "auto", "auto")[0] == "openvino, cpu, bf16"  # weights without ranges
    machine(1, vnni=True)  # type: ignore[operator]
    assert str(next(_candidates("auto", "auto", "auto", lambda: True))) == "torch, cuda:0, f16"


def test_int8_is_what_is_asked_for_and_nothing_else(machine: object) -> None:
    machine(1, bf16=True)  # type: ignore[operator]
    assert names("auto", "auto", "int8") == ["openvino, cpu, int8"]
    assert names("openvino", "cpu", "int8") == ["openvino, cpu, int8"]


@pytest.mark.parametrize("asked", [("auto", "cuda"), ("torch", "cuda:0")])
def test_cuda_that_is_asked_for_and_absent_is_an_error_and_never_the_cpu(
    asked: tuple[str, str], machine: object, resnet_file: Path
) -> None:
    machine(0)  # type: ignore[operator]
    with pytest.raises(DeviceError, match="CUDA was asked for, and torch sees no CUDA") as caught:
        open_runtime(resnet_file, *asked)
    assert caught.value.exit_code == 5


def test_a_gpu_beyond_the_last_one_is_named(machine: object) -> None:
    machine(2)  # type: ignore[operator]
    assert check_device("cuda:1") == "cuda:1"
    assert check_device("cuda:01") == "cuda:1"  # torch knows no leading zeros
    with pytest.raises(DeviceError, match="cuda:2 was asked for, and the GPUs here end at cuda:1"):
        check_device("cuda:2")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "", "CPU"])
def test_a_device_that_is_none_is_a_usage_error(device: str, machine: object) -> None:
    machine(1)  # type: ignore[operator]
    with pytest.raises(UsageError, match="expected auto, cpu, cuda, cuda:N or mps"):
        check_device(device)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"runtime": "tpu"},
            "runtime: expected one of auto, torch, openvino, got 'tpu'",
        ),
        ({"precision": "f8"}, "precision: expected one of auto, f32"),
        ({"runtime": "openvino", "device": "cuda"}, "runtime openvino runs on the cpu"),
        ({"precision": "f16"}, "precision f16 is for GPUs"),
        ({"precision": "int8", "runtime": "torch"}, "precision int8 runs on openvino on the cpu"),
    ],
)
def test_candidates_that_exclude_each_other_are_usage_errors(
    asked: dict[str, str], sentence: str, resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One GPU where one is asked for, none else.
    monkeypatch.setattr(select, "cuda_devices", lambda: 1 if "device" in asked else 0)
    with pytest.raises(UsageError, match=sentence):
        open_runtime(resnet_file, **asked)


def test_bf16_without_the_processor_for_it_is_an_error(machine: object, resnet_file: Path) -> None:
    machine(0, bf16=False)  # type: ignore[operator]
    with pytest.raises(DeviceError, match="this processor has none; use f32"):
        open_runtime(resnet_file, precision="bf16")


def test_what_was_picked_is_said_with_the_reason(
    said: list[str], machine: object, resnet_file: Path
) -> None:
    machine(0)  # type: ignore[operator]
    open_runtime(resnet_file)
    assert said[-1] == (
        "pose: resnet50 64x96 (resnet50.safetensors) on openvino, cpu, f32 (no CUDA GPU here)"
    )


def test_a_choice_that_fails_is_said_and_the_next_one_taken(
    said: list[str], resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: object, card: object, choice: Candidate, *rest: object) -> object:
        if str(choice) != "torch, cpu, f32":
            raise DeviceError(f"{choice.runtime} is broken here")
        return truth(path, card, choice, *rest)  # type: ignore[arg-type]

    truth = select._open
    monkeypatch.setattr(select, "_open", failing)
    monkeypatch.setattr(select, "cuda_devices", lambda: 1)
    assert open_runtime(resnet_file).name == "torch"
    assert said[0] == "pose: not torch, cuda:0, f16: torch is broken here"
    assert "not openvino, cpu, f32: openvino is broken here" in said[-2]
    with pytest.raises(DeviceError, match="torch is broken here"):
        open_runtime(resnet_file, device="cuda")


def test_looking_for_a_gpu_loads_no_torch_where_there_is_no_driver() -> None:
    if select._driver_is_there():
        pytest.skip("this machine has an NVIDIA driver")
    code = (
        "import sys; from livepose.runtimes.select import cuda_devices; "
        "print(cuda_devices(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 False"
