"""What is asked for is used or refused, and what is picked is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.runtimes import open_runtime, select
from livepose.runtimes.activation_ranges import ranges_path
from livepose.runtimes.select import MOST_MS, _candidates, open_automatic
from livepose.weights import find_weights
from livepose.weights.manifest import BEST

Machine = Callable[..., None]

F32 = ["openvino, cpu, f32", "torch, cpu, f32"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    def make(gpus: int = 0, quick: tuple[str, ...] = (), mps: bool = False) -> None:
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(select, "cuda_devices", lambda: gpus)
        monkeypatch.setattr(select, "quick_precisions", lambda: quick)

    return make


def names(path: Path, *asked: str) -> list[str]:
    return [str(choice) for choice in _candidates(path, *asked)]


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
    assert names(Path("own.safetensors"), *asked) == expected


def test_int8_comes_first_where_the_processor_and_the_weights_have_it(
    machine: Machine, tmp_path: Path
) -> None:
    machine(quick=("int8", "bf16"))
    path, asked = tmp_path / "own.safetensors", ("auto", "auto", "auto")
    others = ["openvino, cpu, bf16", *F32]
    assert names(path, *asked) == others
    ranges_path(path).touch()
    assert names(path, *asked) == ["openvino, cpu, int8", *others]
    assert names(tmp_path / "others.onnx", *asked) == F32[:1]


@pytest.mark.parametrize(
    ("gpus", "device", "sentence"),
    [
        (0, "cuda", "cuda was asked for, and torch sees 0 such GPUs here"),
        (2, "cuda:2", "cuda:2 was asked for, and torch sees 2 such"),
        (0, "mps", "mps was asked for, .* use --device cpu"),
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
        ({"runtime": "openvino", "device": "cuda"}, "openvino, device cuda .* is for the cpu"),
        ({"precision": "f16", "device": "cpu"}, "cpu in f16: .* on GPUs in f16"),
        ({"precision": "f16", "device": "cpu", "runtime": "torch"}, "cpu in f16: .* on GPUs"),
        ({"precision": "int8", "runtime": "torch"}, "in int8: openvino is for .* int8"),
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


# -- ``--weights auto`` ----------------------------------------------------------------------------


@pytest.fixture
def best(hrnet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the best weights lie, in a cache of their own."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    path = tmp_path / "weights" / f"{BEST}.safetensors"
    path.parent.mkdir()
    path.write_bytes(hrnet_file.read_bytes())
    return path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a person takes; the last number is taken off, and used, with each measurement."""
    took_ms: list[float] = []
    monkeypatch.setattr(select, "_person_ms", lambda runtime: took_ms.pop())
    return took_ms


def opened(asked: str = "cpu") -> list[Path]:
    """What was opened, the one that is taken last."""
    paths: list[Path] = []

    def open_one(path: Path) -> Path:
        paths.append(path)
        return path

    assert open_automatic(open_one, asked) == paths[-1]
    return paths


def test_without_better_ones_the_embedded_are_taken_and_the_way_is_told(
    best: Path, said: list[str]
) -> None:
    best.unlink()
    embedded = find_weights("default")
    assert opened() == [embedded]
    assert said == [
        f"weights: {embedded.stem}, embedded (AP 48.3 on 984 people); better ones come by "
        "'livepose weights fetch best'"
    ]


def test_the_best_are_taken_where_they_are_quick_and_measured_once(
    best: Path, measured: list[float], said: list[str]
) -> None:
    measured[:] = [MOST_MS, MOST_MS]
    assert opened() == opened() == [best] and len(measured) == 1
    assert said[-1].startswith(f"weights: {BEST} (") and "AP 75.7" in said[-1]
    assert said[-1].endswith("; 30.0 ms a person)")
    assert opened("another device") == [best] and not measured


def test_the_embedded_are_taken_where_the_best_are_slow(
    best: Path, measured: list[float], said: list[str]
) -> None:
    measured[:] = [MOST_MS + 0.1]
    assert opened() == [best, find_weights("default")]
    assert f"{BEST} would take 30.1 ms a person, over 30" in said[-1]
    assert opened() == [find_weights("default")]


@pytest.mark.parametrize("error", [DeviceError("no memory"), WeightsError("no ranges")])
def test_the_embedded_are_taken_where_the_best_do_not_run(
    error: Exception, best: Path, said: list[str]
) -> None:
    def open_one(path: Path) -> Path:
        if path == best:
            raise error
        return path

    assert open_automatic(open_one, "cpu") == find_weights("default")
    assert f"not {BEST}: {error}" in said[-1]


def test_a_runtime_is_timed_and_taken_for_real(
    best: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(select, "MOST_MS", 1e6)
    assert open_runtime("auto", runtime="openvino", precision="f32").name == "openvino"
    assert f"pose: hrnet_w8 128x96 ({best.name}) on openvino, cpu, f32" in said
    assert said[-1].startswith(f"weights: {BEST} (COCO val AP")
