"""What is asked for is used or refused, and what is picked is said."""

from pathlib import Path

import pytest
import torch

from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.runtimes import open_runtime, select
from livepose.runtimes.activation_ranges import ranges_path
from livepose.runtimes.select import MOST_MS, _candidates, open_automatic
from livepose.weights import find_weights
from livepose.weights.manifest import BEST

F32 = ["openvino, cpu, f32", "torch, cpu, f32"]


@pytest.fixture
def machine(monkeypatch):
    def make(gpus=0, quick=(), mps=False):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(select, "cuda_devices", lambda: gpus)
        monkeypatch.setattr(select, "quick_precisions", lambda: quick)

    return make


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
def test_candidates_are_tried_in_this_order(gpus, quick, asked, expected, machine):
    machine(gpus, quick, mps=True)
    assert [str(one) for one in _candidates(Path("own.safetensors"), *asked)] == expected


def test_int8_comes_first_where_the_processor_and_the_weights_have_it(machine, tmp_path):
    machine(quick=("int8", "bf16"))
    ranges_path(tmp_path / "own.safetensors").touch()
    for name, expected in (
        ("own.safetensors", ["openvino, cpu, int8", "openvino, cpu, bf16", *F32]),
        ("without.safetensors", ["openvino, cpu, bf16", *F32]),
        ("others.onnx", F32[:1]),
    ):
        found = _candidates(tmp_path / name, "auto", "auto", "auto")
        assert [str(one) for one in found] == expected, name


@pytest.mark.parametrize(
    ("gpus", "asked", "sentence"),
    [
        (0, {"device": "cuda"}, "cuda was asked for, and torch sees 0 such GPUs here"),
        (2, {"device": "cuda:2"}, "cuda:2 was asked for, and torch sees 2 such"),
        (0, {"device": "mps"}, "mps was asked for, .* use --device cpu"),
        (0, {"precision": "bf16"}, "this processor has none; use f32"),
    ],
)
def test_what_is_asked_for_and_absent_is_an_error_and_never_something_else(
    gpus, asked, sentence, machine, resnet_file
):
    machine(gpus)
    with pytest.raises(DeviceError, match=sentence) as caught:
        open_runtime(resnet_file, **asked)
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
        ({"weights": "x.xml", "runtime": "torch"}, "torch is for livepose's own weights"),
        ({"weights": "x.xml", "precision": "int8"}, "others' files bear no int8"),
    ],
)
def test_what_is_none_or_excludes_the_rest_is_a_usage_error(
    asked, sentence, resnet_file, machine, tinypose
):
    machine(1)
    weights = tinypose if "weights" in asked else resnet_file
    with pytest.raises(UsageError, match=sentence):
        open_runtime(**asked | {"weights": str(weights)})


# -- ``--weights auto`` ----------------------------------------------------------------------------

EMBEDDED = find_weights("default")


@pytest.fixture
def best(hrnet_file, tmp_path, monkeypatch):
    """The best weights, in a cache of their own."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    path = tmp_path / "weights" / f"{BEST}.safetensors"
    path.parent.mkdir()
    path.write_bytes(hrnet_file.read_bytes())
    return path


@pytest.fixture
def measured(monkeypatch):
    """What a person takes; the last number is taken off, and used, with each measurement."""
    took_ms: list[float] = []
    monkeypatch.setattr(select, "_person_ms", lambda runtime: took_ms.pop())
    return took_ms


def opened(device="cpu", broken=None, error=None):
    """What is opened where the ``broken`` one ends in an error."""

    def open_one(path):
        if path == broken and error is not None:
            raise error
        return path

    return open_automatic(open_one, device)


def test_the_best_are_taken_where_they_are_quick_and_measured_once(best, measured, said):
    measured[:] = [MOST_MS, MOST_MS]
    assert opened() == opened() == best and len(measured) == 1
    assert said[-1].startswith(f"weights: {BEST} (") and "AP 75.7" in said[-1]
    assert said[-1].endswith("; 30.0 ms a person)")
    assert opened("another device") == best and not measured


def test_the_embedded_are_taken_where_the_best_are_slow_or_not_here_and_the_way_is_told(
    best, measured, said
):
    measured[:] = [MOST_MS + 0.1]
    assert opened() == opened() == EMBEDDED and not measured
    assert f"{BEST} would take 30.1 ms a person, over 30" in said[-1]
    best.unlink()
    assert opened() == EMBEDDED
    assert said[-1] == (
        f"weights: {EMBEDDED.stem}, embedded (AP 49.3 on 984 people); better ones come by "
        "'livepose weights fetch best'"
    )


@pytest.mark.parametrize("error", [DeviceError("no memory"), WeightsError("no ranges")])
def test_the_embedded_are_taken_where_the_best_do_not_run(error, best, said):
    assert opened("cpu", best, error) == EMBEDDED
    assert f"not {BEST}: {error}" in said[-1]


def test_a_runtime_is_timed_and_taken_for_real(best, monkeypatch, said):
    monkeypatch.setattr(select, "MOST_MS", 1e6)
    assert open_runtime("auto", runtime="openvino", precision="f32").name == "openvino"
    assert f"pose: hrnet_w8 128x96 ({best.name}) on openvino, cpu, f32" in said
    assert said[-1].startswith(f"weights: {BEST} (COCO val AP")
